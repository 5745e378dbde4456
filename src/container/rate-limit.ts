import type { Traffic } from './traffic.js';

/** Bytes after which a body is held up again: small enough that any ten seconds are within a few per cent of the cap. */
export const PACED_PIECE_BYTES = 65536;
/** How far the wire may lag behind before unused time is forfeited. */
const BURST_NS = 100_000_000n;

/** Holds the bytes that all threads send to a rate. */
export interface RateLimit {
  /** Waits until `bytes` more may be sent. */
  take(bytes: number): Promise<void>;
}

/**
 * A rate limit over the shared memory of `traffic`: each sender reserves the next stretch of time on the wire.
 *
 * @param megabitsPerSecond above 0
 */
export function createRateLimit(megabitsPerSecond: number, traffic: Traffic): RateLimit {
  const nanosecondsPerByte = 8000 / megabitsPerSecond;
  return {
    async take(bytes) {
      const stretch = BigInt(Math.ceil(bytes * nanosecondsPerByte));
      for (;;) {
        const now = process.hrtime.bigint();
        const free = Atomics.load(traffic.wireFreeAt, 0);
        const start = free > now - BURST_NS ? free : now - BURST_NS;
        if (Atomics.compareExchange(traffic.wireFreeAt, 0, free, start + stretch) !== free) continue;
        const waitMs = Number(start - now) / 1e6;
        if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
        return;
      }
    },
  };
}

import type { Clock } from '../time/clock.js';
import type { Traffic } from './traffic.js';

/**
 * Bytes of a body that are sent without a pause: so few that the rate over any ten seconds is within a few per cent of
 * the cap.
 */
export const PACED_PIECE_BYTES = 65536;
/** How far the wire may lag behind before unused time is forfeited. */
const BURST_NS = 100_000_000n;

/** Holds the bytes that all threads send to a rate. */
export interface RateLimit {
  /** How long so many bytes take at the rate, in milliseconds. */
  durationMs(bytes: number): number;
  /**
   * Reserves the next free stretch of time on the wire. A request that has one sends alone, and all of its bytes within
   * the stretch: its time limit need not count the others' turns.
   *
   * @returns milliseconds until the stretch begins; 0 when that is now
   */
  reserve(bytes: number): number;
}

/**
 * A rate limit over the shared memory of `traffic`: each sender reserves the next stretch of time on the wire.
 *
 * @param megabitsPerSecond as long as `traffic.capMbps` does not say otherwise; 0: no limit until it does
 */
export function createRateLimit(megabitsPerSecond: number, traffic: Traffic): RateLimit {
  const nanosecondsPerByte = () => {
    const rate = traffic.capMbps[0] || megabitsPerSecond;
    return rate > 0 ? 8000 / rate : 0;
  };
  return {
    durationMs: (bytes) => (bytes * nanosecondsPerByte()) / 1e6,
    reserve(bytes) {
      const stretch = BigInt(Math.ceil(bytes * nanosecondsPerByte()));
      if (stretch === 0n) return 0;
      for (;;) {
        const now = process.hrtime.bigint();
        const free = Atomics.load(traffic.wireFreeAt, 0);
        const start = free > now - BURST_NS ? free : now - BURST_NS;
        if (Atomics.compareExchange(traffic.wireFreeAt, 0, free, start + stretch) === free)
          return Math.max(0, Number(start - now) / 1e6);
      }
    },
  };
}

/** A body in pieces, spread evenly over `durationMs` from now. */
export async function* paced(body: Uint8Array, durationMs: number, clock: Clock): AsyncGenerator<Uint8Array> {
  const begun = clock.monotonic();
  for (let at = 0; at < body.length; at += PACED_PIECE_BYTES) {
    const waitMs = begun + (durationMs * at) / body.length - clock.monotonic();
    if (waitMs > 1) await clock.sleep(waitMs);
    yield body.subarray(at, at + PACED_PIECE_BYTES);
  }
}

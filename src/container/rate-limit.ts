import type { Clock } from '../time/clock.js';

/**
 * Bytes of a body that are sent without a pause: so few that the rate over any ten seconds is within a few per cent of
 * the cap.
 */
export const PACED_PIECE_BYTES = 65536;
/** How far the wire may lag behind before unused time is forfeited. */
const BURST_NS = 100_000_000n;

/**
 * What several threads share to keep a rate together. Views of the first bytes of a memory: a `Traffic` begins with
 * these too.
 */
export class RateShare {
  static readonly BYTES = 16;
  readonly memory: SharedArrayBuffer;
  /** Nanosecond at which the wire is free again. */
  readonly wireFreeAt: BigInt64Array;
  /** The rate that all are to keep together now, in megabits per second; 0: none, or the one they began with. */
  readonly capMbps: Float64Array;

  constructor(memory = new SharedArrayBuffer(RateShare.BYTES)) {
    this.memory = memory;
    this.wireFreeAt = new BigInt64Array(memory, 0, 1);
    this.capMbps = new Float64Array(memory, 8, 1);
  }
}

/** Holds the bytes that all threads send, or those that they receive, to a rate. */
export interface RateLimit {
  /** How long so many bytes take at the rate, in milliseconds. */
  durationMs(bytes: number): number;
  /**
   * Reserves the next free stretch of time on the wire. A request that has one sends alone, and all of its bytes within
   * the stretch: its time limit need not count the others' turns. What has come already is reserved afterwards, and what
   * follows it waits.
   *
   * @returns milliseconds until the stretch begins; 0 when that is now
   */
  reserve(bytes: number): number;
}

/**
 * A rate limit over memory that threads share: each reserves the next stretch of time on the wire.
 *
 * @param megabitsPerSecond as long as `share.capMbps` does not say otherwise; 0: no limit until it does
 */
export function createRateLimit(
  megabitsPerSecond: number,
  share: Pick<RateShare, 'wireFreeAt' | 'capMbps'>,
): RateLimit {
  const nanosecondsPerByte = () => {
    const rate = share.capMbps[0] || megabitsPerSecond;
    return rate > 0 ? 8000 / rate : 0;
  };
  return {
    durationMs: (bytes) => (bytes * nanosecondsPerByte()) / 1e6,
    reserve(bytes) {
      const stretch = BigInt(Math.ceil(bytes * nanosecondsPerByte()));
      if (stretch === 0n) return 0;
      for (;;) {
        const now = process.hrtime.bigint();
        const free = Atomics.load(share.wireFreeAt, 0);
        const start = free > now - BURST_NS ? free : now - BURST_NS;
        if (Atomics.compareExchange(share.wireFreeAt, 0, free, start + stretch) === free)
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

import type { Clock } from '../time/clock.js';

/**
 * Until when the lanes of a process may send something: shared by its threads, and looked at right before each put.
 *
 * Two clocks hold it, since a machine that was suspended may have missed it on one of them. It also holds when each
 * lane showed the last time that it is alive.
 */
export class Lease {
  readonly memory: SharedArrayBuffer;
  readonly #until: Float64Array;
  readonly #alive: Float64Array;

  constructor(lanes: number);
  constructor(memory: SharedArrayBuffer);
  constructor(first: number | SharedArrayBuffer) {
    this.memory = typeof first === 'number' ? new SharedArrayBuffer(8 * (2 + first)) : first;
    this.#until = new Float64Array(this.memory, 0, 2);
    this.#alive = new Float64Array(this.memory, 16);
  }

  /** A lane is alive. */
  showAlive(lane: number, monotonicMs: number): void {
    this.#alive[lane] = monotonicMs;
  }

  /** How long the lane that has been silent longest has not shown itself, of those that have begun; 0 without any. */
  silentMs(monotonicMs: number): number {
    return this.#alive.reduce((most, shown) => (shown === 0 ? most : Math.max(most, monotonicMs - shown)), 0);
  }

  /** May send for so long, counted from a moment on the monotonic clock and on the other one. */
  extend(from: { readonly monotonicMs: number; readonly nowMs: number }, lengthMs: number): void {
    this.#until[0] = from.monotonicMs + lengthMs;
    this.#until[1] = from.nowMs + lengthMs;
  }

  /** Nothing may be sent from here on. */
  end(): void {
    this.#until.fill(0);
    this.#alive.fill(0);
  }

  /** Milliseconds that are left; 0 or less when it has ended. */
  leftMs(now: { readonly monotonicMs: number; readonly nowMs: number }): number {
    return Math.min(this.#until[0] - now.monotonicMs, this.#until[1] - now.nowMs);
  }
}

/** Whether something may be sent now: to be asked right before each try of each put. */
export function maySendBy(lease: Lease, clock: Pick<Clock, 'now' | 'monotonic'>): () => boolean {
  return () => lease.leftMs({ monotonicMs: clock.monotonic(), nowMs: clock.now() }) > 0;
}

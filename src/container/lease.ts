/**
 * Until when the lanes of a process may send something: shared by its threads, and looked at right before each put.
 *
 * Two clocks hold it, since a machine that was suspended may have missed it on one of them.
 */
export class Lease {
  readonly memory: SharedArrayBuffer;
  readonly #until: Float64Array;

  constructor(memory = new SharedArrayBuffer(16)) {
    this.memory = memory;
    this.#until = new Float64Array(memory);
  }

  /** May send for so long, counted from a moment on the monotonic clock and on the other one. */
  extend(from: { readonly monotonicMs: number; readonly nowMs: number }, lengthMs: number): void {
    this.#until[0] = from.monotonicMs + lengthMs;
    this.#until[1] = from.nowMs + lengthMs;
  }

  /** Nothing may be sent from here on. */
  end(): void {
    this.#until.fill(0);
  }

  /** Milliseconds that are left; 0 or less when it has ended. */
  leftMs(now: { readonly monotonicMs: number; readonly nowMs: number }): number {
    return Math.min(this.#until[0] - now.monotonicMs, this.#until[1] - now.nowMs);
  }
}

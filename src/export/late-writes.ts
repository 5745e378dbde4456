import type { Clock } from '../time/clock.js';

/** What {@link LateWrites} works with. */
export interface LateWritesParts {
  readonly clock: Clock;
  /** Until when workers of sessions that died may write, on the monotonic clock; 0: there are none. */
  readonly ofBeforeMs: number;
  /** Until when what was lost in the present session may write. */
  lostUntilMs(): number;
  /** Has the engine ask for work again. */
  wake(): void;
  /** Told, in a sentence, that there is something to wait for. */
  report(text: string): void;
}

/**
 * Until when workers that were given up may still change something in the target: one that was frozen in the middle of
 * a call, and goes on. What must not happen at the same time waits for that.
 */
export class LateWrites {
  readonly #parts: LateWritesParts;
  #timer: { cancel(): void } | undefined;
  #toldMs = 0;

  constructor(parts: LateWritesParts) {
    this.#parts = parts;
  }

  /** When the last of them can arrive, on the monotonic clock; 0: none can. */
  get untilMs(): number {
    return Math.max(this.#parts.ofBeforeMs, this.#parts.lostUntilMs());
  }

  /** Whether what was held back until a time may be done. */
  hasPassed(untilMs: number): boolean {
    return untilMs <= this.#parts.clock.monotonic();
  }

  /** Whether something of sessions before may arrive. */
  get isOfBefore(): boolean {
    return !this.hasPassed(this.#parts.ofBeforeMs);
  }

  /** Whether to wait; then the engine is woken when there is nothing to wait for any more. */
  mustWait(): boolean {
    const { clock, wake, report } = this.#parts;
    const { untilMs } = this;
    const waitMs = untilMs - clock.monotonic();
    if (waitMs <= 0) return false;
    this.#timer?.cancel();
    this.#timer = clock.after(waitMs, wake);
    if (untilMs > this.#toldMs) {
      this.#toldMs = untilMs;
      report(`Waiting for ${Math.ceil(waitMs / 1000)} s: until then a worker that has gone may still write something.`);
    }
    return true;
  }

  close(): void {
    this.#timer?.cancel();
  }
}

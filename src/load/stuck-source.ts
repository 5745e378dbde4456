import type { SourceGauge } from '../source/source-gauge.js';
import type { Clock } from '../time/clock.js';
import { StallWatch, stallText, type WaitingCall } from '../waits/stall-watch.js';
import type { WaitBoard } from '../waits/wait-board.js';

/** A source that has not answered a call for so long answers this machine no more. */
const STUCK_MS = 120_000;
const LOOK_MS = 1000;

/**
 * Watches whether the source answers the threads of this process. On one machine a job waits for its source; where others
 * see it too, what one machine waits for is better given to them.
 */
export class StuckSource {
  readonly #gauge: SourceGauge;
  readonly #watch: StallWatch;
  readonly #clock: Clock;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #oldest: WaitingCall | undefined;

  constructor(gauge: SourceGauge, boards: readonly WaitBoard[], clock: Clock) {
    this.#gauge = gauge;
    this.#watch = new StallWatch(boards);
    this.#clock = clock;
  }

  /** @returns what is waited for, for people; undefined when the source answers */
  look(): string | undefined {
    return this.waitsFor(STUCK_MS) ?? this.#away();
  }

  /** Which call has not been answered for so long, for people. */
  waitsFor(ms: number): string | undefined {
    const now = this.#clock.monotonic();
    if (now - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = now;
      this.#oldest = this.#watch.look(now);
    }
    const waitedMs = this.#oldest ? now - this.#oldest.sinceMs : 0;
    return this.#oldest && waitedMs >= ms ? stallText(this.#oldest, waitedMs) : undefined;
  }

  #away(): string | undefined {
    const now = this.#clock.monotonic();
    for (let slot = 0; slot < this.#gauge.slots; slot++) {
      const { awaySinceMs } = this.#gauge.slot(slot).read();
      if (awaySinceMs > 0 && now - awaySinceMs >= STUCK_MS)
        return `nothing of the source could be read for ${Math.round((now - awaySinceMs) / 1000)} s`;
    }
    return undefined;
  }
}

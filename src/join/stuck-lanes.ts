import type { Clock } from '../time/clock.js';
import { StallWatch, stallText, type WaitingCall } from '../waits/stall-watch.js';
import type { WaitBoard } from '../waits/wait-board.js';

/** What has not answered a call for so long answers this machine no more. */
export const STUCK_MS = 120_000;
const LOOK_MS = 1000;

/**
 * Watches whether what the lanes of a worker read, or write to, answers them. On one machine a job waits for that; where
 * others see it too, what one machine waits for is better given to them.
 */
export class StuckLanes {
  readonly #watch: StallWatch;
  readonly #clock: Clock;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #oldest: WaitingCall | undefined;

  constructor(boards: readonly WaitBoard[], clock: Clock) {
    this.#watch = new StallWatch(boards);
    this.#clock = clock;
  }

  /** Which call has not been answered for so long, for people. To be asked once a second or so. */
  waitsFor(ms: number): string | undefined {
    const now = this.#clock.monotonic();
    if (now - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = now;
      this.#oldest = this.#watch.look(now);
    }
    const waitedMs = this.#oldest ? now - this.#oldest.sinceMs : 0;
    return this.#oldest && waitedMs >= ms ? stallText(this.#oldest, waitedMs) : undefined;
  }
}

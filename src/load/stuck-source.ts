import { STUCK_MS, StuckLanes } from '../join/stuck-lanes.js';
import type { SourceGauge } from '../source/source-gauge.js';
import type { Clock } from '../time/clock.js';
import type { WaitBoard } from '../waits/wait-board.js';

/** Watches whether the source answers the threads of this process, which may hold back what it does not give. */
export class StuckSource {
  readonly #gauge: SourceGauge;
  readonly #lanes: StuckLanes;
  readonly #clock: Clock;

  constructor(gauge: SourceGauge, boards: readonly WaitBoard[], clock: Clock) {
    this.#gauge = gauge;
    this.#lanes = new StuckLanes(boards, clock);
    this.#clock = clock;
  }

  /** @returns what is waited for, for people; undefined when the source answers */
  look(): string | undefined {
    return this.waitsFor(STUCK_MS) ?? this.#away();
  }

  /** Which call has not been answered for so long, for people. */
  waitsFor(ms: number): string | undefined {
    return this.#lanes.waitsFor(ms);
  }

  #away(): string | undefined {
    const now = this.#clock.monotonic();
    for (let slot = 0; slot < this.#gauge.slots; slot++) {
      const { awaySinceMs } = this.#gauge.slot(slot).read();
      if (awaySinceMs > 0 && now - awaySinceMs >= STUCK_MS)
        return `the source, or a file system that is mounted in it, could not be read for ${Math.round((now - awaySinceMs) / 1000)} s`;
    }
    return undefined;
  }
}

import type { SourceGauge } from '../source/source-gauge.js';
import { escapePath } from '../text/escape-path.js';
import type { Clock } from '../time/clock.js';

/** A source that has not answered a call for so long answers this machine no more. */
const STUCK_MS = 120_000;
const LOOK_MS = 1000;

/**
 * Watches whether the source answers the threads of this process. On one machine a job waits for its source; where others
 * see it too, what one machine waits for is better given to them.
 */
export class StuckSource {
  readonly #lanes: readonly SourceGauge[];
  readonly #clock: Clock;
  readonly #blocked: ({ readonly call: number; readonly sinceMs: number } | undefined)[] = [];
  #lookedMs = Number.NEGATIVE_INFINITY;
  #found: string | undefined;

  constructor(gauge: SourceGauge, clock: Clock) {
    this.#lanes = Array.from({ length: gauge.slots }, (_, slot) => gauge.slot(slot));
    this.#clock = clock;
  }

  /** @returns what is waited for, for people; undefined when the source answers */
  look(): string | undefined {
    const now = this.#clock.monotonic();
    if (now - this.#lookedMs < LOOK_MS) return this.#found;
    this.#lookedMs = now;
    this.#found = undefined;
    for (const [at, lane] of this.#lanes.entries()) this.#found ??= this.#lookAt(at, lane, now);
    return this.#found;
  }

  #lookAt(at: number, lane: SourceGauge, now: number): string | undefined {
    const call = lane.blockingCall;
    if (call === 0) this.#blocked[at] = undefined;
    else if (this.#blocked[at]?.call !== call) this.#blocked[at] = { call, sinceMs: now };
    const { oldest, awaySinceMs } = lane.read();
    const isStuck = (sinceMs: number | undefined) => sinceMs !== undefined && now - sinceMs >= STUCK_MS;
    const seconds = (sinceMs: number) => Math.round((now - sinceMs) / 1000);
    const blockedMs = this.#blocked[at]?.sinceMs;
    const sinceMs = isStuck(blockedMs) ? blockedMs : oldest?.sinceMs;
    if (sinceMs !== undefined && isStuck(sinceMs))
      return `the source has not answered for ${seconds(sinceMs)} s: ${escapePath(lane.path) || '.'}`;
    if (awaySinceMs > 0 && isStuck(awaySinceMs))
      return `nothing of the source could be read for ${seconds(awaySinceMs)} s`;
    return undefined;
  }
}

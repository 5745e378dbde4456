import type { SourceGauge } from './source-gauge.js';

/** A call of a source that is under way. */
export interface WaitingCall {
  /** Since when, on the monotonic clock. */
  readonly sinceMs: number;
  /** Below the root. */
  readonly path: Buffer;
}

interface Blocked {
  readonly call: number;
  readonly sinceMs: number;
}

/** Finds the call of a source that has been waited for longest, by what lanes tell in shared memory. */
export class StallWatch {
  readonly #lanes: readonly SourceGauge[];
  readonly #blocked: (Blocked | undefined)[] = [];

  constructor(gauge: SourceGauge) {
    this.#lanes = Array.from({ length: gauge.slots }, (_, slot) => gauge.slot(slot));
  }

  /** Looks now; to be called once a second or so, since a call that holds up a thread tells no time. */
  look(nowMs: number): WaitingCall | undefined {
    let oldest: WaitingCall | undefined;
    for (const [at, lane] of this.#lanes.entries()) {
      const call = lane.blockingCall;
      const before = this.#blocked[at];
      if (call === 0) this.#blocked[at] = undefined;
      else if (before?.call !== call) this.#blocked[at] = { call, sinceMs: nowMs };
      const blocked = this.#blocked[at];
      const found = blocked ? { sinceMs: blocked.sinceMs, path: lane.path } : lane.read().oldest;
      if (found && (!oldest || found.sinceMs < oldest.sinceMs)) oldest = found;
    }
    return oldest;
  }
}

import type { LanePolicy } from './lane-policy.js';

/** Work that a lane has at once, in units of about one small file. */
export const LANE_UNITS = 1024;

/** What {@link LaneLoads} counts. */
export interface LaneLoadsOptions {
  /** Lanes of this process. */
  readonly own: number;
  /** Whether there may be lanes elsewhere. */
  readonly remote: boolean;
  /** Leave all work to lanes elsewhere. */
  readonly onlyRemote: boolean;
  /** Which lanes of this process are at work. */
  readonly policy: LanePolicy;
}

/** What each lane has to do, in units, and which one gets more. */
export class LaneLoads {
  /** Lanes elsewhere. */
  remoteLanes = 0;
  /** What a lane has at most: more where it is long before it is given more. */
  laneUnits = LANE_UNITS;
  /** Units that each lane has; the last number stands for all lanes elsewhere. */
  readonly #units: number[];
  readonly #options: LaneLoadsOptions;

  constructor(options: LaneLoadsOptions) {
    this.#options = options;
    this.#units = new Array<number>(options.own + (options.remote ? 1 : 0)).fill(0);
  }

  /** Lanes that there are and may get work, busy or not, those elsewhere included. */
  get count(): number {
    return (this.#options.onlyRemote ? 0 : this.#options.own) + this.remoteLanes;
  }

  add(lane: number, units: number): void {
    this.#units[lane] += units;
  }

  /** The lane for a piece of work: that of the one before it, unless it was elsewhere and nobody is there any more. */
  laneFor(before: number | undefined): number {
    const hasGone = this.#options.remote && before === this.#units.length - 1 && this.remoteLanes === 0;
    return before === undefined || hasGone ? this.#freest : before;
  }

  /** The lane with the least to do for its size. Without any, work waits for lanes elsewhere. */
  get #freest(): number {
    const { first, end } = this.#working;
    let freest = this.#options.remote ? this.#units.length - 1 : 0;
    let least = this.remoteLanes > 0 ? this.#units[freest] / this.remoteLanes : Number.POSITIVE_INFINITY;
    for (let lane = first; lane < end; lane++) {
      if (this.#units[lane] >= least) continue;
      freest = lane;
      least = this.#units[lane];
    }
    return freest;
  }

  /** Units that the lanes at work can take. */
  get room(): number {
    const elsewhere = this.#options.remote
      ? this.remoteLanes * this.laneUnits - this.#units[this.#units.length - 1]
      : 0;
    return this.ownRoom + Math.max(0, elsewhere);
  }

  /** Whether those of this process have enough to do for a while. */
  get areOwnFull(): boolean {
    return this.ownRoom < this.laneUnits / 2;
  }

  /** Whether all lanes have, when so many units have been done meanwhile. */
  areFull(doneUnits: number): boolean {
    return this.room + doneUnits < this.laneUnits / 2;
  }

  /** Units that those of this process can take. */
  get ownRoom(): number {
    const { first, end } = this.#working;
    return this.#units.slice(first, end).reduce((sum, units) => sum + Math.max(0, this.laneUnits - units), 0);
  }

  /** Lanes of this process that get work. */
  get #working(): { readonly first: number; readonly end: number } {
    return this.#options.onlyRemote ? { first: 0, end: 0 } : this.#options.policy.active;
  }
}

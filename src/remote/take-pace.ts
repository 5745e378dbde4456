import type { Clock } from '../time/clock.js';
import { RecentRate } from './recent-rate.js';

/** A worker has about as much at once as it does in so many seconds: then all of them end together. */
const AHEAD_S = 5;
/** Tickets by which it is told how large the next ones are going to be. */
const LATEST = 16;

/**
 * How many tickets a worker takes: what its lanes have room for, but no more than it does in a few seconds. One with a
 * slow network, or a slow file system, would else be the last by minutes, with tasks that others could have done.
 */
export class TakePace {
  readonly #rate: RecentRate;
  readonly #laneUnits: number;
  readonly #latest: number[] = [];

  /** @param laneUnits units that one lane has at once: so much a worker has in any case, since some tasks take long by themselves */
  constructor(clock: Clock, laneUnits: number) {
    this.#rate = new RecentRate(clock);
    this.#laneUnits = laneUnits;
  }

  /** A task was taken. */
  took(units: number): void {
    this.#latest.push(units);
    if (this.#latest.length > LATEST) this.#latest.shift();
  }

  /** A task was done. */
  did(units: number): void {
    this.#rate.add(units);
  }

  /** With how many units it takes no more, whatever size they turn out to be. @param lanes units that each lane has */
  most(lanes: readonly number[]): number {
    const full = lanes.reduce((sum, of) => sum + Math.max(of, this.#laneUnits), 0);
    return Math.min(full, this.#ahead);
  }

  /**
   * Tickets to be taken now: none while every lane has enough to go on with, so that several are taken at once.
   *
   * @param lanes units that each lane has
   * @param asked tickets that it has asked for, and knows nothing of
   */
  tickets(lanes: readonly number[], asked: number): number {
    // Before the first one: as large as parts of large files are.
    const each = this.#latest.length === 0 ? this.#laneUnits / 2 : mean(this.#latest);
    const enough = Math.min(this.#laneUnits, Math.max(this.#laneUnits / 2, 2 * each));
    if (lanes.every((units) => units >= enough)) return 0;
    const units = lanes.reduce((sum, of) => sum + of, 0);
    const room = lanes.reduce((sum, of) => sum + Math.ceil(Math.max(0, this.#laneUnits - of) / each), 0);
    return Math.max(0, Math.min(room, Math.ceil((this.#ahead - units) / each)) - asked);
  }

  get #ahead(): number {
    return Math.max(this.#laneUnits, this.#rate.perSecond * AHEAD_S);
  }
}

function mean(values: readonly number[]): number {
  return Math.max(1, values.reduce((sum, value) => sum + value, 0) / values.length);
}

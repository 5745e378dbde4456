import type { LossRecord } from '../engine/work.js';

/** Lanes that may have gone because of what is tried again, in the present session; by what it is. */
export class Losses {
  readonly #records = new Map<string, LossRecord>();

  set(what: string, losses: LossRecord): void {
    if (losses.lanes > 0) this.#records.set(what, losses);
  }

  /** @returns undefined for what is tried for the first time */
  take(what: string): LossRecord | undefined {
    const losses = this.#records.get(what);
    this.#records.delete(what);
    return losses;
  }
}

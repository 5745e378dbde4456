/** How many lanes may have gone because of what is tried again, in the present session; by what it is. */
export class Losses {
  readonly #counts = new Map<string, number>();

  set(what: string, count: number): void {
    if (count > 0) this.#counts.set(what, count);
  }

  /** @returns 0 for what is tried for the first time */
  take(what: string): number {
    const count = this.#counts.get(what) ?? 0;
    this.#counts.delete(what);
    return count;
  }
}

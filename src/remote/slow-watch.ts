/** A worker in the eyes of a {@link SlowWatch}. */
export interface WatchedWorker {
  readonly id: string;
  readonly lanes: number;
  /** It has something to do. */
  readonly busy: boolean;
}

/** Over how long workers are compared. */
export const WATCH_MS = 60_000;
/** One that does so many times less a thread than the others is slow. */
const FACTOR = 4;

/** Finds workers that are much slower than the others. */
export class SlowWatch {
  readonly #units = new Map<string, number>();
  readonly #told = new Set<string>();
  /** Who had something to do when the present stretch began. */
  #busyBefore = new Set<string>();

  /** A worker has done something. @param units how much, in units of about one small file */
  did(id: string, units: number): void {
    this.#units.set(id, (this.#units.get(id) ?? 0) + units);
  }

  /** Whether a worker was found to be slow. */
  isSlow(id: string): boolean {
    return this.#told.has(id);
  }

  /**
   * Ends a stretch of {@link WATCH_MS}.
   *
   * @returns those that were busy all the time and did much less than the others did; each is told once
   */
  look(workers: readonly WatchedWorker[]): readonly string[] {
    const rates = workers
      .filter(({ id, busy }) => busy && this.#busyBefore.has(id))
      .map(({ id, lanes }) => ({ id, rate: (this.#units.get(id) ?? 0) / lanes }));
    this.#busyBefore = new Set(workers.filter(({ busy }) => busy).map(({ id }) => id));
    this.#units.clear();
    const slow = rates.filter(({ id, rate }) => {
      const others = rates.filter((other) => other.id !== id).map((other) => other.rate);
      return others.length > 0 && rate * FACTOR < median(others) && !this.#told.has(id);
    });
    for (const { id } of slow) this.#told.add(id);
    return slow.map(({ id }) => id);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

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

interface Rate {
  readonly id: string;
  /** Units that each of its lanes has done. */
  readonly rate: number;
}

/** Finds workers that are much slower than the others. */
export class SlowWatch {
  readonly #units = new Map<string, number>();
  readonly #slow = new Set<string>();
  /** Who was told of, and is not again. */
  readonly #told = new Set<string>();
  /** Who had something to do when the present stretch began. */
  #busyBefore = new Set<string>();

  /** A worker has done something. @param units how much, in units of about one small file */
  did(id: string, units: number): void {
    this.#units.set(id, (this.#units.get(id) ?? 0) + units);
  }

  /** Whether a worker was slow in the latest stretch in which it could be compared. */
  isSlow(id: string): boolean {
    return this.#slow.has(id);
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
    if (rates.length > 1) for (const each of rates) this.#judge(each, rates);
    const fresh = [...this.#slow].filter((id) => !this.#told.has(id));
    for (const id of fresh) this.#told.add(id);
    return fresh;
  }

  /** One that had nothing to do meanwhile stays what it was. */
  #judge({ id, rate }: Rate, rates: readonly Rate[]): void {
    const others = rates.filter((other) => other.id !== id).map((other) => other.rate);
    if (rate * FACTOR < median(others)) this.#slow.add(id);
    else this.#slow.delete(id);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

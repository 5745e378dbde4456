/** Something of the source that is under way. */
export interface UnderWay {
  readonly directory: Uint8Array;
  readonly name: Uint8Array;
  readonly sinceMs: number;
}

/**
 * A turn at the source. Who has one waits for nothing but calls of the source: who has to wait for memory, descriptors,
 * the service or a pause gives it up meanwhile. So turns always come free, and what is told to be under way is.
 */
export interface SourceTurn {
  /** Gives the turn up for a while. */
  pause(): void;
  /** Waits for a turn again; not once it has ended. */
  resume(): Promise<void>;
  /**
   * Gives the turn up for good; a second call does nothing.
   *
   * @param calls that were made, one after another: what they took counts, if it was one turn
   */
  end(calls?: number): void;
}

/** How many have a turn at the source of a lane at once, in the order in which they asked. */
export class SourceTurns {
  /** Turns at once. */
  limit: number;
  readonly #now: () => number;
  readonly #underWay = new Set<UnderWay>();
  readonly #waiting: (() => void)[] = [];
  #isStopped = false;

  constructor(limit: number, now: () => number) {
    this.limit = limit;
    this.#now = now;
  }

  /** Turns that are taken. */
  get count(): number {
    return this.#underWay.size;
  }

  /** What has its turn for longest. */
  get oldest(): UnderWay | undefined {
    const [oldest] = this.#underWay;
    return oldest;
  }

  /**
   * Waits for a turn.
   *
   * @param took told, at its end, what a turn that was one took, and of how many calls
   */
  async take(directory: Uint8Array, name: Uint8Array, took: (ms: number, calls: number) => void): Promise<SourceTurn> {
    let taken: UnderWay | undefined = await this.#take(directory, name);
    const { sinceMs } = taken;
    let isOne = true;
    let isEnded = false;
    const giveUp = () => {
      const given = taken;
      taken = undefined;
      if (given) this.#giveUp(given);
    };
    return {
      pause() {
        isOne = false;
        giveUp();
      },
      resume: async () => {
        if (!taken && !isEnded) taken = await this.#take(directory, name);
      },
      end: (calls) => {
        if (isEnded) return;
        isEnded = true;
        if (isOne && calls !== undefined) took(this.#now() - sinceMs, calls);
        giveUp();
      },
    };
  }

  /** Nobody waits any more for others to end. */
  stop(): void {
    this.#isStopped = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #take(directory: Uint8Array, name: Uint8Array): Promise<UnderWay> {
    while (this.#underWay.size >= this.limit && !this.#isStopped)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const taken: UnderWay = { directory, name, sinceMs: this.#now() };
    this.#underWay.add(taken);
    return taken;
  }

  #giveUp(taken: UnderWay): void {
    this.#underWay.delete(taken);
    for (let room = this.limit - this.#underWay.size; room > 0; room--) this.#waiting.shift()?.();
  }
}

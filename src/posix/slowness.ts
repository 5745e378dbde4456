/*
 * A file system is slow when the quickest of some calls took so long, and quick again when the quickest of more of them,
 * which the way through the pool makes take longer, took less than that. The quickest tells: a processor that is busy
 * makes most of them late, and not all.
 */
const SLOW_MS = 0.4;
const LOOKED_AT = 3;
const QUICK_MS = 0.2;
const LOOKED_AT_LATER = 64;

/** What the latest calls of a file system tell that is slow, or was. */
export interface SlownessFound {
  /** What the quickest of the calls took. */
  readonly callMs: number;
  /**
   * Says, in a sentence, which way is gone from now on; undefined when that is the way it was.
   *
   * @param what is called
   * @param inFlight how many calls are made at once when it is slow
   */
  changeText(what: string, inFlight: number): string | undefined;
}

/**
 * Whether a file system is slow, so that calls are better made in threads of Node's pool, many in flight, than at once,
 * which costs least: found from how long those take for which a server has to be asked.
 */
export class Slowness {
  #isSlow: boolean;
  readonly #isForGood: boolean;
  #looked = 0;
  #quickestMs = Number.POSITIVE_INFINITY;
  #quickestCallMs = Number.POSITIVE_INFINITY;

  /** @param isForGood whether it is slow whatever calls take, when it is so from the start */
  constructor(isSlow: boolean, isForGood: boolean) {
    this.#isSlow = isSlow;
    this.#isForGood = isSlow && isForGood;
  }

  get isSlow(): boolean {
    return this.#isSlow;
  }

  /**
   * Takes how long something took.
   *
   * @param calls of how many calls it consists, one after another
   * @returns what has been found; undefined when nothing follows from it
   */
  took(ms: number, calls: number): SlownessFound | undefined {
    const was = this.#isSlow;
    if (ms < this.#quickestMs) this.#quickestMs = ms;
    if (ms / calls < this.#quickestCallMs) this.#quickestCallMs = ms / calls;
    if (++this.#looked < (was ? LOOKED_AT_LATER : LOOKED_AT)) return undefined;
    const [quickestMs, callMs] = [this.#quickestMs, this.#quickestCallMs];
    this.#looked = 0;
    this.#quickestMs = Number.POSITIVE_INFINITY;
    this.#quickestCallMs = Number.POSITIVE_INFINITY;
    const isSlow = this.#isForGood || quickestMs > (was ? QUICK_MS : SLOW_MS);
    this.#isSlow = isSlow;
    if (!was && !isSlow) return undefined;
    return {
      callMs,
      changeText(what, inFlight) {
        if (was === isSlow) return undefined;
        const took = `The quickest of the latest calls of the ${what} took ${quickestMs.toFixed(2)} ms`;
        return isSlow ? `${took}: up to ${inFlight} are in flight.` : `${took}: one is made at a time.`;
      },
    };
  }
}

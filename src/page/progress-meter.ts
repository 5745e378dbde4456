/** How fast the work goes, and when it will be done. */
export interface ProgressRates {
  readonly entriesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Undefined while it would be a guess. */
  readonly secondsLeft: number | undefined;
}

/** Where some work stands at a moment. */
export interface ProgressSample {
  /** On any clock that only goes forward. */
  readonly ms: number;
  readonly done: number;
  readonly total?: number;
  readonly bytes?: number;
  readonly bytesTotal?: number;
  /** Milliseconds that something takes when all of it is done; default: nothing. */
  readonly listingMs?: number;
  /** Nothing can be done: the time that goes by says nothing of the speed. */
  readonly waiting?: boolean;
}

/** The rates that are shown are means over about this time. */
const SHOWN_MS = 15_000;
/** The end is foretold from about so much of the past: at least this, and the later half of a long run. */
const FORETOLD_MS = 60_000;
/** Before this much has been seen an estimate would be a guess. */
const FORETELL_AFTER_MS = 10_000;
/** Bytes in this unit weigh about as much as entries, so that numbers of both are of one size. */
const UNIT_BYTES = 65536;
/** How much the two are held to weigh the same while the past does not tell them apart. */
const PRIOR = 1e-5;

/**
 * Measures how fast entries and bytes go, and foretells the end.
 *
 * What limits is learnt: the time for an entry and the time for a byte are those that explain the past best. Where
 * requests limit, a byte costs next to nothing; where the line does, an entry. So the estimate holds when small files
 * are followed by large ones.
 */
export class ProgressMeter {
  #last: ProgressSample | undefined;
  #seenMs = 0;
  readonly #shown = new Decayed();
  readonly #past = new Decayed();

  take(sample: ProgressSample): ProgressRates {
    const last = this.#last;
    this.#last = sample;
    if (last && !sample.waiting && !last.waiting && sample.ms > last.ms) {
      const ms = sample.ms - last.ms;
      // What was taken off, to be done anew, makes nobody faster.
      const entries = Math.max(0, sample.done - last.done);
      const units = Math.max(0, (sample.bytes ?? 0) - (last.bytes ?? 0)) / UNIT_BYTES;
      // What comes before the first of them, such as the wait for what a kill cut off, says nothing of how long one takes.
      if (this.#past.ms > 0 || entries + units > 0) {
        this.#seenMs += ms;
        this.#shown.add(ms, entries, units, SHOWN_MS);
        this.#past.add(ms, entries, units, Math.max(FORETOLD_MS, this.#seenMs / 2));
      }
    }
    const { ms, entries, units } = this.#shown;
    return {
      entriesPerSecond: ms > 0 ? (1000 * entries) / ms : 0,
      bytesPerSecond: ms > 0 ? (1000 * units * UNIT_BYTES) / ms : 0,
      secondsLeft: sample.waiting ? undefined : this.#secondsLeft(sample),
    };
  }

  #secondsLeft({ done, total, bytes = 0, bytesTotal = bytes, listingMs = 0 }: ProgressSample): number | undefined {
    if (total === undefined || this.#seenMs < FORETELL_AFTER_MS) return undefined;
    // What comes after the last entry, such as a listing, is of another kind.
    if (done >= total && bytes >= bytesTotal) return undefined;
    const costs = this.#past.costs();
    if (!costs) return undefined;
    const ms =
      costs.entryMs * Math.max(0, total - done) + costs.unitMs * (Math.max(0, bytesTotal - bytes) / UNIT_BYTES);
    return (ms + listingMs) / 1000;
  }
}

/** Sums over the past, of which older parts count less and less. */
class Decayed {
  ms = 0;
  entries = 0;
  units = 0;
  #entriesEntries = 0;
  #entriesUnits = 0;
  #unitsUnits = 0;
  #msEntries = 0;
  #msUnits = 0;

  /** @param overMs after which a part counts for a third */
  add(ms: number, entries: number, units: number, overMs: number): void {
    const keep = Math.exp(-ms / overMs);
    this.ms = this.ms * keep + ms;
    this.entries = this.entries * keep + entries;
    this.units = this.units * keep + units;
    this.#entriesEntries = this.#entriesEntries * keep + entries * entries;
    this.#entriesUnits = this.#entriesUnits * keep + entries * units;
    this.#unitsUnits = this.#unitsUnits * keep + units * units;
    this.#msEntries = this.#msEntries * keep + ms * entries;
    this.#msUnits = this.#msUnits * keep + ms * units;
  }

  /**
   * Milliseconds for an entry and for a unit of bytes: least squares, neither below 0, such that both together explain
   * all of the time. Undefined when nothing was done.
   */
  costs(): { readonly entryMs: number; readonly unitMs: number } | undefined {
    const work = this.entries + this.units;
    if (work <= 0) return undefined;
    const mean = this.ms / work;
    const ridge = (PRIOR * (this.#entriesEntries + this.#unitsUnits)) / 2;
    const [a, b, c] = [this.#entriesEntries + ridge, this.#entriesUnits, this.#unitsUnits + ridge];
    const [p, q] = [this.#msEntries + ridge * mean, this.#msUnits + ridge * mean];
    const determinant = a * c - b * b;
    let entryMs = (p * c - q * b) / determinant;
    let unitMs = (a * q - b * p) / determinant;
    if (entryMs < 0) [entryMs, unitMs] = [0, q / c];
    else if (unitMs < 0) [entryMs, unitMs] = [p / a, 0];
    const explained = entryMs * this.entries + unitMs * this.units;
    if (!(explained > 0)) return { entryMs: mean, unitMs: mean };
    const scale = this.ms / explained;
    return { entryMs: entryMs * scale, unitMs: unitMs * scale };
  }
}

import type { ParsedName } from '../format/names.js';
import { compareRecords, RECORD_WORDS, writeRecord } from './blob-record.js';

/** Records of a piece; pieces are added, so that nothing is copied when the table grows. */
const PIECE_RECORDS = 1024;
const DIGIT_BITS = 16;
const DIGITS = 1 << DIGIT_BITS;
/** Up to so many records are sorted by comparisons: going over the digits costs more. */
const FEW_RECORDS = 8192;

/** Records of blobs in memory, as they come. */
export class RecordTable {
  readonly #pieces: Uint32Array[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(key: ParsedName, sizeBytes: number): void {
    const index = this.#count++;
    if (this.pieceOf(index) === undefined) this.#pieces.push(new Uint32Array(PIECE_RECORDS * RECORD_WORDS));
    writeRecord(this.pieceOf(index), this.placeOf(index), key, sizeBytes);
  }

  /** Forgets all records; their room is used again. */
  clear(): void {
    this.#count = 0;
  }

  /** Forgets all records, and gives their room back. */
  release(): void {
    this.#count = 0;
    this.#pieces.length = 0;
  }

  /** The words that record `index` lies in, at {@link placeOf}. */
  pieceOf(index: number): Uint32Array {
    return this.#pieces[Math.floor(index / PIECE_RECORDS)];
  }

  placeOf(index: number): number {
    return (index % PIECE_RECORDS) * RECORD_WORDS;
  }

  compare(first: number, second: number): number {
    return compareRecords(this.pieceOf(first), this.placeOf(first), this.pieceOf(second), this.placeOf(second));
  }

  /** Indexes of all records, in the order of {@link compareRecords}. */
  sorted(): Uint32Array {
    if (this.#count <= FEW_RECORDS) return indexes(this.#count).sort((a, b) => this.compare(a, b));
    const order = this.#byFirstWords();
    const same = (a: number, b: number) =>
      this.pieceOf(a)[this.placeOf(a)] === this.pieceOf(b)[this.placeOf(b)] &&
      this.pieceOf(a)[this.placeOf(a) + 1] === this.pieceOf(b)[this.placeOf(b) + 1];
    for (let begin = 0; begin < order.length; ) {
      let end = begin + 1;
      while (end < order.length && same(order[begin], order[end])) end++;
      if (end - begin > 1) order.subarray(begin, end).sort((a, b) => this.compare(a, b));
      begin = end;
    }
    return order;
  }

  /**
   * Sorted by the first two words: digit by digit, the lowest first, which takes a fraction of the time of comparisons.
   */
  #byFirstWords(): Uint32Array {
    let order: Uint32Array = indexes(this.#count);
    let next: Uint32Array = new Uint32Array(this.#count);
    const keys = new Uint32Array(this.#count);
    const begins = new Uint32Array(DIGITS);
    for (const word of [1, 0]) {
      for (let index = 0; index < this.#count; index++) keys[index] = this.pieceOf(index)[this.placeOf(index) + word];
      for (const shift of [0, DIGIT_BITS]) {
        begins.fill(0);
        for (let index = 0; index < this.#count; index++) begins[(keys[index] >>> shift) & (DIGITS - 1)]++;
        let sum = 0;
        for (let digit = 0; digit < DIGITS; digit++) {
          const count = begins[digit];
          begins[digit] = sum;
          sum += count;
        }
        for (let at = 0; at < order.length; at++) {
          const index = order[at];
          next[begins[(keys[index] >>> shift) & (DIGITS - 1)]++] = index;
        }
        [order, next] = [next, order];
      }
    }
    return order;
  }
}

function indexes(count: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  return order;
}

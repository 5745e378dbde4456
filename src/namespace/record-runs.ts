import { TemporaryFile } from '../spill/temporary-file.js';
import { compareIds, compareRecords, RECORD_BYTES, RECORD_WORDS } from './blob-record.js';
import { type RecordFile, RecordFileWriter } from './record-file.js';
import type { RecordTable } from './record-table.js';

/** Records that are written, or read of one run, at once. */
const BLOCK_RECORDS = 1365;

/** A part of the records, sorted, in the file of the runs. */
interface Run {
  /** In records from the beginning of the file. */
  readonly begin: number;
  readonly end: number;
}

/** Records in sorted runs, in a temporary file, until all of them have come. To be closed. */
export class RecordRuns {
  readonly #file = new TemporaryFile();
  readonly #runs: Run[] = [];
  #end = 0;

  /** Writes all records of a table, sorted, as a further run. @throws ClfsError `temporary` */
  add(table: RecordTable): void {
    const order = table.sorted();
    const block = new Uint32Array(BLOCK_RECORDS * RECORD_WORDS);
    for (let at = 0; at < order.length; at += BLOCK_RECORDS) {
      const part = order.subarray(at, at + BLOCK_RECORDS);
      for (const [place, index] of part.entries()) {
        const from = table.placeOf(index);
        block.set(table.pieceOf(index).subarray(from, from + RECORD_WORDS), place * RECORD_WORDS);
      }
      this.#file.write(new Uint8Array(block.buffer, 0, part.length * RECORD_BYTES), (this.#end + at) * RECORD_BYTES);
    }
    this.#runs.push({ begin: this.#end, end: this.#end + order.length });
    this.#end += order.length;
  }

  /**
   * Merges all runs into two files: the records that count, one an id, and those that another version of their id
   * supersedes.
   *
   * @param onRecord called now and then; what it returns is waited for
   * @throws ClfsError `temporary`; what `onRecord` throws
   */
  async merge(
    onRecord: () => Promise<void> | undefined,
  ): Promise<{ readonly counting: RecordFile; readonly superseded: RecordFile }> {
    const counting = new RecordFileWriter();
    const superseded = new RecordFileWriter();
    try {
      const heap = new CursorHeap(
        this.#runs.filter(({ begin, end }) => begin < end).map((run) => new RunCursor(this.#file, run)),
      );
      const last = new Uint32Array(RECORD_WORDS);
      let merged = 0;
      for (let top = heap.top; top; top = heap.top) {
        if (merged % BLOCK_RECORDS === 0) await onRecord();
        const isOlder = merged > 0 && compareIds(last, 0, top.words, top.place) === 0;
        (isOlder ? superseded : counting).add(top.words, top.place);
        for (let i = 0; i < RECORD_WORDS; i++) last[i] = top.words[top.place + i];
        heap.advance();
        merged++;
      }
      return { counting: counting.finish(), superseded: superseded.finish() };
    } catch (error) {
      counting.close();
      superseded.close();
      throw error;
    }
  }

  close(): void {
    this.#file.close();
  }
}

/** Goes over a run, a block at a time. */
class RunCursor {
  readonly words: Uint32Array;
  /** Where the record that it stands at begins. */
  place = 0;
  readonly #file: TemporaryFile;
  readonly #end: number;
  #next: number;
  #blockEnd = 0;

  constructor(file: TemporaryFile, { begin, end }: Run) {
    this.#file = file;
    this.#next = begin;
    this.#end = end;
    this.words = new Uint32Array(Math.min(BLOCK_RECORDS, end - begin) * RECORD_WORDS);
    this.#fill();
  }

  /** @returns false at the end of the run */
  advance(): boolean {
    this.place += RECORD_WORDS;
    return this.place < this.#blockEnd || this.#fill();
  }

  #fill(): boolean {
    const count = Math.min(BLOCK_RECORDS, this.#end - this.#next);
    if (count === 0) return false;
    this.#file.read(new Uint8Array(this.words.buffer, 0, count * RECORD_BYTES), this.#next * RECORD_BYTES);
    this.#next += count;
    this.place = 0;
    this.#blockEnd = count * RECORD_WORDS;
    return true;
  }
}

/** Cursors, of which the one whose record comes first is on top. */
class CursorHeap {
  readonly #cursors: RunCursor[];

  constructor(cursors: RunCursor[]) {
    this.#cursors = cursors;
    for (let at = (cursors.length >>> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  get top(): RunCursor | undefined {
    return this.#cursors[0];
  }

  /** Takes the record on top away. */
  advance(): void {
    if (!this.#cursors[0].advance()) {
      const last = this.#cursors.pop() as RunCursor;
      if (this.#cursors.length === 0) return;
      this.#cursors[0] = last;
    }
    this.#sink(0);
  }

  #sink(from: number): void {
    const cursors = this.#cursors;
    const before = (a: RunCursor, b: RunCursor) => compareRecords(a.words, a.place, b.words, b.place) < 0;
    for (let at = from; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < cursors.length && before(cursors[child], cursors[least])) least = child;
      if (least === at) return;
      [cursors[at], cursors[least]] = [cursors[least], cursors[at]];
      at = least;
    }
  }
}

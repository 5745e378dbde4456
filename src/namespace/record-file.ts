import { SharedTemporaryFile, TemporaryFile } from '../spill/temporary-file.js';
import { compareIds, ID_WORDS, RECORD_WORDS, readRecord } from './blob-record.js';
import type { ObjectBlob } from './object-blob.js';
import type { SharedRecords, SortedRecords } from './sorted-records.js';

/** A page is read at once; records do not cross its end. */
const PAGE_BYTES = 8192;
const PAGE_WORDS = PAGE_BYTES / 4;
const PAGE_RECORDS = Math.floor(PAGE_WORDS / RECORD_WORDS);
/** Pages that are kept: a walk comes back to those of the directory that it is in. */
const KEPT_PAGES = 1024;
/** The same for each of several threads, which are in a few directories at a time. */
const KEPT_PAGES_A_THREAD = 256;
const WRITTEN_PAGES = 64;

/** Writes a file of sorted records. */
export class RecordFileWriter {
  readonly #file = new TemporaryFile();
  readonly #buffer = new Uint32Array(WRITTEN_PAGES * PAGE_WORDS);
  #firsts: Uint32Array = new Uint32Array(1024 * ID_WORDS);
  #count = 0;
  #written = 0;

  /** @throws ClfsError `temporary` */
  add(words: Uint32Array, at: number): void {
    const page = Math.floor(this.#count / PAGE_RECORDS);
    const place = this.#count % PAGE_RECORDS;
    if (place === 0) {
      if (page - this.#written === WRITTEN_PAGES) this.#write(page);
      if (this.#firsts.length < (page + 1) * ID_WORDS) this.#firsts = grown(this.#firsts);
      copyWords(words, at, this.#firsts, page * ID_WORDS, ID_WORDS);
    }
    copyWords(words, at, this.#buffer, (page - this.#written) * PAGE_WORDS + place * RECORD_WORDS, RECORD_WORDS);
    this.#count++;
  }

  finish(): RecordFile {
    const pages = Math.ceil(this.#count / PAGE_RECORDS);
    this.#write(pages);
    const firsts = new Uint32Array(new SharedArrayBuffer(4 * pages * ID_WORDS));
    firsts.set(this.#firsts.subarray(0, pages * ID_WORDS));
    const shared = { descriptor: this.#file.descriptor, firsts: firsts.buffer, count: this.#count };
    return new RecordFile(this.#file, shared, KEPT_PAGES);
  }

  close(): void {
    this.#file.close();
  }

  #write(pages: number): void {
    const bytes = new Uint8Array(this.#buffer.buffer, 0, (pages - this.#written) * PAGE_BYTES);
    this.#file.write(bytes, this.#written * PAGE_BYTES);
    this.#written = pages;
  }
}

/** Reads in one thread the records that another one has open. */
export function openSharedRecords(shared: SharedRecords): SortedRecords {
  return new RecordFile(new SharedTemporaryFile(shared.descriptor), shared, KEPT_PAGES_A_THREAD);
}

/** Sorted records in a temporary file: an id is found by one page, and by its first id that page is known. */
export class RecordFile implements SortedRecords {
  readonly count: number;
  readonly shared: SharedRecords;
  readonly #file: SharedTemporaryFile | TemporaryFile;
  /** Ids of the first records of all pages. */
  readonly #firsts: Uint32Array;
  readonly #pages: Uint32Array;
  /** Which page each place holds; -1 for none. */
  readonly #held: Int32Array;

  constructor(file: SharedTemporaryFile | TemporaryFile, shared: SharedRecords, keptPages: number) {
    this.#file = file;
    this.shared = shared;
    this.count = shared.count;
    const firsts = new Uint32Array(shared.firsts);
    this.#firsts = firsts;
    const kept = Math.max(1, Math.min(keptPages, firsts.length / ID_WORDS));
    this.#pages = new Uint32Array(kept * PAGE_WORDS);
    this.#held = new Int32Array(kept).fill(-1);
  }

  rankOf(id: Uint32Array): number {
    const page = this.#pageOf(id);
    if (page < 0) return -1;
    const begin = this.#load(page);
    let low = 0;
    let high = Math.min(PAGE_RECORDS, this.count - page * PAGE_RECORDS) - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const difference = compareIds(this.#pages, begin + middle * RECORD_WORDS, id, 0);
      if (difference === 0) return page * PAGE_RECORDS + middle;
      if (difference < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  blobAt(rank: number): ObjectBlob {
    const begin = this.#load(Math.floor(rank / PAGE_RECORDS));
    return readRecord(this.#pages, begin + (rank % PAGE_RECORDS) * RECORD_WORDS);
  }

  close(): void {
    this.#file.close();
  }

  /** The page that an id would be in; -1 when it comes before the first. */
  #pageOf(id: Uint32Array): number {
    let low = 0;
    let high = this.#firsts.length / ID_WORDS - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (compareIds(this.#firsts, middle * ID_WORDS, id, 0) <= 0) low = middle + 1;
      else high = middle - 1;
    }
    return high;
  }

  /** @returns where the page begins among those that are kept */
  #load(page: number): number {
    const place = page % this.#held.length;
    const begin = place * PAGE_WORDS;
    if (this.#held[place] !== page) {
      this.#held[place] = -1;
      this.#file.read(new Uint8Array(this.#pages.buffer, 4 * begin, PAGE_BYTES), page * PAGE_BYTES);
      this.#held[place] = page;
    }
    return begin;
  }
}

function copyWords(source: Uint32Array, from: number, target: Uint32Array, to: number, count: number): void {
  for (let i = 0; i < count; i++) target[to + i] = source[from + i];
}

function grown(words: Uint32Array): Uint32Array {
  const larger = new Uint32Array(2 * words.length);
  larger.set(words);
  return larger;
}

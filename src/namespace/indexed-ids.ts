import type { ByteSet } from '../spill/spilled-set.js';
import { ID_WORDS, writeId } from './blob-record.js';
import type { ObjectBlob } from './object-blob.js';
import type { SortedRecords } from './sorted-records.js';

/** Blobs of a page. */
const PAGE_BLOBS = 1000;
/** After so many blobs a page ends, whatever is in it: whoever waits for a timer or a signal gets a turn. */
const PASSED_OVER = 1_000_000;

/** A set of ids of an index. */
export interface IndexedIds extends ByteSet {
  /** The blobs of the index whose ids are not in the set when it is their turn, in pages. */
  rest(): AsyncIterable<readonly ObjectBlob[]>;
}

/** One bit for each id of an index. */
export class IdBits implements IndexedIds {
  readonly #records: SortedRecords;
  readonly #bits: Uint8Array;

  constructor(records: SortedRecords) {
    this.#records = records;
    this.#bits = new Uint8Array(Math.ceil(records.count / 8));
  }

  add(id: Uint8Array): boolean {
    const rank = rankOf(this.#records, id);
    if (rank < 0) throw new Error('The id is not in the index.');
    const isNew = !this.#has(rank);
    this.#bits[rank >>> 3] |= 1 << (rank & 7);
    return isNew;
  }

  has(id: Uint8Array): boolean {
    return this.#has(rankOf(this.#records, id));
  }

  delete(id: Uint8Array): boolean {
    const rank = rankOf(this.#records, id);
    if (!this.#has(rank)) return false;
    this.#bits[rank >>> 3] &= ~(1 << (rank & 7));
    return true;
  }

  rest(): AsyncIterable<readonly ObjectBlob[]> {
    return pagesOf(this.#records, (rank) => !this.#has(rank));
  }

  close(): void {}

  #has(rank: number): boolean {
    return rank >= 0 && (this.#bits[rank >>> 3] & (1 << (rank & 7))) !== 0;
  }
}

/** Place of an id; -1 when there is none. */
export function rankOf(records: SortedRecords, id: Uint8Array): number {
  return writeId(wanted, 0, id) ? records.rankOf(wanted) : -1;
}

/** Blobs in pages, those whose places are wanted. */
export async function* pagesOf(
  records: SortedRecords,
  isWanted: (rank: number) => boolean = () => true,
): AsyncGenerator<readonly ObjectBlob[]> {
  let page: ObjectBlob[] = [];
  for (let rank = 0; rank < records.count; rank++) {
    if (isWanted(rank)) page.push(records.blobAt(rank));
    if (page.length === PAGE_BLOBS || rank % PASSED_OVER === PASSED_OVER - 1) {
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

const wanted = new Uint32Array(ID_WORDS);

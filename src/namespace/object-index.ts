import type { BlobInfo, Container } from '../container/container.js';
import { decodeObjectName } from '../format/names.js';
import { SpilledList } from '../spill/spilled-list.js';
import { IdBits, type IndexedIds, pagesOf, rankOf } from './indexed-ids.js';
import { splitTable } from './memory-records.js';
import type { ObjectBlob } from './object-blob.js';
import type { ObjectFinder } from './object-finder.js';
import { Pace } from './pace.js';
import { RecordRuns } from './record-runs.js';
import { RecordTable } from './record-table.js';
import type { SharedRecords, SortedRecords } from './sorted-records.js';

/** Objects that an index holds in memory, at 52 bytes each; the records of a container with more go to disk. */
const MEMORY_OBJECTS = 1_000_000;

/**
 * A whole container's listing, in bounded memory. To be closed.
 *
 * Every call may throw ClfsError `temporary`: the directory for temporary files is full, or fails.
 * `test/support/index-contract.ts` is the contract that every implementation passes.
 */
export interface ObjectIndex extends ObjectFinder {
  /** Blobs that count, one an id. */
  readonly count: number;
  readonly supersededCount: number;
  readonly otherCount: number;
  /** By which other threads find the blobs that count, as long as the index is open; undefined when they are in memory. */
  readonly shared: SharedRecords | undefined;
  /** The blobs that count, in pages: those of one directory's entries mostly side by side. */
  all(): AsyncIterable<readonly ObjectBlob[]>;
  /** Blobs that another version of their id supersedes. */
  superseded(): AsyncIterable<readonly ObjectBlob[]>;
  /** Blobs whose names are not those of objects. */
  others(): Iterable<BlobInfo>;
  /** An empty set for ids that are in the index: a bit for each. */
  idSet(): IndexedIds;
  close(): void;
}

/** How a listing is gone over. */
export interface IndexOptions {
  /** Told how many blobs have been listed. */
  readonly onPage?: (blobs: number) => void;
  readonly pace?: Pace;
  /** Objects from which on the index is on disk. */
  readonly memoryObjects?: number;
}

/**
 * Lists a container once and finds everything in that listing. @throws ClfsError `temporary`; whatever the container
 * throws
 */
export async function indexContainer(container: Container, options: IndexOptions = {}): Promise<ObjectIndex> {
  const { onPage, pace = new Pace(), memoryObjects = MEMORY_OBJECTS } = options;
  const table = new RecordTable();
  const others = new SpilledList();
  let runs: RecordRuns | undefined;
  let blobs = 0;
  try {
    for await (const page of container.list('')) {
      await pace.pause();
      for (const { name, sizeBytes } of page) {
        const key = decodeObjectName(name);
        if (!key) {
          others.push(encodeOther(name, sizeBytes));
          continue;
        }
        if (table.count === memoryObjects) {
          runs ??= new RecordRuns();
          runs.add(table);
          table.clear();
        }
        table.add(key, sizeBytes);
      }
      blobs += page.length;
      onPage?.(blobs);
    }
    if (!runs) {
      const { counting, superseded } = splitTable(table);
      return new ListedIndex(counting, superseded, others);
    }
    runs.add(table);
    table.release();
    const { counting, superseded } = await runs.merge(() => pace.pause());
    return new ListedIndex(counting, superseded, others);
  } catch (error) {
    others.close();
    throw error;
  } finally {
    runs?.close();
  }
}

class ListedIndex implements ObjectIndex {
  readonly #counting: SortedRecords;
  readonly #superseded: SortedRecords;
  readonly #others: SpilledList;

  constructor(counting: SortedRecords, superseded: SortedRecords, others: SpilledList) {
    this.#counting = counting;
    this.#superseded = superseded;
    this.#others = others;
  }

  get count(): number {
    return this.#counting.count;
  }

  get shared(): SharedRecords | undefined {
    return this.#counting.shared;
  }

  get supersededCount(): number {
    return this.#superseded.count;
  }

  get otherCount(): number {
    return this.#others.length;
  }

  async find(id: Uint8Array): Promise<ObjectBlob | undefined> {
    const rank = rankOf(this.#counting, id);
    return rank < 0 ? undefined : this.#counting.blobAt(rank);
  }

  idSet(): IndexedIds {
    return new IdBits(this.#counting);
  }

  all(): AsyncIterable<readonly ObjectBlob[]> {
    return pagesOf(this.#counting);
  }

  superseded(): AsyncIterable<readonly ObjectBlob[]> {
    return pagesOf(this.#superseded);
  }

  *others(): Generator<BlobInfo> {
    for (const bytes of this.#others) yield decodeOther(bytes);
  }

  close(): void {
    this.#counting.close();
    this.#superseded.close();
    this.#others.close();
  }
}

const SIZE_BYTES = 8;

function encodeOther(name: string, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(SIZE_BYTES + Buffer.byteLength(name));
  bytes.writeDoubleLE(sizeBytes);
  bytes.write(name, SIZE_BYTES);
  return bytes;
}

function decodeOther(bytes: Uint8Array): BlobInfo {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { name: buffer.toString('utf8', SIZE_BYTES), sizeBytes: buffer.readDoubleLE() };
}

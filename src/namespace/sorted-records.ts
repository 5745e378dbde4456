import type { ObjectBlob } from './object-blob.js';

/** What other threads need to read records as long as they are open; plain data. */
export interface SharedRecords {
  /** Of the file that they are in. */
  readonly descriptor: number;
  /** Ids of the first records of all pages of the file. */
  readonly firsts: SharedArrayBuffer;
  readonly count: number;
}

/** Records of blobs, sorted by id, one an id or several. To be closed. */
export interface SortedRecords {
  readonly count: number;
  /** undefined for records in memory. */
  readonly shared: SharedRecords | undefined;
  /**
   * Place of an id among all: 0 … count-1; -1 when there is none.
   *
   * @param id the first words of a record
   */
  rankOf(id: Uint32Array): number;
  /** The blob at a place. @throws ClfsError `temporary` */
  blobAt(rank: number): ObjectBlob;
  close(): void;
}

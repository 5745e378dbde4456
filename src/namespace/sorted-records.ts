import type { ObjectBlob } from './object-blob.js';

/** Records of blobs, sorted by id, one an id or several. To be closed. */
export interface SortedRecords {
  readonly count: number;
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

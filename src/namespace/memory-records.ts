import { compareIds, readRecord } from './blob-record.js';
import type { ObjectBlob } from './object-blob.js';
import type { RecordTable } from './record-table.js';
import type { SortedRecords } from './sorted-records.js';

/** Records in memory. */
export class MemoryRecords implements SortedRecords {
  readonly shared = undefined;
  readonly #table: RecordTable;
  readonly #order: Uint32Array;

  /** @param order of the table's records, those that belong here */
  constructor(table: RecordTable, order: Uint32Array) {
    this.#table = table;
    this.#order = order;
  }

  get count(): number {
    return this.#order.length;
  }

  rankOf(id: Uint32Array): number {
    let low = 0;
    let high = this.#order.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const index = this.#order[middle];
      const difference = compareIds(this.#table.pieceOf(index), this.#table.placeOf(index), id, 0);
      if (difference === 0) return middle;
      if (difference < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  blobAt(rank: number): ObjectBlob {
    const index = this.#order[rank];
    return readRecord(this.#table.pieceOf(index), this.#table.placeOf(index));
  }

  close(): void {}
}

/**
 * Takes the records of a table apart: those that count, one an id, and those that another version of their id
 * supersedes.
 */
export function splitTable(table: RecordTable): {
  readonly counting: MemoryRecords;
  readonly superseded: MemoryRecords;
} {
  const order = table.sorted();
  const superseded: number[] = [];
  let counting = 0;
  for (let at = 0; at < order.length; at++) {
    const index = order[at];
    const last = counting > 0 ? order[counting - 1] : undefined;
    if (
      last !== undefined &&
      compareIds(table.pieceOf(last), table.placeOf(last), table.pieceOf(index), table.placeOf(index)) === 0
    )
      superseded.push(index);
    else order[counting++] = index;
  }
  return {
    counting: new MemoryRecords(table, order.subarray(0, counting)),
    superseded: new MemoryRecords(table, Uint32Array.from(superseded)),
  };
}

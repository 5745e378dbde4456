import type { MessagePort } from 'node:worker_threads';
import { encodeObjectNameHashed, encodeObjectNameV1 } from '../format/names.js';
import { SpilledSet } from '../spill/spilled-set.js';
import { createAskedFinder } from './asked-finder.js';
import { rankOf } from './indexed-ids.js';
import type { ObjectBlob } from './object-blob.js';
import type { ObjectFinder } from './object-finder.js';
import type { ObjectIndex } from './object-index.js';
import { openSharedRecords } from './record-file.js';
import type { SharedRecords } from './sorted-records.js';

/*
 * A listing that threads share. Up to so many objects as an index has in memory: a table of records of one size, and slots by a hash of the id that say which
 * record to look at.
 *
 * A record: 24 bytes id (zeros behind a shorter one), u8 length of the id, u8 type, u8 version of the name, u8 0, 8
 * bytes hash of the owner, f64 version, f64 stored bytes.
 */
const ID_BYTES = 24;
const LENGTH_AT = 24;
const TYPE_AT = 25;
const NAME_VERSION_AT = 26;
const OWNER_AT = 28;
const VERSION_AT = 36;
const SIZE_AT = 44;
const RECORD_BYTES = 52;
/** Slots for each record: so many that a look mostly ends at the first one. */
const SLOTS_A_RECORD = 2;

/** Objects that any thread can find; plain data. */
export type SharedObjects = SharedTable | { readonly kind: 'file'; readonly records: SharedRecords };

/** Objects that another machine finds, which is asked by a port. */
export interface AskedObjects {
  readonly kind: 'asked';
  readonly port: MessagePort;
}

interface SharedTable {
  readonly kind: 'table';
  readonly records: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
}

/**
 * Makes the blobs that count, one an id, such that all threads find them.
 *
 * Those of an index on disk are found there, as long as it is open; those of one in memory are copied, at 60 bytes each.
 *
 * @param onPage called with all of them, page by page
 */
export async function shareObjects(
  index: Pick<ObjectIndex, 'all' | 'count' | 'shared'>,
  onPage: (blobs: readonly ObjectBlob[]) => Promise<void> | void = () => undefined,
): Promise<SharedObjects> {
  if (index.shared) {
    for await (const page of index.all()) await onPage(page);
    return { kind: 'file', records: index.shared };
  }
  const table = new TableWriter(index.count);
  for await (const page of index.all()) {
    await onPage(page);
    for (const blob of page) table.add(blob);
  }
  return table.shared;
}

class TableWriter {
  readonly shared: SharedTable;
  readonly #count: number;
  readonly #records: Buffer;
  readonly #slots: Uint32Array;
  #next = 0;

  constructor(count: number) {
    this.#count = count;
    const records = new SharedArrayBuffer(Math.max(1, count) * RECORD_BYTES);
    const slots = new SharedArrayBuffer(4 * Math.max(1, count * SLOTS_A_RECORD));
    this.shared = { kind: 'table', records, slots };
    this.#records = Buffer.from(records);
    this.#slots = new Uint32Array(slots);
  }

  add({ key, sizeBytes }: ObjectBlob): void {
    if (this.#next === this.#count) throw new Error(`There are more than ${this.#count} objects.`);
    const records = this.#records;
    const slots = this.#slots;
    const at = this.#next++ * RECORD_BYTES;
    records.set(key.id, at);
    records[at + LENGTH_AT] = key.id.length;
    records[at + TYPE_AT] = key.type;
    records[at + NAME_VERSION_AT] = key.nameVersion;
    if (key.nameVersion === 2) records.write(key.ownerHash, at + OWNER_AT, 'hex');
    records.writeDoubleLE(key.version, at + VERSION_AT);
    records.writeDoubleLE(sizeBytes, at + SIZE_AT);
    let slot = hashOf(key.id) % slots.length;
    while (slots[slot] !== 0) slot = (slot + 1) % slots.length;
    slots[slot] = this.#next;
  }
}

/** Finds objects in what {@link shareObjects} made, in whatever thread; or where they are. */
export function openSharedObjects(objects: SharedObjects | AskedObjects): ObjectFinder {
  if (objects.kind === 'asked') return createAskedFinder(objects.port);
  const find = objects.kind === 'file' ? finderInFile(objects.records) : finderInTable(objects);
  return { find: async (id) => find(id), idSet: () => new SpilledSet() };
}

function finderInFile(shared: SharedRecords): (id: Uint8Array) => ObjectBlob | undefined {
  const records = openSharedRecords(shared);
  return (id) => {
    const rank = rankOf(records, id);
    return rank < 0 ? undefined : records.blobAt(rank);
  };
}

function finderInTable({
  records: memory,
  slots: slotMemory,
}: SharedTable): (id: Uint8Array) => ObjectBlob | undefined {
  const records = Buffer.from(memory);
  const slots = new Uint32Array(slotMemory);
  return (id) => {
    if (id.length > ID_BYTES) return undefined;
    for (let slot = hashOf(id) % slots.length; slots[slot] !== 0; slot = (slot + 1) % slots.length) {
      const at = (slots[slot] - 1) * RECORD_BYTES;
      if (records[at + LENGTH_AT] === id.length && records.compare(id, 0, id.length, at, at + id.length) === 0)
        return blobAt(records, at);
    }
    return undefined;
  };
}

function blobAt(records: Buffer, at: number): ObjectBlob {
  const id = Buffer.from(records.subarray(at, at + records[at + LENGTH_AT]));
  const type = records[at + TYPE_AT];
  const version = records.readDoubleLE(at + VERSION_AT);
  const sizeBytes = records.readDoubleLE(at + SIZE_AT);
  if (records[at + NAME_VERSION_AT] === 1)
    return {
      name: encodeObjectNameV1(id, version),
      sizeBytes,
      key: { nameVersion: 1, id, type, ownerHash: '', version },
    };
  const ownerHash = records.toString('hex', at + OWNER_AT, at + OWNER_AT + 8).toUpperCase();
  return {
    name: encodeObjectNameHashed(id, type, ownerHash, version),
    sizeBytes,
    key: { nameVersion: 2, id, type, ownerHash, version },
  };
}

/** FNV-1a over all bytes: ids differ in few of them. */
function hashOf(id: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of id) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

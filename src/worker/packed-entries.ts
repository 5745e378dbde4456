import type { EntryType } from '../format/ids.js';
import { LONGEST_NAME_BYTES } from '../format/limits.js';

/** Entries that go to a lane, and are marked in the state, together. */
export const CHUNK_ENTRIES = 256;

/** Entries of one directory, not themselves directories, packed: per entry u8 type, u8 name length, name. */
export type PackedEntries = Buffer;

/** Collects entries until they are taken. */
export class EntryPacker {
  #parts: Buffer[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param name 1 … 255 bytes */
  add(type: EntryType, name: Uint8Array): void {
    if (name.length < 1 || name.length > LONGEST_NAME_BYTES) throw new RangeError(`A name has ${name.length} bytes.`);
    const part = Buffer.allocUnsafe(2 + name.length);
    part[0] = type;
    part[1] = name.length;
    part.set(name, 2);
    this.#parts.push(part);
    this.#count++;
  }

  /** The packed entries so far; begins anew. */
  take(): { readonly count: number; readonly entries: PackedEntries } {
    const taken = { count: this.#count, entries: Buffer.concat(this.#parts) };
    this.#parts = [];
    this.#count = 0;
    return taken;
  }
}

/** One entry of a {@link PackedEntries}; its place is its sequence number less the first one's. */
export interface PackedEntry {
  readonly index: number;
  readonly type: EntryType;
  readonly name: Buffer;
}

/** The entries in order; the names are views. */
export function* unpackEntries(packed: Uint8Array): Generator<PackedEntry> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  let index = 0;
  for (let at = 0; at < bytes.length; index++) {
    const end = at + 2 + bytes[at + 1];
    yield { index, type: bytes[at] as EntryType, name: bytes.subarray(at + 2, end) };
    at = end;
  }
}

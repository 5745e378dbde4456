/** Entries that go to a lane, and are marked in the state, together. */
export const CHUNK_ENTRIES = 256;

/** One entry of a chunk; its place is its number. */
export interface ExportEntry {
  readonly index: number;
  readonly name: Buffer;
  readonly handle: Buffer;
}

/** Collects entries of one directory, packed: per entry u8 name length, u8 handle length, name, handle. */
export class EntryPacker {
  #parts: Buffer[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param name at most 255 bytes @param handle 16 or 24 bytes */
  add(name: Uint8Array, handle: Uint8Array): void {
    const part = Buffer.allocUnsafe(2 + name.length + handle.length);
    part[0] = name.length;
    part[1] = handle.length;
    part.set(name, 2);
    part.set(handle, 2 + name.length);
    this.#parts.push(part);
    this.#count++;
  }

  /** The packed entries so far; begins anew. */
  take(): { readonly count: number; readonly entries: Buffer } {
    const taken = { count: this.#count, entries: Buffer.concat(this.#parts) };
    this.#parts = [];
    this.#count = 0;
    return taken;
  }
}

/** The entries in order; names and handles are views. */
export function* unpackEntries(packed: Uint8Array): Generator<ExportEntry> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  let index = 0;
  for (let at = 0; at < bytes.length; index++) {
    const nameEnd = at + 2 + bytes[at];
    const end = nameEnd + bytes[at + 1];
    yield { index, name: bytes.subarray(at + 2, nameEnd), handle: bytes.subarray(nameEnd, end) };
    at = end;
  }
}

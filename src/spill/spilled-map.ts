import { type Pair, TemporaryTable } from './temporary-table.js';

/** Bytes that a map or a set holds in memory before the rest goes to disk. */
const MEMORY_BYTES = 16 * 1048576;
/** What an entry takes in memory beside its bytes, about. */
const ENTRY_BYTES = 120;

/**
 * A map from bytes to bytes that holds a bounded number of them in memory, and the others in a temporary file.
 *
 * To be closed. Every call may throw ClfsError `temporary`, when the disk for temporary files is full or fails.
 */
export class SpilledMap {
  readonly #memoryBytes: number;
  /** What was written last: all, as long as there is no table. Keys are bytes as Latin-1. */
  readonly #recent = new Map<string, Uint8Array>();
  #recentBytes = 0;
  #table: TemporaryTable | undefined;
  #size = 0;

  /** @param memoryBytes bytes in memory from which on the rest goes to disk */
  constructor(memoryBytes: number = MEMORY_BYTES) {
    this.#memoryBytes = memoryBytes;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether some of it has gone to disk. */
  get isSpilled(): boolean {
    return this.#table !== undefined;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#recent.get(textOf(key)) ?? this.#table?.get(key);
  }

  has(key: Uint8Array): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Uint8Array, value: Uint8Array): void {
    if (!this.has(key)) this.#size++;
    const text = textOf(key);
    const before = this.#recent.get(text);
    this.#recentBytes += value.length - (before ? before.length : -key.length - ENTRY_BYTES);
    this.#recent.set(text, value);
    if (this.#recentBytes > this.#memoryBytes) this.#spill();
  }

  /** @returns whether it was there */
  delete(key: Uint8Array): boolean {
    const text = textOf(key);
    const recent = this.#recent.get(text);
    if (recent) {
      this.#recent.delete(text);
      this.#recentBytes -= recent.length + key.length + ENTRY_BYTES;
    }
    const spilled = this.#table?.delete(key) === true;
    const wasThere = recent !== undefined || spilled;
    if (wasThere) this.#size--;
    return wasThere;
  }

  /** All of it, by the bytes of the keys; not to be changed in the meantime. */
  *entries(): Generator<Pair> {
    if (this.#table) {
      this.#spill();
      yield* this.#table.pairs();
      return;
    }
    for (const text of [...this.#recent.keys()].sort())
      yield [Buffer.from(text, 'latin1'), this.#recent.get(text) as Uint8Array];
  }

  close(): void {
    this.#recent.clear();
    this.#table?.close();
    this.#table = undefined;
  }

  /** In the order of the keys: the table is sorted. */
  #spill(): void {
    this.#table ??= new TemporaryTable();
    for (const text of [...this.#recent.keys()].sort())
      this.#table.put(Buffer.from(text, 'latin1'), this.#recent.get(text) as Uint8Array);
    this.#recent.clear();
    this.#recentBytes = 0;
  }
}

/** One character a byte: a key for maps. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

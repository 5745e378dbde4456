import { SpilledMap } from '../spill/spilled-map.js';
import { type Pair, TemporaryTable } from '../spill/temporary-table.js';
import { freeName } from './marked-names.js';

/** How an entry came into the tree. */
export const Origin = {
  /** A directory of the container lists it. */
  listed: 0,
  /** By what its inode says of itself. */
  recorded: 1,
} as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

/** An entry of a directory of the tree. */
export interface TreeEntry {
  readonly name: Buffer;
  readonly id: Buffer;
  readonly origin: Origin;
}

/**
 * Names of a tree that is put together, in a temporary table: by directory, and by name in each; and where each
 * directory is, which is in the tree once. To be closed.
 *
 * Every call may throw ClfsError `temporary`.
 */
export class SalvageTree {
  readonly #entries = new TemporaryTable();
  /** Keys of the entries that lead to directories, by their ids. */
  readonly #places = new SpilledMap();

  get(directory: Uint8Array, name: Uint8Array): TreeEntry | undefined {
    const key = keyOf(directory, name);
    const value = this.#entries.get(key);
    return value && entryOf([key, value]);
  }

  /** Puts an entry in, in place of one of the same name. */
  set(directory: Uint8Array, name: Uint8Array, id: Uint8Array, origin: Origin): void {
    this.#entries.put(keyOf(directory, name), Buffer.concat([Buffer.from([origin]), id]));
  }

  /** Puts a directory in that is not in the tree, or takes it to another place. */
  place(directory: Uint8Array, name: Uint8Array, id: Uint8Array, origin: Origin): void {
    this.remove(id);
    this.set(directory, name, id, origin);
    this.#places.set(id, keyOf(directory, name));
  }

  /** Takes a directory out of the tree. */
  remove(id: Uint8Array): void {
    const before = this.#places.get(id);
    if (!before) return;
    this.#entries.delete(before);
    this.#places.delete(id);
  }

  isPlaced(id: Uint8Array): boolean {
    return this.#places.has(id);
  }

  /** Directory that another one is in. */
  parentOf(id: Uint8Array): Uint8Array | undefined {
    const place = this.#places.get(id);
    return place?.subarray(1, 1 + place[0]);
  }

  /** Ids of the directories that are in the tree. */
  *directories(): Generator<Uint8Array> {
    for (const [id] of this.#places.entries()) yield id;
  }

  /** A name of an inode that is free in a directory; see `freeName`. */
  freeName(directory: Uint8Array, name: Uint8Array, id: Uint8Array, mark = ''): Buffer {
    return freeName(name, mark, id, (candidate) => this.get(directory, candidate) !== undefined);
  }

  /** Entries of a directory by their names, in pages; nothing is to be added in the meantime. */
  *entries(directory: Uint8Array): Generator<readonly TreeEntry[]> {
    const prefix = keyOf(directory, new Uint8Array(0));
    for (const page of this.#entries.between(prefix, behind(prefix))) yield page.map(entryOf);
  }

  close(): void {
    this.#entries.close();
    this.#places.close();
  }
}

/** The length of the id comes first: so no key of one directory begins with that of another. */
function keyOf(directory: Uint8Array, name: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([directory.length]), directory, name]);
}

function entryOf([key, value]: Pair): TreeEntry {
  const name = Buffer.from(key.subarray(1 + key[0]));
  return {
    name,
    id: Buffer.from(value.subarray(1)),
    origin: value[0] === Origin.listed ? Origin.listed : Origin.recorded,
  };
}

/** The first key behind all that begin with a prefix. */
function behind(prefix: Buffer): Buffer {
  const bytes = Buffer.from(prefix);
  let at = bytes.length - 1;
  while (bytes[at] === 0xff) bytes[at--] = 0;
  bytes[at]++;
  return bytes;
}

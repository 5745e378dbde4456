import type { Database } from '../sqlite/database.js';

const SLASH = Buffer.from('/');
/** Directories whose paths are remembered: neighbours in a list are often in the same one. */
const MOST_REMEMBERED = 1024;

/**
 * Paths below the root of entries, by their directories, in the database of a load or of an export: their tables of
 * directories have the same columns for this.
 */
export class EntryPaths {
  readonly #parentOf: ReturnType<Database['prepare']>;
  readonly #remembered = new Map<number, Buffer | undefined>();

  constructor(db: Database) {
    this.#parentOf = db.prepare('SELECT parent, name FROM directory WHERE id = ?');
  }

  /** The root itself is in no directory. */
  entry(directory: number, name: Uint8Array): Buffer {
    if (directory === 0) return Buffer.alloc(0);
    const parent = this.directory(directory) ?? Buffer.alloc(0);
    return parent.length === 0 ? Buffer.from(name) : Buffer.concat([parent, SLASH, name]);
  }

  /** @returns undefined when it is not recorded any more */
  directory(id: number): Buffer | undefined {
    if (this.#remembered.has(id)) return this.#remembered.get(id);
    const path = this.#find(id);
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(id, path);
    return path;
  }

  #find(directory: number): Buffer | undefined {
    const names: Uint8Array[] = [];
    for (let id = directory; ; ) {
      const row = this.#parentOf.get(id) as { parent: number; name: Uint8Array } | undefined;
      if (!row) return undefined;
      if (row.parent === 0) break;
      names.unshift(SLASH, row.name);
      id = row.parent;
    }
    return Buffer.concat(names.slice(1));
  }
}

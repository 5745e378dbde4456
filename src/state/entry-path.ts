import type { Database } from '../sqlite/database.js';

/**
 * Path below the root of an entry, by its directory, in the database of a load or of an export: their tables of
 * directories have the same columns for this. The root itself is in no directory.
 */
export function entryPathIn(db: Database, directory: number, name: Uint8Array): Buffer {
  if (directory === 0) return Buffer.alloc(0);
  const parent = directoryPathIn(db, directory) ?? Buffer.alloc(0);
  return parent.length === 0 ? Buffer.from(name) : Buffer.concat([parent, SLASH, name]);
}

/** Path below the root of a directory; undefined when it is not recorded any more. */
export function directoryPathIn(db: Database, directory: number): Buffer | undefined {
  const statement = db.prepare('SELECT parent, name FROM directory WHERE id = ?');
  const names: Uint8Array[] = [];
  for (let id = directory; ; ) {
    const row = statement.get(id) as { parent: number; name: Uint8Array } | undefined;
    if (!row) return undefined;
    if (row.parent === 0) break;
    names.unshift(SLASH, row.name);
    id = row.parent;
  }
  return Buffer.concat(names.slice(1));
}

const SLASH = Buffer.from('/');

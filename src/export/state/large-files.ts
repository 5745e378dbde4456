import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import type { BlockRange } from '../block-ranges.js';

/** A file that is written in parts, into a temporary name. */
export interface LargeRecord {
  readonly id: number;
  /** The group of which it is the content; undefined for a file with one name. */
  readonly group: number | undefined;
  readonly directory: number;
  readonly name: Uint8Array;
  readonly handle: Uint8Array;
  readonly sizeBytes: number;
  /** Block 0 included. */
  readonly blocks: number;
  /** Inode number of the temporary file; undefined when there is none that counts. */
  readonly inode: bigint | undefined;
  /** Blocks that are in it, in ranges that do not touch. */
  readonly done: readonly BlockRange[];
}

interface Row {
  id: number;
  link_group: number | null;
  directory: number;
  name: Uint8Array;
  handle: Uint8Array;
  size: number;
  blocks: number;
  inode: string | null;
  done: string;
}

/** The large files of an export; gone when they are written, or have failed. */
export class LargeFiles {
  readonly #insert: Statement;
  readonly #get: Statement;
  readonly #list: Statement;
  readonly #begun: Statement;
  readonly #done: Statement;
  readonly #reset: Statement;
  readonly #delete: Statement;
  readonly #openBytes: Statement;

  constructor(db: Database) {
    this.#insert = new Statement(
      db,
      `INSERT INTO large (link_group, directory, name, handle, size, blocks, done) VALUES (?, ?, ?, ?, ?, ?, '[]')`,
    );
    this.#get = new Statement(db, 'SELECT * FROM large WHERE id = ?');
    this.#list = new Statement(db, 'SELECT * FROM large WHERE id > ? ORDER BY id LIMIT ?');
    this.#begun = new Statement(db, 'UPDATE large SET inode = ?, done = ? WHERE id = ?');
    this.#reset = new Statement(db, `UPDATE large SET inode = NULL, done = '[]' WHERE id = ?`);
    this.#done = new Statement(db, 'UPDATE large SET done = ? WHERE id = ?');
    this.#delete = new Statement(db, 'DELETE FROM large WHERE id = ?');
    this.#openBytes = new Statement(db, 'SELECT coalesce(sum(size), 0) AS n FROM large');
  }

  add(file: Pick<LargeRecord, 'group' | 'directory' | 'name' | 'handle' | 'sizeBytes' | 'blocks'>): void {
    this.#insert.run(file.group ?? null, file.directory, file.name, file.handle, file.sizeBytes, file.blocks);
  }

  get(id: number): LargeRecord {
    const row = this.#get.get<Row>(id);
    if (!row) throw new Error(`The state has no large file ${id}.`);
    return decode(row);
  }

  /** By ascending id. */
  list(afterId: number, limit: number): readonly LargeRecord[] {
    return this.#list.all<Row>(afterId, limit).map(decode);
  }

  /** Its temporary file is there, with these blocks in it. */
  setBegun(id: number, inode: bigint, done: readonly BlockRange[]): void {
    this.#begun.run(String(inode), JSON.stringify(done), id);
  }

  setDone(id: number, done: readonly BlockRange[]): void {
    this.#done.run(JSON.stringify(done), id);
  }

  /** Nothing of it counts any more. */
  reset(id: number): void {
    this.#reset.run(id);
  }

  delete(id: number): void {
    this.#delete.run(id);
  }

  /** Bytes of all of them. */
  bytes(): number {
    return this.#openBytes.get<{ n: number }>()?.n ?? 0;
  }
}

function decode(row: Row): LargeRecord {
  const { id, directory, name, handle, size, blocks, inode, done } = row;
  return {
    id,
    group: row.link_group ?? undefined,
    directory,
    name,
    handle,
    sizeBytes: size,
    blocks,
    inode: inode === null ? undefined : BigInt(inode),
    done: JSON.parse(done) as BlockRange[],
  };
}

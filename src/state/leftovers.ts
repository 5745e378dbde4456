import type { Database } from './database.js';
import { Statement } from './database.js';

/** Blobs to be removed before the job commits: one name, or the segments and indirect blocks of an inode's generation. */
export type Leftover =
  | { readonly name: string; readonly owner?: undefined }
  | { readonly owner: Uint8Array; readonly sequence: number; readonly generation: number; readonly blocks: number; readonly name?: undefined };

interface Row {
  id: number;
  name: string | null;
  owner: Uint8Array | null;
  sequence: number | null;
  generation: number | null;
  blocks: number | null;
}

/** The left-over blobs of a job. */
export class Leftovers {
  readonly #insert: Statement;
  readonly #list: Statement;
  readonly #delete: Statement;

  constructor(db: Database) {
    this.#insert = new Statement(db, 'INSERT INTO leftover (name, owner, sequence, generation, blocks) VALUES (?, ?, ?, ?, ?)');
    this.#list = new Statement(db, 'SELECT * FROM leftover ORDER BY id LIMIT ?');
    this.#delete = new Statement(db, 'DELETE FROM leftover WHERE id <= ?');
  }

  add(leftover: Leftover): void {
    if (leftover.name !== undefined) this.#insert.run(leftover.name, null, null, null, null);
    else this.#insert.run(null, leftover.owner, leftover.sequence, leftover.generation, leftover.blocks);
  }

  /** The oldest, with the id to give to {@link dropUpTo} when they are gone. */
  list(limit: number): readonly { readonly id: number; readonly leftover: Leftover }[] {
    return this.#list.all<Row>(limit).map((row) => ({
      id: row.id,
      leftover:
        row.name !== null
          ? { name: row.name }
          : { owner: row.owner ?? new Uint8Array(0), sequence: row.sequence ?? 0, generation: row.generation ?? 0, blocks: row.blocks ?? 0 },
    }));
  }

  dropUpTo(id: number): void {
    this.#delete.run(id);
  }
}

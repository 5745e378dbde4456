import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import { WorkStatus } from './schema.js';

/** The directories in which tries that were given up may have left temporary files. */
export class Leftovers {
  readonly #add: Statement;
  readonly #addClaimed: Statement;
  readonly #list: Statement;
  readonly #delete: Statement;

  constructor(db: Database) {
    this.#add = new Statement(db, 'INSERT OR IGNORE INTO leftover (directory) VALUES (?)');
    this.#addClaimed = new Statement(
      db,
      `INSERT OR IGNORE INTO leftover (directory) SELECT directory FROM chunk WHERE status = ${WorkStatus.running}`,
    );
    this.#list = new Statement(db, 'SELECT directory FROM leftover ORDER BY directory LIMIT ?');
    this.#delete = new Statement(db, 'DELETE FROM leftover WHERE directory = ?');
  }

  /** Something in a directory was given up. */
  add(directory: number): void {
    this.#add.run(directory);
  }

  /** Everything that is claimed was given up. */
  addClaimed(): void {
    this.#addClaimed.run();
  }

  list(limit: number): readonly number[] {
    return this.#list.all<{ directory: number }>(limit).map(({ directory }) => directory);
  }

  /** Nothing is left in a directory. */
  delete(directory: number): void {
    this.#delete.run(directory);
  }
}

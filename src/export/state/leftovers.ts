import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import { DirectoryStatus, ROOT_DIRECTORY, WorkStatus } from './schema.js';

/** The directories in which tries that were given up may have left temporary files. */
export class Leftovers {
  readonly #add: Statement;
  readonly #addClaimed: Statement;
  readonly #addOpen: Statement;
  readonly #next: Statement;
  readonly #delete: Statement;

  constructor(db: Database) {
    this.#add = new Statement(db, 'INSERT OR IGNORE INTO leftover (directory) VALUES (?)');
    this.#addClaimed = new Statement(
      db,
      `INSERT OR IGNORE INTO leftover (directory) SELECT directory FROM chunk WHERE status = ${WorkStatus.running}
        UNION SELECT id FROM directory WHERE status = ${DirectoryStatus.listing}`,
    );
    this.#addOpen = new Statement(
      db,
      `INSERT OR IGNORE INTO leftover (directory) SELECT directory FROM chunk UNION SELECT directory FROM large
        UNION SELECT directory FROM link UNION SELECT ${ROOT_DIRECTORY}`,
    );
    this.#next = new Statement(db, 'SELECT directory FROM leftover WHERE directory > ? ORDER BY directory LIMIT 1');
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

  /** Everything that has not come to its end was given up. */
  addOpen(): void {
    this.#addOpen.run();
  }

  /** The next one by number; undefined when there is none. */
  next(after: number): number | undefined {
    return this.#next.get<{ directory: number }>(after)?.directory;
  }

  /** Nothing is left in a directory. */
  delete(directory: number): void {
    this.#delete.run(directory);
  }
}

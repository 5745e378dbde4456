import { type Database, openDatabase, Statement, type Value } from '../sqlite/database.js';
import { temporaryError, withTemporaryPath } from './temporary-file.js';

/** Pages that SQLite keeps in memory, in KiB. */
const CACHE_KIB = 16_384;
const ROWS_A_PAGE = 500;

/** A row: two strings of bytes. */
export type Pair = readonly [key: Uint8Array, value: Uint8Array];

/** A sorted table of bytes in a temporary database. @throws ClfsError `temporary` from every call */
export class TemporaryTable {
  readonly #database: Database;
  readonly #get: Statement;
  readonly #put: Statement;
  readonly #add: Statement;
  readonly #delete: Statement;
  readonly #after: Statement;
  readonly #between: Statement;

  constructor() {
    this.#database = withTemporaryPath((path) => {
      const database = openDatabase(path);
      // Nobody else reads it, and nobody reads it after a crash: no sync, what fits stays in the cache, and as all of
      // it is one transaction the journal, of pages that were there before, stays empty.
      database.exec(
        `PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;
         PRAGMA cache_size=-${CACHE_KIB}; BEGIN; CREATE TABLE pair (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`,
      );
      return database;
    });
    this.#get = new Statement(this.#database, 'SELECT value FROM pair WHERE key = ?');
    this.#put = new Statement(
      this.#database,
      'INSERT INTO pair VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    );
    this.#add = new Statement(this.#database, 'INSERT INTO pair VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#delete = new Statement(this.#database, 'DELETE FROM pair WHERE key = ?');
    this.#after = new Statement(
      this.#database,
      `SELECT key, value FROM pair WHERE key > ? ORDER BY key LIMIT ${ROWS_A_PAGE}`,
    );
    this.#between = new Statement(
      this.#database,
      `SELECT key, value FROM pair WHERE key > ? AND key < ? ORDER BY key LIMIT ${ROWS_A_PAGE}`,
    );
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#use(() => this.#get.get<{ value: Uint8Array }>(key)?.value);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#use(() => this.#put.run(key, value));
  }

  /** Puts a row where its key has none. @returns whether it had none */
  add(key: Uint8Array, value: Uint8Array): boolean {
    return this.#use(() => this.#add.run(key, value)) > 0;
  }

  /** @returns whether it was there */
  delete(key: Uint8Array): boolean {
    return this.#use(() => this.#delete.run(key)) > 0;
  }

  /** All rows, by the bytes of their keys. */
  *pairs(): Generator<Pair> {
    // No key is less than the empty one, which comes first.
    const empty = this.get(EMPTY);
    if (empty) yield [EMPTY, empty];
    for (let after: Value = EMPTY; ; ) {
      const rows = this.#use(() => this.#after.all<{ key: Uint8Array; value: Uint8Array }>(after));
      for (const { key, value } of rows) yield [key, value];
      if (rows.length < ROWS_A_PAGE) return;
      after = rows[rows.length - 1].key;
    }
  }

  /** The rows whose keys are between two, in pages; both are left out. */
  *between(after: Uint8Array, before: Uint8Array): Generator<readonly Pair[]> {
    for (let from = after; ; ) {
      const rows = this.#use(() => this.#between.all<{ key: Uint8Array; value: Uint8Array }>(from, before));
      if (rows.length > 0) yield rows.map(({ key, value }) => [key, value] as const);
      if (rows.length < ROWS_A_PAGE) return;
      from = rows[rows.length - 1].key;
    }
  }

  /** Gives the room on disk back at once; the descriptor goes when the statements are collected. */
  close(): void {
    this.#use(() => this.#database.exec('ROLLBACK'));
    this.#database.close();
  }

  #use<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw temporaryError('use', error);
    }
  }
}

const EMPTY = new Uint8Array(0);

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

type Sqlite = typeof import('@photostructure/sqlite');

/** An open database. */
export type Database = InstanceType<Sqlite['DatabaseSync']>;

/** A value that SQLite binds or returns here. */
export type Value = string | number | null | Uint8Array;
/** A row as an object. */
export type Row = Record<string, Value>;

const require = createRequire(import.meta.url);

/** How long who reads waits for who writes: a commit is short. */
const READ_WAIT_MS = 5000;
/**
 * How long who writes waits for who reads. Where there is no write-ahead log a look holds up a commit, and one that is
 * slow, or was suspended, must not make it fail.
 */
const WRITE_WAIT_MS = 600_000;

/**
 * Opens a database file with the SQLite that Node has built in (from 24 on), or the bundled one. @throws whatever
 * SQLite throws
 */
export function openDatabase(path: string, readOnly = false): Database {
  const { DatabaseSync } = sqlite();
  return new DatabaseSync(path, { readOnly, timeout: readOnly ? READ_WAIT_MS : WRITE_WAIT_MS });
}

/**
 * Opens a database file whose writer died in the middle of a transaction, and undoes that: whoever opens it next would.
 *
 * @throws whatever SQLite throws, also where the file may not be written to
 */
export function openUndone(path: string): Database {
  const { DatabaseSync } = sqlite();
  const url = pathToFileURL(path);
  url.search = '?mode=rw';
  const db = new DatabaseSync(url, { timeout: READ_WAIT_MS });
  try {
    db.exec('BEGIN IMMEDIATE; ROLLBACK');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Opens a database file that nobody writes to while it is open, to read it: no file is left beside it.
 *
 * @throws whatever SQLite throws
 */
export function openUnchanging(path: string): Database {
  const { DatabaseSync } = sqlite();
  const url = pathToFileURL(path);
  url.search = '?immutable=1';
  return new DatabaseSync(url, { readOnly: true });
}

function sqlite(): Sqlite {
  // Node 22 has it too, and warns at every start that it is experimental.
  if (Number(process.versions.node.split('.')[0]) >= 24) return require('node:sqlite') as Sqlite;
  return require('@photostructure/sqlite') as Sqlite;
}

/** A statement that is prepared when it is used first, with the few calls that are used. */
export class Statement {
  readonly #database: Database;
  readonly #sql: string;
  #prepared: InstanceType<Sqlite['StatementSync']> | undefined;

  constructor(database: Database, sql: string) {
    this.#database = database;
    this.#sql = sql;
  }

  get #statement(): InstanceType<Sqlite['StatementSync']> {
    this.#prepared ??= this.#database.prepare(this.#sql);
    return this.#prepared;
  }

  /** @returns rows changed */
  run(...values: Value[]): number {
    return Number(this.#statement.run(...values).changes);
  }

  /** @returns id of the row inserted */
  insert(...values: Value[]): number {
    return Number(this.#statement.run(...values).lastInsertRowid);
  }

  get<T = Row>(...values: Value[]): T | undefined {
    return this.#statement.get(...values) as T | undefined;
  }

  all<T = Row>(...values: Value[]): T[] {
    return this.#statement.all(...values) as T[];
  }
}

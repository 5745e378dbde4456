import { ClfsError } from '../error.js';
import type { Database } from '../sqlite/database.js';
import { holdsExport } from './application.js';

/** Hooks for tests: called around every commit. */
export interface CommitHooks {
  before?(): void;
  after?(): void;
  /** The time, in milliseconds since 1970. */
  now?(): number;
}

/** Bytes of a page of a new database. With a journal each page that is changed takes four calls of a file system that is slow. */
const PAGE_BYTES = { WAL: 4096, DELETE: 16_384 };

/** Sets a job's database up: a commit is durable when it returns. */
export function configure(db: Database, journal: 'WAL' | 'DELETE'): void {
  db.exec(
    `PRAGMA page_size = ${PAGE_BYTES[journal]}; PRAGMA journal_mode = ${journal}; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 16777216;`,
  );
}

/** What a transaction consists of. */
interface Transaction<T> {
  change(): T;
  /** Called once the change is durable. */
  committed?(): void;
  /** Puts back what is kept in memory: the change is undone. */
  undo(): void;
}

/** Runs a change as one transaction, durable when this returns; whatever throws undoes all of it. */
export function inTransaction<T>(db: Database, hooks: CommitHooks, { change, committed, undo }: Transaction<T>): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = change();
    hooks.before?.();
    db.exec('COMMIT');
    committed?.();
    hooks.after?.();
    return result;
  } catch (error) {
    undo();
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** What a database of a job is to be. */
interface ExpectedDatabase {
  readonly kind: 'load' | 'export';
  /** Version of the tables; an older one is fine. */
  readonly version: number;
  /** What to do with one that is damaged: a whole sentence. */
  readonly wayOut: string;
  /** Whether a process works on the job, which has checked all of it: a look goes over none of that again. */
  readonly running: boolean;
}

/** @throws ClfsError `state` when the database is missing, damaged, too new, or that of a job of the other kind */
export function checkDatabase(
  db: Database,
  path: string,
  { kind, version: newest, wayOut, running }: ExpectedDatabase,
): void {
  const where = JSON.stringify(path);
  let version: number;
  let damage: string;
  try {
    version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
    damage = running ? 'ok' : (db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }).quick_check;
  } catch (cause) {
    throw new ClfsError('state', `Cannot use the job state ${where}: it is not a database, or is damaged. ${wayOut}`, {
      cause,
    });
  }
  if (version === 0)
    throw new ClfsError('state', `The job state ${where} holds no job. Start one without --new-session=false.`);
  const held = holdsExport(db) ? 'export' : 'load';
  if (held !== kind)
    throw new ClfsError(
      'state',
      held === 'export'
        ? `The job state ${where} is that of an export, not of a load. Go on with it by "clfsload resume", or name another --state-path.`
        : `The job state ${where} is that of a load, not of an export. Go on with it by "clfsload resume", or name another --state-path.`,
    );
  if (version > newest)
    throw new ClfsError(
      'state',
      `The job state ${where} is of version ${version}; this program uses version ${newest}. Go on with the version of clfsload that began it.`,
    );
  if (damage !== 'ok') throw new ClfsError('state', `The job state ${where} is damaged: ${damage}. ${wayOut}`);
}

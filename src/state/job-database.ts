import { ClfsError } from '../error.js';
import { type Database, Statement } from '../sqlite/database.js';
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

/**
 * How a commit is made durable. A journal commits by its removal, which a power cut undoes where the directory is not
 * synced too: EXTRA does that.
 */
const SYNCHRONOUS = { WAL: 'FULL', DELETE: 'EXTRA' };

/** Sets a job's database up: a commit is durable when it returns. */
export function configure(db: Database, journal: 'WAL' | 'DELETE'): void {
  db.exec(
    `PRAGMA page_size = ${PAGE_BYTES[journal]}; PRAGMA journal_mode = ${journal}; PRAGMA synchronous = ${SYNCHRONOUS[journal]}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 16777216;`,
  );
}

/** What a transaction consists of. */
interface Transaction<T> {
  change(): T;
  /** Called once the change is durable. */
  committed?(): void;
  /**
   * Puts back what is kept beside the database: the change is undone. Not called where it was never made, since somebody
   * else goes on with the job.
   */
  undo(): void;
}

/**
 * Who alone writes to a job's database, and sees to it that this is so: the lock of the state directory can be lost with
 * nobody being told, when a machine is suspended or cut off from the server of its file system. Each transaction leaves
 * the row of the job as no other one does; when the next one finds it otherwise, somebody else goes on with the job.
 */
export class SoleWriter {
  readonly #db: Database;
  readonly #hooks: CommitHooks;
  readonly #row: Statement;
  /** The row of the job as this writer knows it. */
  #known: JobRow;

  /** To be made before anything of the database is taken into memory. */
  constructor(db: Database, hooks: CommitHooks) {
    this.#db = db;
    this.#hooks = hooks;
    // Each transaction writes the time. Who goes on with a job counts a session in its record.
    this.#row = new Statement(db, 'SELECT alive_ms AS aliveMs, record FROM job');
    this.#known = this.#look();
  }

  /**
   * Runs a change as one transaction, durable when this returns; whatever throws undoes all of it.
   *
   * @throws ClfsError `state-busy` when somebody else has written to the database: nothing is changed, then and later
   */
  transact<T>({ change, committed, undo }: Transaction<T>): T {
    this.#db.exec('BEGIN IMMEDIATE');
    let isMine = false;
    try {
      this.requireMine();
      isMine = true;
      const result = change();
      const row = this.#look();
      this.#hooks.before?.();
      this.#db.exec('COMMIT');
      this.#known = row;
      committed?.();
      this.#hooks.after?.();
      return result;
    } catch (error) {
      if (isMine) undo();
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /**
   * To be called before anything outside of the database is overwritten or removed that another process, which goes on with
   * the job, may have written. @throws ClfsError `state-busy`
   */
  requireMine(): void {
    const { aliveMs, record } = this.#look();
    if (aliveMs === this.#known.aliveMs && record === this.#known.record) return;
    throw new ClfsError(
      'state-busy',
      'Another process goes on with this job: this one had lost its lock, as when a machine is suspended or cut off from its file server. It has stopped, and has recorded nothing since. Look at the job by "clfsload status".',
    );
  }

  /** Whether it is certain that nobody else goes on with the job. */
  get isMine(): boolean {
    try {
      this.requireMine();
      return true;
    } catch {
      return false;
    }
  }

  #look(): JobRow {
    const row = this.#row.get<JobRow>();
    if (!row) throw new Error('The database has no job.');
    return row;
  }
}

interface JobRow {
  readonly aliveMs: number;
  readonly record: string;
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

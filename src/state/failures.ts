import type { Database } from '../sqlite/database.js';
import { Statement } from '../sqlite/database.js';
import { FailurePhase } from './schema.js';

/** An entry that failed in its latest attempt: a name in a directory. */
export interface FailureRecord {
  readonly id: number;
  /** Directory that the entry is in. */
  readonly directory: number;
  readonly name: Uint8Array;
  /** Object type that it was known by. */
  readonly type: number;
  readonly reason: string;
  readonly message: string;
  /** Attempts of all sessions. */
  readonly attempts: number;
  readonly timeMs: number;
  /** A further name of a linked file that failed: reported, and not counted. */
  readonly further: boolean;
}

interface Row {
  id: number;
  directory: number;
  name: Uint8Array;
  type: number;
  reason: string;
  message: string;
  attempts: number;
  time_ms: number;
  further: number;
}

/** The number of failures: see {@link Failures.count}. */
export const COUNTED_FAILURES = `SELECT coalesce(max(sum(further = 0), 1), 0) AS n FROM failure WHERE phase <> ${FailurePhase.underWay}`;

/**
 * The failures of a job: failed → to be looked at again → under way → gone, or failed once more.
 *
 * A directory with a failure in it is not complete: its entries stay recorded, and it is written again when one of them
 * succeeds.
 */
export class Failures {
  readonly #put: Statement;
  readonly #list: Statement;
  readonly #count: Statement;
  readonly #retry: Statement;
  readonly #directories: Statement;
  readonly #allDirectories: Statement;
  readonly #resolve: Statement;
  readonly #inDirectory: Statement;
  readonly #wanted: Statement;
  readonly #setUnderWay: Statement;
  readonly #has: Statement;
  readonly #remove: Statement;
  readonly #removeIn: Statement;
  readonly #withReason: Statement;

  constructor(db: Database) {
    const P = FailurePhase;
    this.#put = new Statement(
      db,
      `INSERT INTO failure (directory, name, type, reason, message, attempts, time_ms, phase, further) VALUES (?, ?, ?, ?, ?, ?, ?, ${P.failed}, ?)
       ON CONFLICT (directory, name) DO UPDATE SET type = excluded.type, reason = excluded.reason, message = excluded.message,
       attempts = failure.attempts + excluded.attempts, time_ms = excluded.time_ms, phase = ${P.failed}, further = excluded.further`,
    );
    this.#list = new Statement(db, `SELECT * FROM failure WHERE id > ? AND phase <> ${P.underWay} ORDER BY id LIMIT ?`);
    this.#count = new Statement(db, COUNTED_FAILURES);
    this.#retry = new Statement(db, `UPDATE failure SET phase = ${P.wanted} WHERE phase = ${P.failed}`);
    this.#directories = new Statement(
      db,
      `SELECT DISTINCT directory FROM failure WHERE phase = ${P.wanted} AND directory > ? ORDER BY directory LIMIT ?`,
    );
    this.#allDirectories = new Statement(
      db,
      'SELECT DISTINCT directory FROM failure WHERE directory > ? ORDER BY directory LIMIT ?',
    );
    this.#resolve = new Statement(db, `DELETE FROM failure WHERE phase <> ${P.failed}`);
    this.#inDirectory = new Statement(db, 'SELECT 1 FROM failure WHERE directory = ? LIMIT 1');
    this.#wanted = new Statement(
      db,
      `SELECT * FROM failure WHERE directory = ? AND phase = ${P.wanted} ORDER BY id LIMIT ?`,
    );
    this.#has = new Statement(db, 'SELECT 1 FROM failure WHERE directory = ? AND name = ?');
    this.#setUnderWay = new Statement(db, `UPDATE failure SET phase = ${P.underWay} WHERE id = ?`);
    this.#remove = new Statement(db, 'DELETE FROM failure WHERE id = ?');
    this.#removeIn = new Statement(db, 'DELETE FROM failure WHERE directory = ?');
    this.#withReason = new Statement(db, 'SELECT * FROM failure WHERE id > ? AND reason = ? ORDER BY id LIMIT ?');
  }

  /** Records a failure, or the latest attempt of one. */
  put(failure: Omit<FailureRecord, 'id'>): void {
    const { directory, name, type, reason, message, attempts, timeMs, further } = failure;
    this.#put.run(directory, name, type, reason, message, attempts, timeMs, further ? 1 : 0);
  }

  /** By ascending id; those whose entries were found again are left out: they are done, or still to be loaded. */
  list(afterId: number, limit: number): readonly FailureRecord[] {
    return this.#list.all<Row>(afterId, limit).map(decode);
  }

  /**
   * A linked file counts once, whatever number of names it has. It is 0 only when {@link list} has none: a further name
   * whose file does not count any more counts itself.
   */
  count(): number {
    return this.#count.get<{ n: number }>()?.n ?? 0;
  }

  /** All of them are to be looked at again. */
  setWanted(): void {
    this.#retry.run();
  }

  /** Directories with entries to be looked at again, by ascending id. */
  wantedDirectories(after: number, limit: number): readonly number[] {
    return this.#directories.all<{ directory: number }>(after, limit).map((row) => row.directory);
  }

  /** Directories with failed entries, by ascending id. */
  directories(after: number, limit: number): readonly number[] {
    return this.#allDirectories.all<{ directory: number }>(after, limit).map((row) => row.directory);
  }

  /** Entries of a directory that are to be looked at again. */
  wanted(directory: number, limit: number): readonly FailureRecord[] {
    return this.#wanted.all<Row>(directory, limit).map(decode);
  }

  /** Whether an entry failed, or is tried again. */
  has(directory: number, name: Uint8Array): boolean {
    return this.#has.get(directory, name) !== undefined;
  }

  /** It was looked at again, and what was found is being loaded. */
  setUnderWay(id: number): void {
    this.#setUnderWay.run(id);
  }

  /** Its entry is not there any more. */
  remove(id: number): void {
    this.#remove.run(id);
  }

  /** Their directory was given up. */
  removeIn(directory: number): void {
    this.#removeIn.run(directory);
  }

  /** Failures for one reason, by ascending id. */
  withReason(reason: string, afterId: number, limit: number): readonly FailureRecord[] {
    return this.#withReason.all<Row>(afterId, reason, limit).map(decode);
  }

  /** Those that were tried again and did not fail again are none any more. */
  dropResolved(): void {
    this.#resolve.run();
  }

  inDirectory(directory: number): boolean {
    return this.#inDirectory.get(directory) !== undefined;
  }
}

function decode(row: Row): FailureRecord {
  const { id, directory, name, type, reason, message, attempts } = row;
  return { id, directory, name, type, reason, message, attempts, timeMs: row.time_ms, further: row.further !== 0 };
}

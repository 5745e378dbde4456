import type { Database } from '../../sqlite/database.js';
import { Statement } from '../../sqlite/database.js';
import { FailurePhase } from './schema.js';

/** An entry that failed in its latest attempt: a name in a directory. */
export interface FailureRecord {
  readonly id: number;
  /** Directory that it is in; 0 for the root itself. */
  readonly directory: number;
  readonly name: Uint8Array;
  /** What it leads to; empty when the name itself is wrong. */
  readonly handle: Uint8Array;
  readonly reason: string;
  readonly message: string;
  /** Attempts of all sessions. */
  readonly attempts: number;
  readonly timeMs: number;
}

type Row = Omit<FailureRecord, 'timeMs'> & { time_ms: number };

/** The failures of an export: failed → tried again → gone, or failed once more. */
export class Failures {
  readonly #put: Statement;
  readonly #list: Statement;
  readonly #count: Statement;
  readonly #retryable: Statement;
  readonly #underWay: Statement;
  readonly #resolve: Statement;

  constructor(db: Database) {
    const P = FailurePhase;
    this.#put = new Statement(
      db,
      `INSERT INTO failure (directory, name, handle, reason, message, attempts, time_ms, phase) VALUES (?, ?, ?, ?, ?, 1, ?, ${P.failed})
       ON CONFLICT (directory, name, handle) DO UPDATE SET reason = excluded.reason, message = excluded.message,
       attempts = failure.attempts + 1, time_ms = excluded.time_ms, phase = ${P.failed}`,
    );
    this.#list = new Statement(db, `SELECT * FROM failure WHERE id > ? AND phase = ${P.failed} ORDER BY id LIMIT ?`);
    this.#count = new Statement(db, `SELECT count(*) AS n FROM failure WHERE phase = ${P.failed}`);
    this.#retryable = new Statement(
      db,
      `SELECT * FROM failure WHERE phase = ${P.failed} AND length(handle) > 0 AND (directory, id) > (?, ?) ORDER BY directory, id LIMIT ?`,
    );
    this.#underWay = new Statement(db, `UPDATE failure SET phase = ${P.underWay} WHERE id = ?`);
    this.#resolve = new Statement(db, `DELETE FROM failure WHERE phase = ${P.underWay}`);
  }

  /** Records a failure, or the latest attempt of one. */
  put({ directory, name, handle, reason, message, timeMs }: Omit<FailureRecord, 'id' | 'attempts'>): void {
    this.#put.run(directory, name, handle, reason, message, timeMs);
  }

  /** By ascending id; those that are tried again are left out. */
  list(afterId: number, limit: number): readonly FailureRecord[] {
    return this.#list.all<Row>(afterId, limit).map(decode);
  }

  /** As many as {@link list} has. */
  count(): number {
    return this.#count.get<{ n: number }>()?.n ?? 0;
  }

  /** Those that another attempt may mend, by directory. @param after the last one of the page before */
  retryable(after: { readonly directory: number; readonly id: number }, limit: number): readonly FailureRecord[] {
    return this.#retryable.all<Row>(after.directory, after.id, limit).map(decode);
  }

  /** It is tried again. */
  setUnderWay(id: number): void {
    this.#underWay.run(id);
  }

  /** Those that were tried again and did not fail again are none any more. */
  dropResolved(): void {
    this.#resolve.run();
  }
}

function decode({ time_ms: timeMs, id, directory, name, handle, reason, message, attempts }: Row): FailureRecord {
  return { id, directory, name, handle, reason, message, attempts, timeMs };
}

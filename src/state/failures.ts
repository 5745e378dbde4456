import type { Database } from './database.js';
import { Statement } from './database.js';

/** What failed: a plain entry, a directory that could not be listed, a linked file with all its names, or one more name of one that is there. */
export type FailureKind = 'entry' | 'directory' | 'group' | 'link';

/** A failure of the latest attempt. */
export interface FailureRecord {
  readonly id: number;
  readonly kind: FailureKind;
  /** Directory that the entry is in; for kind `directory` its parent. */
  readonly directory: number;
  readonly name: Uint8Array;
  /** Object type. */
  readonly type: number;
  readonly group: number | undefined;
  readonly reason: string;
  readonly message: string;
  /** Attempts of all sessions. */
  readonly attempts: number;
  readonly timeMs: number;
}

interface Row {
  id: number;
  kind: string;
  directory: number;
  name: Uint8Array;
  type: number;
  link_group: number | null;
  reason: string;
  message: string;
  attempts: number;
  time_ms: number;
}

/** The failures of a job. */
export class Failures {
  readonly #put: Statement;
  readonly #list: Statement;
  readonly #count: Statement;
  readonly #retry: Statement;
  readonly #resolve: Statement;
  readonly #inDirectory: Statement;

  constructor(db: Database) {
    this.#put = new Statement(
      db,
      `INSERT INTO failure (kind, directory, name, type, link_group, reason, message, attempts, time_ms, retrying) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
       ON CONFLICT (directory, name) DO UPDATE SET kind = excluded.kind, type = excluded.type, link_group = excluded.link_group, reason = excluded.reason,
       message = excluded.message, attempts = failure.attempts + excluded.attempts, time_ms = excluded.time_ms, retrying = 0`,
    );
    this.#list = new Statement(db, 'SELECT * FROM failure WHERE id > ? AND retrying = 0 ORDER BY id LIMIT ?');
    this.#count = new Statement(db, 'SELECT count(*) AS n FROM failure WHERE retrying = 0');
    this.#retry = new Statement(db, 'UPDATE failure SET retrying = 1');
    this.#resolve = new Statement(db, 'DELETE FROM failure WHERE retrying = 1');
    this.#inDirectory = new Statement(db, 'SELECT 1 FROM failure WHERE directory = ? LIMIT 1');
  }

  /** Records a failure, or the latest attempt of one. */
  put(failure: Omit<FailureRecord, 'id'>): void {
    const { kind, directory, name, type, group, reason, message, attempts, timeMs } = failure;
    this.#put.run(kind, directory, name, type, group ?? null, reason, message, attempts, timeMs);
  }

  /** By ascending id; those that are being tried again are left out. */
  list(afterId: number, limit: number): readonly FailureRecord[] {
    return this.#list.all<Row>(afterId, limit).map((row) => ({
      id: row.id,
      kind: row.kind as FailureKind,
      directory: row.directory,
      name: row.name,
      type: row.type,
      group: row.link_group ?? undefined,
      reason: row.reason,
      message: row.message,
      attempts: row.attempts,
      timeMs: row.time_ms,
    }));
  }

  count(): number {
    return this.#count.get<{ n: number }>()?.n ?? 0;
  }

  /** All of them are tried again. */
  setRetrying(): void {
    this.#retry.run();
  }

  /** Those that were tried again and did not fail again are none any more. */
  dropResolved(): void {
    this.#resolve.run();
  }

  inDirectory(directory: number): boolean {
    return this.#inDirectory.get(directory) !== undefined;
  }
}

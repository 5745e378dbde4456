import { ClfsError, messageOf } from '../error.js';
import type { Database } from './database.js';
import type { JobRecord } from './job-record.js';
import { checkTables, DirectoryStatus, WorkStatus } from './schema.js';

/** What a look at a job's database tells. */
export interface JobPeek {
  readonly record: JobRecord;
  readonly done: number;
  readonly bytes: number;
  readonly excluded: number;
  readonly aliveMs: number;
  readonly failures: number;
  readonly open: number;
}

/** Reads what is recorded of a job, in a database that another process may be writing to. @throws ClfsError `state` */
export function readJobState(db: Database, path: string): JobPeek {
  checkTables(db, path);
  try {
    const job = db.prepare('SELECT record, done, bytes, excluded, alive_ms FROM job').get() as {
      record: string;
      done: number;
      bytes: number;
      excluded: number;
      alive_ms: number;
    };
    const failures = (db.prepare('SELECT count(*) AS n FROM failure WHERE retrying = 0').get() as { n: number }).n;
    return {
      record: JSON.parse(job.record) as JobRecord,
      done: job.done,
      bytes: job.bytes,
      excluded: job.excluded,
      aliveMs: job.alive_ms,
      failures,
      open: countOpenEntries(db),
    };
  } catch (cause) {
    throw new ClfsError('state', `Cannot read the job state ${JSON.stringify(path)}: ${messageOf(cause)}.`, { cause });
  }
}

/** Entries known and neither done nor failed; what is only written again counts as done. */
export function countOpenEntries(db: Database): number {
  const D = DirectoryStatus;
  const W = WorkStatus;
  const sql = `SELECT (SELECT coalesce(sum(count), 0) FROM chunk WHERE status IN (${W.pending}, ${W.running}))
    + (SELECT count(*) FROM large WHERE link_group IS NULL)
    + (SELECT count(*) FROM link_group WHERE status IN (${W.pending}, ${W.running}) AND written_revision IS NULL)
    + (SELECT count(*) FROM directory WHERE status NOT IN (${D.written}, ${D.failed}, ${D.hidden}) AND written_revision IS NULL) AS n`;
  return (db.prepare(sql).get() as { n: number }).n;
}

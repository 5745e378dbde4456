import { BitSet } from '../books/bit-set.js';
import { ClfsError, messageOf } from '../error.js';
import type { Database } from '../sqlite/database.js';
import { type FailureGroup, readFailureGroups } from './failure-groups.js';
import { COUNTED_FAILURES } from './failures.js';
import { decodeRecord, type JobRecord } from './job-record.js';
import { checkTables, DirectoryStatus, FailurePhase, LinkStatus, WorkStatus } from './schema.js';

/** What is recorded of a job, for who looks at it from outside. */
export interface RecordedJob {
  readonly record: JobRecord;
  readonly done: number;
  readonly bytes: number;
  readonly excluded: number;
  readonly aliveMs: number;
  readonly failures: number;
  readonly open: number;
  readonly linkCopies: number;
  readonly failureGroups: readonly FailureGroup[];
}

/**
 * Reads what is recorded of a job, in a database that another process may be writing to.
 *
 * @param running whether one does
 * @throws ClfsError `state`
 */
export function readJob(db: Database, path: string, running = false): RecordedJob {
  checkTables(db, path, running);
  try {
    const job = db.prepare('SELECT record, done, bytes, excluded, alive_ms FROM job').get() as {
      record: string;
      done: number;
      bytes: number;
      excluded: number;
      alive_ms: number;
    };
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
    const stands = version === 1 ? 'retrying = 0' : `phase <> ${FailurePhase.underWay}`;
    const failed = version === 1 ? `SELECT count(*) AS n FROM failure WHERE ${stands}` : COUNTED_FAILURES;
    const failures = (db.prepare(failed).get() as { n: number }).n;
    return {
      record: decodeRecord(job.record),
      done: job.done,
      bytes: job.bytes,
      excluded: job.excluded,
      aliveMs: job.alive_ms,
      failures,
      open: countOpenEntries(db, version),
      linkCopies: countLinkCopies(db),
      failureGroups: readFailureGroups(db, stands, version === 1 ? '1' : 'further = 0'),
    };
  } catch (cause) {
    throw new ClfsError('state', `Cannot read the job state ${JSON.stringify(path)}: ${messageOf(cause)}.`, { cause });
  }
}

/**
 * Entries known and neither done nor failed; what is only written again counts as done.
 *
 * @param version of the tables: a look at the state of an older program does not change it
 */
export function countOpenEntries(db: Database, version: number): number {
  const D = DirectoryStatus;
  const W = WorkStatus;
  const FAILED_BEFORE_VERSION_2 = 6;
  const groupIsNew = version === 1 ? 'written_revision IS NULL' : 'written_name IS NULL';
  const sql = `SELECT (SELECT coalesce(sum(count), 0) FROM chunk WHERE status IN (${W.pending}, ${W.running}))
    + (SELECT count(*) FROM large WHERE link_group IS NULL)
    + (SELECT count(*) FROM link_group WHERE status IN (${W.pending}, ${W.running}) AND ${groupIsNew})
    + (SELECT count(*) FROM directory WHERE status NOT IN (${D.written}, ${FAILED_BEFORE_VERSION_2}, ${D.hidden})
         AND written_revision IS NULL) AS n`;
  return (db.prepare(sql).get() as { n: number }).n - (version === 1 ? 0 : countAcknowledged(db));
}

/** Entries that are done of chunks that are not: of each chunk that a lane has, or had when the job was killed. */
function countAcknowledged(db: Database): number {
  const sql = `SELECT count, acknowledged FROM chunk WHERE status = ${WorkStatus.running} AND acknowledged IS NOT NULL`;
  const rows = db.prepare(sql).all() as { count: number; acknowledged: Uint8Array }[];
  return rows.reduce((sum, { count, acknowledged }) => sum + new BitSet(count, acknowledged).count, 0);
}

/**
 * Names whose inode in the container is a further copy of a file that counts under other names too; in the tables of
 * any version.
 */
export function countLinkCopies(db: Database): number {
  const sql = `SELECT count(*) AS n FROM link_group g CROSS JOIN link ON link.link_group = g.id
    WHERE g.copy > 0 AND link.status = ${LinkStatus.written} AND EXISTS
      (SELECT 1 FROM link_group b WHERE b.file_system = g.file_system AND b.inode = g.inode AND b.type = g.type AND b.copy < g.copy)`;
  return (db.prepare(sql).get() as { n: number }).n;
}

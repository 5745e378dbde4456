import { sourcePath } from '../job/load-spec.js';
import { type WorkerStatus, workersAt } from '../join/worker-status.js';
import { selectionText } from '../source/selection.js';
import type { FailureGroup } from '../state/failure-groups.js';
import { type JobNow, readNow } from '../state/job-now.js';
import type { SourceCalls } from '../state/job-record.js';
import { openForLook } from '../state/open-for-look.js';
import { readJob } from '../state/read-job.js';
import { recordedShare } from '../state/recorded-share.js';
import { findDatabase, isStateHeld } from '../state/state-directory.js';
import { escapePath } from '../text/escape-path.js';

/** A job as it is recorded. */
export interface JobStatus {
  readonly jobId: string;
  readonly state: 'running' | 'stopped' | 'finished';
  /** As it is shown. */
  readonly source: string;
  /** The source's bytes, in hexadecimal digits. */
  readonly sourceHex: string;
  /** Without its SAS. */
  readonly container: string;
  readonly compression: 'LZ4' | 'DISABLED';
  readonly preserveHardLinks: boolean;
  readonly sessions: number;
  readonly entriesDone: number;
  readonly entriesFailed: number;
  /** What failed, by reason; paths below the source. */
  readonly failures: readonly FailureGroup[];
  /**
   * Thousandths of the work that are done; 0 while the totals are not known. When the job has ended with failures: of all
   * entries those that were done.
   */
  readonly permille: number;
  /** Known and not done; more may be found while directories remain to be listed. */
  readonly entriesOpen: number;
  readonly entriesExcluded: number;
  /** The flags by which entries are left out, for a shell; empty for none. */
  readonly selection: string;
  readonly bytesDone: number;
  /** Hard links that became copies of their own. */
  readonly linkCopies: number;
  /** Means over the latest session. */
  readonly entriesPerSecond: number;
  readonly megabitsPerSecond: number;
  /** How it calls its source; undefined before that is known. */
  readonly sourceCalls: SourceCalls | undefined;
  /** Where it stands beside that; undefined unless it runs. */
  readonly now: JobNow | undefined;
  /** Workers on other machines, while it runs and may have some. */
  readonly workers: readonly WorkerStatus[] | undefined;
  /** When it last recorded something. */
  readonly lastAlive: string | undefined;
  /** Empty while it runs, or when it was killed. */
  readonly finalStatus: string;
}

/**
 * Looks at a job without disturbing it.
 *
 * @throws ClfsError `state` when there is none, or it cannot be read
 */
export function jobStatus(statePath: string): JobStatus {
  const path = findDatabase(statePath);
  const running = isStateHeld(statePath);
  const db = openForLook(path, running);
  try {
    const { record, done, bytes, excluded, aliveMs, failures, open, linkCopies, failureGroups } = readJob(
      db,
      path,
      running,
    );
    const { sessionStart, spec } = record;
    const seconds = (aliveMs - sessionStart.ms) / 1000;
    const finished = record.committed && record.finalStatus === 'Completed';
    return {
      jobId: record.jobId,
      state: running ? 'running' : finished ? 'finished' : 'stopped',
      source: escapePath(sourcePath(spec)),
      sourceHex: spec.sourceHex,
      container: spec.container,
      compression: spec.compression,
      preserveHardLinks: spec.preserveHardLinks,
      sessions: record.sessions,
      entriesDone: done,
      entriesFailed: failures,
      failures: failureGroups,
      permille:
        recordedShare({
          finished,
          finalStatus: record.finalStatus,
          permille: record.permille,
          done,
          failed: failures,
        }) ?? 0,
      entriesOpen: open,
      entriesExcluded: excluded,
      selection: selectionText(spec.selection),
      bytesDone: bytes,
      linkCopies,
      entriesPerSecond: seconds > 0 ? (done - sessionStart.done) / seconds : 0,
      megabitsPerSecond: seconds > 0 ? (Math.max(0, bytes - sessionStart.bytes) * 8) / 1e6 / seconds : 0,
      sourceCalls: record.sourceCalls,
      now: running ? readNow(db, record.sessions) : undefined,
      workers: running ? workersAt(statePath) : undefined,
      lastAlive: aliveMs === 0 ? undefined : new Date(aliveMs).toISOString(),
      finalStatus: record.finalStatus,
    };
  } finally {
    db.close();
  }
}

import { openDatabase } from '../state/database.js';
import { readJobState } from '../state/peek.js';
import { findDatabase, isStateHeld } from '../state/state-directory.js';
import { escapePath } from '../text/escape-path.js';

/** A job as it is recorded. */
export interface JobStatus {
  readonly jobId: string;
  readonly state: 'running' | 'stopped' | 'finished';
  readonly source: string;
  /** Without its SAS. */
  readonly container: string;
  readonly compression: 'LZ4' | 'DISABLED';
  readonly preserveHardLinks: boolean;
  readonly sessions: number;
  readonly entriesDone: number;
  readonly entriesFailed: number;
  /** Known and not done; more may be found while directories remain to be listed. */
  readonly entriesOpen: number;
  readonly bytesDone: number;
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
  const db = openDatabase(path, true);
  try {
    const { record, done, bytes, aliveMs, failures, open } = readJobState(db, path);
    const finished = record.committed && record.finalStatus === 'Completed';
    return {
      jobId: record.jobId,
      state: running ? 'running' : finished ? 'finished' : 'stopped',
      source: escapePath(Buffer.from(record.sourceHex, 'hex')),
      container: record.container,
      compression: record.compress ? 'LZ4' : 'DISABLED',
      preserveHardLinks: record.preserveHardLinks,
      sessions: record.sessions,
      entriesDone: done,
      entriesFailed: failures,
      entriesOpen: open,
      bytesDone: bytes,
      lastAlive: aliveMs === 0 ? undefined : new Date(aliveMs).toISOString(),
      finalStatus: record.finalStatus,
    };
  } finally {
    db.close();
  }
}

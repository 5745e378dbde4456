import type { RunSettings } from '../job/load-spec.js';
import { LEASE_MS } from '../join/open-pool.js';
import type { JobRecord } from '../state/job-record.js';
import { DirectoryStatus } from '../state/schema.js';

/** Whether nothing is left to be done. */
export function isFinished({ committed, finalStatus }: Pick<JobRecord, 'committed' | 'finalStatus'>): boolean {
  return committed && finalStatus === 'Completed';
}

/**
 * Whether a session before had brought the job to its end: nothing has changed since, and the end is gone on with before
 * anything else.
 *
 * @param isSealed whether the root's inode is recorded as it is to be put @param rootStatus of the root's directory
 */
export function isCommitting(
  { committing, committed }: Pick<JobRecord, 'committing' | 'committed'>,
  isSealed: boolean,
  rootStatus: number,
): boolean {
  if (isSealed) return true;
  return committing && !committed && (rootStatus === DirectoryStatus.ready || rootStatus === DirectoryStatus.written);
}

/**
 * Until when a session before can still have an effect, on the monotonic clock; 0 when it cannot. It is not known when
 * its process died: its last puts may have been sent just before the present session began.
 *
 * @param lateArrivalMs how long a put can live that was given up
 */
export function lateUntilMs(
  { sessions, settled, remoteLateMs = 0 }: Pick<JobRecord, 'sessions' | 'settled' | 'remoteLateMs'>,
  lateArrivalMs: number,
  nowMs: number,
): number {
  return sessions > 0 && !settled ? nowMs + Math.max(lateArrivalMs, remoteLateMs) : 0;
}

/**
 * How long workers elsewhere may have an effect when the present session dies, those of sessions before included;
 * undefined when none can.
 *
 * @param lateArrivalMs how long a put of a worker can live that was given up
 */
export function lateWhenKilledMs(
  { settled, remoteLateMs = 0 }: Pick<JobRecord, 'settled' | 'remoteLateMs'>,
  { workers, leaseMs = LEASE_MS }: Pick<RunSettings, 'workers' | 'leaseMs'>,
  lateArrivalMs: number,
): number | undefined {
  const own = workers ? leaseMs + lateArrivalMs : 0;
  return Math.max(own, settled ? 0 : remoteLateMs) || undefined;
}

/** What the summary says of the container's listing; undefined before the commit. */
export function listingText({
  committed,
  notChecked,
}: Pick<JobRecord, 'committed' | 'notChecked'>): string | undefined {
  if (!committed) return undefined;
  return notChecked === '' ? 'checked' : `not checked: ${notChecked}`;
}

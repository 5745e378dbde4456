/** What the share of a job is told by, as it is recorded. */
export interface RecordedShare {
  /** Whether everything has been done. */
  readonly finished: boolean;
  /** Of the latest session; empty while it runs, or when it was killed. */
  readonly finalStatus: string;
  /** Thousandths of the work that have been worked on, what failed included; 0 while the totals are not known. */
  readonly permille: number;
  /** Entries. */
  readonly done: number;
  readonly failed: number;
}

/**
 * Thousandths of a job's work that are done, the same wherever they are shown: 1000 when it is finished, and less
 * otherwise; undefined while the totals are not known.
 *
 * While it runs or was stopped, what failed counts as worked on, so that the share never falls. When all has been tried
 * and something failed, the share is what was done of what there is, by entries: of a failed one the size may not be
 * known.
 */
export function recordedShare({ finished, finalStatus, permille, done, failed }: RecordedShare): number | undefined {
  if (finished) return 1000;
  if (finalStatus !== 'CompletedWithErrors') return permille === 0 ? undefined : permille;
  return Math.min(999, Math.floor((1000 * done) / Math.max(1, done + failed)));
}

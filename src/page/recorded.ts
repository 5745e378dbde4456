import type { FailureGroup } from '../state/failure-groups.js';
import type { SourceCalls } from '../state/job-record.js';
import type { PageJob, PageNow } from './model.js';

/** What is recorded of a job, of either kind. */
export interface RecordedJob {
  readonly job: Omit<PageJob, 'program' | 'statePath'>;
  readonly finished: boolean;
  readonly finalStatus: string;
  readonly session: number;
  /** In milliseconds since 1970; undefined where it is not recorded. */
  readonly sessionStartMs: number | undefined;
  readonly aliveMs: number;
  /** Thousandths of the work; undefined where that is not recorded. */
  readonly permille: number | undefined;
  readonly done: number;
  readonly bytes: number;
  readonly excluded: number;
  readonly failed: number;
  /** What a pass over all of the source has found. */
  readonly sized: { readonly entries: number; readonly bytes: number } | undefined;
  readonly further: PageNow['further'];
  readonly sourceCalls: SourceCalls | undefined;
  readonly listing: PageNow['listing'];
  readonly notes: readonly string[];
  readonly groups: readonly FailureGroup[];
  /** Failures by name: of a linked file each one. */
  readonly listed: number;
  readonly logFile: string;
}

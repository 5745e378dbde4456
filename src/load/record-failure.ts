import { escapePath } from '../text/escape-path.js';
import type { EntryProblem } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';

/** An entry that failed. */
export interface FailedEntry extends EntryProblem {
  /** Directory that it is in; 0 for the root itself. */
  readonly directory: number;
  readonly name: Uint8Array;
  readonly type: number;
  /** A further name of an inode whose failure is counted already. */
  readonly further?: boolean;
}

/** Records a failure, counts it, and says it in the log; inside a transaction. */
export function recordFailure(context: JobContext, failed: FailedEntry): void {
  const { directory, name, type, reason, message, attempts, further = false } = failed;
  const timeMs = context.clock.now();
  context.state.failures.put({ directory, name, type, reason, message, attempts, timeMs, further });
  context.log.write('ERROR', `${escapePath(context.entryPath(directory, name))}: ${reason}: ${message}`);
  if (further) return;
  context.progress.failed++;
  context.progress.sessionFailures++;
}

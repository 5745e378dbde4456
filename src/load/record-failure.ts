import type { FailureKind } from '../state/failures.js';
import { escapePath } from '../text/escape-path.js';
import type { EntryProblem } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';

/** An entry that failed. */
export interface FailedEntry extends EntryProblem {
  readonly kind: FailureKind;
  readonly directory: number;
  readonly name: Uint8Array;
  readonly type: number;
  readonly group?: number;
}

/** Records a failure, counts it, and says it in the log; inside a transaction. */
export function recordFailure(context: JobContext, failed: FailedEntry): void {
  const { kind, directory, name, type, group, reason, message, attempts } = failed;
  context.state.failures.put({ kind, directory, name, type, group, reason, message, attempts, timeMs: Date.now() });
  context.progress.failed++;
  context.progress.sessionFailures++;
  context.log.write('ERROR', `${escapePath(context.entryPath(directory, name))}: ${reason}: ${message}`);
}

import { ClfsError } from '../error.js';
import type { FailureReason } from '../source/source-tree.js';
import type { EntryProblem } from './tasks.js';

/**
 * The failure of one entry that an error stands for.
 *
 * @throws the error itself when it is not the source that failed: it is the job's then
 */
export function problemOf(error: unknown, attempts: number): EntryProblem {
  if (error instanceof ClfsError && error.code === 'entry')
    return { reason: error.reason as FailureReason, message: error.message, attempts };
  throw error;
}

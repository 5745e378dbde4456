import { type Breakage, breakageOf } from '../../engine/breakage.js';
import { ClfsError, isClfsError } from '../../error.js';
import { PosixError } from '../../posix/posix-error.js';
import { targetError } from '../target/target-error.js';
import { InTheWay } from '../target/target-tree.js';
import type { EntryProblem } from './kinds.js';

/** What was written of a file before is gone, or was replaced. */
export class ChangedByHand extends Error {
  constructor() {
    super('what had been written of it was changed or removed meanwhile');
  }
}

/**
 * The failure of one entry that an error stands for.
 *
 * @param path of the entry, for the message of an error that ends the job
 * @throws ClfsError `target` when every further entry would fail as well; the error itself when it is not the entry
 * that failed
 */
export function problemOf(path: Buffer, error: unknown): EntryProblem {
  const ofAll = targetError(path, error);
  if (isClfsError(ofAll, 'not-found')) return { reason: 'object-missing', message: ofAll.message };
  if (isClfsError(ofAll, 'format')) return { reason: 'object-damaged', message: ofAll.message };
  if (ofAll instanceof InTheWay) return { reason: 'in-the-way', message: ofAll.message };
  if (ofAll instanceof ChangedByHand) return { reason: 'target-changed', message: ofAll.message };
  if (ofAll instanceof PosixError) return { reason: 'target-refuses', message: ofAll.message };
  throw ofAll;
}

/** What ended a task early: what the target refuses, and no entry stands for, ends the job. */
export function exportBreakage(error: unknown): Breakage {
  if (!(error instanceof PosixError)) return breakageOf(error);
  return {
    code: 'target',
    message: `Cannot write to the target: ${error.message}. Mend it, and repeat the export: it goes on where it stopped.`,
  };
}

/** What a task throws or reports when it ends early because the job stops. */
export function stopped(): ClfsError {
  return new ClfsError('cancelled', 'The export was stopped. Repeat it to go on.');
}

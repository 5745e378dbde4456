import { ClfsError, messageOf } from '../error.js';
import type { Breakage } from './tasks.js';

/** What made a task end early, in the form that is sent between threads: the class of an error would be lost. */
export function breakageOf(error: unknown): Breakage {
  if (error instanceof ClfsError) return { code: error.code, message: error.message };
  return { code: 'worker', message: String((error as Error)?.stack ?? messageOf(error)) };
}

/** The error that a breakage stands for. */
export function errorOf({ code, message }: Breakage): ClfsError {
  return new ClfsError(code, message);
}

/** What a task throws or reports when it ends early because the job stops. */
export function stopped(): ClfsError {
  return new ClfsError('cancelled', 'The job was stopped. Go on with it by --new-session=false.');
}

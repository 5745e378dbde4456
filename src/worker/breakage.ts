import { ClfsError } from '../error.js';

/** What a task throws or reports when it ends early because the job stops. */
export function stopped(): ClfsError {
  return new ClfsError('cancelled', 'The job was stopped; it can be gone on with.');
}

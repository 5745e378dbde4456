import { ClfsError, messageOf } from '../error.js';

/** What a call fails with on a disk that is full or cannot be written: of the files beside the database. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/**
 * Trouble of a state's database, or of a file in its directory, as an error that tells what to do; any other error as
 * it is.
 *
 * @param what cannot be written @param wayOn what to do when there is room again
 */
export function writeTrouble(error: unknown, what: string, wayOn: string): unknown {
  if (error === undefined || error instanceof ClfsError) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string' || !(code.includes('SQLITE') || NO_ROOM.has(code))) return error;
  const text = `Cannot write ${what}: ${messageOf(error)}. Make room or mend the disk, ${wayOn}.`;
  return new ClfsError('state', text, { cause: error });
}

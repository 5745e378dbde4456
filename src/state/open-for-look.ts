import { existsSync, openSync, readSync } from 'node:fs';
import { ClfsError, messageOf } from '../error.js';
import { closeQuietly } from '../posix/close-quietly.js';
import { type Database, openDatabase, openUnchanging, openUndone } from '../sqlite/database.js';

/** Where the header of a database says how it is written, and what it says of a write-ahead log. */
const WRITE_FORMAT_AT = 18;
const WRITE_AHEAD = 2;

/**
 * Opens a job's database for a look: nothing is put beside it, and nothing in it is changed, but for what a process that
 * was killed had half written.
 *
 * @param running see `isStateHeld`, which is to be asked before
 * @throws ClfsError `state` when it cannot be read, or was half written and may not be put in order
 */
export function openForLook(databasePath: string, running: boolean): Database {
  const where = JSON.stringify(databasePath);
  const has = (suffix: string) => existsSync(`${databasePath}${suffix}`);
  const isHalfWritten = !running && has('-journal');
  try {
    if (isHalfWritten) return openUndone(databasePath);
    // SQLite would make the files of a write-ahead log that are not there, and leave them behind.
    const isAtRest = !has('-wal') && (!running || hasWriteAheadLog(databasePath));
    return isAtRest ? openUnchanging(databasePath) : openDatabase(databasePath, true);
  } catch (cause) {
    const text = isHalfWritten
      ? `Cannot look at the job state ${where}: its process was killed while it wrote there, and that cannot be undone from here: ${messageOf(cause)}. The job is whole: look at it as the user who ran it, or go on with it.`
      : `Cannot read the job state ${where}: ${messageOf(cause)}.`;
    throw new ClfsError('state', text, { cause });
  }
}

function hasWriteAheadLog(databasePath: string): boolean {
  const fd = openSync(databasePath, 'r');
  try {
    const header = Buffer.alloc(WRITE_FORMAT_AT + 1);
    return readSync(fd, header, 0, header.length, 0) === header.length && header[WRITE_FORMAT_AT] === WRITE_AHEAD;
  } finally {
    closeQuietly(fd);
  }
}

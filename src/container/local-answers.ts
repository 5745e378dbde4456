import { randomInt } from 'node:crypto';
import { isClfsError } from '../error.js';
import { TEMPORARY } from './local-files.js';
import type { LocalPlace } from './local-place.js';

/** How many other blobs are asked for one that can be read. */
const ASKED = 16;
/** A blob that is longer proves nothing: it would not be read. */
const LIMIT_BYTES = 16 * 1048576;
/** What says nothing of the file that was asked for: it is not there, or the process or the machine lacks something. */
const NOT_OF_A_FILE = new Set(['ENOENT', 'ENOTDIR', 'EMFILE', 'ENFILE', 'ENOMEM', 'EINTR', 'EAGAIN']);

/** Whether what the system said may be true of one file only, as what a damaged disk or a permission makes it say. */
export function mayBeOfOneFile(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall !== undefined && code !== undefined && !NOT_OF_A_FILE.has(code);
}

/**
 * Whether the container itself answers: it can be listed, and some other blob of it can be read. Some of those that are
 * listed first are asked, in no order: what is asked each time would be in memory, and say nothing of the disk.
 *
 * @throws ClfsError `cancelled`
 */
export async function answers(place: LocalPlace): Promise<boolean> {
  try {
    for await (const names of place.names('list')) {
      const blobs = names.filter((name) => !name.startsWith(TEMPORARY));
      for (let asked = 0; asked < ASKED && blobs.length > 0; asked++) {
        const [name] = blobs.splice(randomInt(blobs.length), 1);
        if (await canBeRead(place, Buffer.from(name, 'latin1').toString())) return true;
      }
      if (blobs.length > 0) return false;
    }
    return false;
  } catch (error) {
    if (isClfsError(error, 'cancelled')) throw error;
    return false;
  }
}

async function canBeRead(place: LocalPlace, name: string): Promise<boolean> {
  try {
    return Buffer.isBuffer(await place.withDescriptors(() => place.ways.read(place.path(name), LIMIT_BYTES)));
  } catch (error) {
    if (isClfsError(error, 'cancelled')) throw error;
    return false;
  }
}

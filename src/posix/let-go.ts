import { closeSync, openSync, readdirSync, realpathSync } from 'node:fs';
import { koffi } from './koffi.js';
import { failed, Open, pathOfOpen } from './libc.js';

const c = koffi.load(null as unknown as string);
const dup3 = c.func('int dup3(int, int, int)');

/**
 * Has this process let go of a file that is open in it, and that nobody uses any more: its descriptors lead to /dev/null
 * from then on, so that who has them closes those. On NFS and FUSE what is open stays in its directory when it is removed.
 *
 * @throws PosixError; an error of Node where the file is not there
 */
export function letGoOf(path: string): void {
  const real = Buffer.from(realpathSync(path));
  const nowhere = openSync('/dev/null', 'r+');
  try {
    for (const fd of readdirSync('/proc/self/fd'))
      if (pathOfOpen(Number(fd))?.equals(real) && dup3(nowhere, Number(fd), Open.closeOnExec) < 0) failed('dup3');
  } finally {
    closeSync(nowhere);
  }
}

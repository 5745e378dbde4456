import { release } from 'node:os';

/** Since which Linux `syncfs` tells of bytes that could not be written. Source: syncfs(2) */
const SINCE = [5, 8] as const;

/**
 * Whether a sync of a whole file system tells of bytes that could not be written: before, only a sync of the file does.
 * A kernel to which a distributor has brought it is not known.
 *
 * @param kernel its version, as `uname -r` has it
 */
export function syncfsTells(kernel: string = release()): boolean {
  const [major = 0, minor = 0] = kernel.split('.', 2).map((part) => Number.parseInt(part, 10));
  // What cannot be understood is no Linux of that time.
  if (Number.isNaN(major) || Number.isNaN(minor)) return true;
  return major > SINCE[0] || (major === SINCE[0] && minor >= SINCE[1]);
}

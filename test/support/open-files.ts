import { fstatSync, readdirSync, readlinkSync } from 'node:fs';

/** Lengths of the files below a directory that this process has open, those included that have no name any more. */
export function openFiles(directory: string): number[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${directory}/`) ? [fstatSync(Number(fd)).size] : [];
    } catch {
      // The one by which the directory was read.
      return [];
    }
  });
}

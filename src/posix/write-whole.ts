import { writeSync } from 'node:fs';

/**
 * Writes all of some bytes: a disk that is nearly full takes a part of them, and says so only at the next call.
 *
 * @returns their number
 * @throws whatever the system throws
 */
export function writeWhole(fd: number, bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
  return bytes.length;
}

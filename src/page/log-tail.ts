import { fstatSync, openSync, readSync } from 'node:fs';
import { redact } from '../container/azure/container-url.js';
import { closeQuietly } from '../posix/close-quietly.js';
import { escapeText } from '../text/escape-path.js';

const TAIL_BYTES = 65_536;
const TAIL_LINES = 200;

/** The latest lines of a log, oldest first; none when it cannot be read. */
export function logTail(path: string): readonly string[] {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return [];
  }
  try {
    const size = fstatSync(fd).size;
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const length = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    const lines = bytes.subarray(0, length).toString('utf8').split('\n');
    // The first of them may have begun before.
    if (size > TAIL_BYTES) lines.shift();
    return lines
      .filter((line) => line !== '')
      .slice(-TAIL_LINES)
      .map((line) => escapeText(redact(line)));
  } catch {
    return [];
  } finally {
    closeQuietly(fd);
  }
}

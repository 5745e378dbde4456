import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { writeWhole } from '../posix/write-whole.js';
import { escapePath } from '../text/escape-path.js';

/** An entry that failed, as it is reported. */
export interface ReportedFailure {
  /** Absolute. */
  readonly path: Buffer;
  readonly reason: string;
  readonly message: string;
  readonly attempts: number;
  readonly timeMs: number;
}

/**
 * Writes `problems.txt` (absolute paths, raw bytes, one a line) and `failures.jsonl`; removes them when nothing failed.
 *
 * @param failures goes over all of them, each time that it is called
 * @param file path of a file by its name
 */
export function writeFailureReports(
  anything: boolean,
  failures: () => Iterable<ReportedFailure>,
  file: (name: string) => string,
): void {
  const problems = file('problems.txt');
  const details = file('failures.jsonl');
  if (!anything) {
    rmSync(problems, { force: true });
    rmSync(details, { force: true });
    return;
  }
  writeAtomically(problems, (write) => {
    for (const { path } of failures()) write(Buffer.concat([path, NEWLINE]));
  });
  writeAtomically(details, (write) => {
    for (const { path, reason, message, attempts, timeMs } of failures()) {
      const time = new Date(timeMs).toISOString();
      const line = { path: escapePath(path), path_hex: path.toString('hex'), reason, message, attempts, time };
      write(Buffer.from(`${JSON.stringify(line)}\n`));
    }
  });
}

const NEWLINE = Buffer.from('\n');

/** Path of an entry, from the absolute path of its tree's root and its path below it. */
export function pathBelow(root: Uint8Array, path: Uint8Array): Buffer {
  const separator = root.length > 0 && root[root.length - 1] === 0x2f ? new Uint8Array(0) : Buffer.from('/');
  return path.length === 0 ? Buffer.from(root) : Buffer.concat([root, separator, path]);
}

function writeAtomically(path: string, fill: (write: (bytes: Buffer) => void) => void): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, 'w');
  try {
    fill((bytes) => writeWhole(fd, bytes));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

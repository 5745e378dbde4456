import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { writeWhole } from '../posix/write-whole.js';
import { escapePath } from '../text/escape-path.js';
import type { JobContext } from './job-context.js';
import { pages } from './tries.js';

const PAGE = 1000;

/**
 * Writes `problems.txt` (absolute source paths, raw bytes, one a line) and `failures.jsonl`; removes them when nothing failed.
 *
 * @param root absolute path of the source
 */
export function writeReports(context: JobContext, root: Uint8Array, file: (name: string) => string): void {
  const problems = file('problems.txt');
  const details = file('failures.jsonl');
  if (context.state.failures.count() === 0) {
    rmSync(problems, { force: true });
    rmSync(details, { force: true });
    return;
  }
  writeAtomically(problems, (write) => {
    for (const { path } of failures(context, root)) write(Buffer.concat([path, NEWLINE]));
  });
  writeAtomically(details, (write) => {
    for (const { path, reason, message, attempts, timeMs } of failures(context, root)) {
      const time = new Date(timeMs).toISOString();
      const line = { path: escapePath(path), path_hex: path.toString('hex'), reason, message, attempts, time };
      write(Buffer.from(`${JSON.stringify(line)}\n`));
    }
  });
}

const NEWLINE = Buffer.from('\n');

function* failures(context: JobContext, root: Uint8Array) {
  for (const failure of pages((after) => context.state.failures.list(after, PAGE))) {
    yield { ...failure, path: absolutePath(root, context.entryPath(failure.directory, failure.name)) };
  }
}

function absolutePath(root: Uint8Array, path: Uint8Array): Buffer {
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

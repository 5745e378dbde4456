import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { JobState } from '../state/job-state.js';
import { escapePath } from '../text/escape-path.js';
import type { JobContext } from './job-context.js';

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
    for (const { paths } of failedPaths(context, root)) for (const path of paths) write(Buffer.concat([path, NEWLINE]));
  });
  writeAtomically(details, (write) => {
    for (const { failure, paths } of failedPaths(context, root)) {
      for (const path of paths) {
        const { reason, message, attempts, timeMs } = failure;
        const line = { path: escapePath(path), path_hex: path.toString('hex'), reason, message, attempts, time: new Date(timeMs).toISOString() };
        write(Buffer.from(`${JSON.stringify(line)}\n`));
      }
    }
  });
}

const NEWLINE = Buffer.from('\n');

function* failedPaths(context: JobContext, root: Uint8Array) {
  const { state } = context;
  for (let after = 0; ; ) {
    const page = state.failures.list(after, PAGE);
    for (const failure of page) {
      const names = failure.kind === 'group' && failure.group !== undefined ? namesOf(state, failure.group) : [failure];
      yield { failure, paths: names.map(({ directory, name }) => absolutePath(root, context.entryPath(directory, name))) };
    }
    if (page.length < PAGE) return;
    after = page[page.length - 1].id;
  }
}

function namesOf(state: JobState, group: number): readonly { readonly directory: number; readonly name: Uint8Array }[] {
  return state.links.links(group);
}

function absolutePath(root: Uint8Array, path: Uint8Array): Buffer {
  const separator = root.length > 0 && root[root.length - 1] === 0x2f ? new Uint8Array(0) : Buffer.from('/');
  return path.length === 0 ? Buffer.from(root) : Buffer.concat([root, separator, path]);
}

function writeAtomically(path: string, fill: (write: (bytes: Buffer) => void) => void): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, 'w');
  try {
    fill((bytes) => writeSync(fd, bytes));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
}

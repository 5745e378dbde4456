import { realpathSync, renameSync, rmSync, statSync } from 'node:fs';

/** A file that is written in the place of what is at a path. */
export interface Replacement {
  /** What is to be opened and written. */
  readonly path: string;
  /** What it is to be opened with. */
  readonly flags: 'w' | 'wx';
  /** When all of it is written and closed. */
  finish(): void;
  /** When it could not be written. */
  abandon(): void;
}

/**
 * Begins to write a file in the place of what is at a path: all of it or nothing.
 *
 * A device or a pipe takes it as it comes, and stays what it is. So does a symlink: what it leads to is replaced.
 *
 * @throws whatever the system throws
 */
export function beginReplacement(file: string): Replacement {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there && !there.isFile()) return { path: file, flags: 'w', finish: () => undefined, abandon: () => undefined };
  const target = there ? realpathSync(file) : file;
  const path = `${target}.new`;
  const abandon = () => rmSync(path, { force: true });
  // One of a process that died. In its place no link of somebody else's is followed.
  abandon();
  return { path, flags: 'wx', finish: () => renameSync(path, target), abandon };
}

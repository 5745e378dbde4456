import { chmodSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ClfsError, messageOf } from '../error.js';
import {
  CURRENT_DIRECTORY,
  close,
  makeDirectory,
  Open,
  openAt,
  PosixError,
  removeAt,
  statFd,
  syncFileSystem,
} from '../posix/libc.js';

const PRIVATE_DIRECTORY = 0o700;

/** Where an export goes to. */
export interface TargetPath {
  /** Absolute path of the directory that is written to: the tree's root, or the one that the file goes to. */
  readonly directory: string;
  /** Name of the one file in it; undefined for a tree. */
  readonly name: Buffer | undefined;
  /** Where the state is kept when nobody says where. */
  readonly defaultState: string;
}

/** Name of a file by its path in the container. */
export function fileNameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}

/** A directory that is written to, open. */
export interface OpenTarget {
  readonly inode: bigint;
  /** Opens it for a lane, by a description of its own, which is closed with the target. @throws ClfsError `usage` */
  openAgain(): number;
  /** Takes back what was made: for a job that was refused before it began. */
  discard(): void;
  close(): void;
}

/**
 * Finds out where an export goes to; nothing is made yet.
 *
 * @param target as the user gave it
 * @param fileName name of the file that is exported; undefined for a tree
 */
export function targetPath(target: string, fileName: Buffer | undefined): TargetPath {
  const path = realPath(resolve(target));
  if (fileName === undefined) return { directory: path, name: undefined, defaultState: beside(path) };
  if (isDirectory(target))
    return { directory: path, name: fileName, defaultState: join(path, stateName(fileName.toString())) };
  if (target.endsWith('/'))
    throw new ClfsError('usage', `Cannot write into ${JSON.stringify(target)}: there is no such directory.`);
  // The last component may be a symlink, which is not followed.
  const directory = realPath(dirname(resolve(target)));
  const name = basename(resolve(target));
  return { directory, name: Buffer.from(name), defaultState: join(directory, stateName(name)) };
}

/**
 * Opens the directory that is written to.
 *
 * @param make make it when it is not there, so that it outlasts a power cut; its parent must be there
 * @param openUp it was written by this job before, and may have a mode that forbids it now
 * @throws ClfsError `usage`
 */
export function openTarget(directory: string, make: boolean, openUp: boolean): OpenTarget {
  const path = Buffer.from(directory);
  let made = false;
  let opened: number | undefined;
  try {
    if (make) made = makeMissing(path);
    const fd = openDirectory(path, openUp);
    opened = fd;
    // The state, which is durable at once, is going to know it by its inode number.
    if (made) syncFileSystem(fd);
    const more: number[] = [];
    const closeAll = () => {
      for (const each of [fd, ...more]) close(each);
    };
    return {
      inode: statFd(fd).inode,
      openAgain() {
        try {
          const again = openAt(fd, Buffer.from('.'), Open.readOnly | Open.directory);
          more.push(again);
          return again;
        } catch (error) {
          throw cannotWrite(directory, error);
        }
      },
      discard() {
        closeAll();
        if (made) removeIfEmpty(path);
      },
      close: closeAll,
    };
  } catch (error) {
    if (opened !== undefined) close(opened);
    if (made) removeIfEmpty(path);
    throw cannotWrite(directory, error);
  }
}

function cannotWrite(directory: string, error: unknown): ClfsError {
  return new ClfsError('usage', `Cannot write to ${JSON.stringify(directory)}: ${messageOf(error)}.`, { cause: error });
}

function beside(path: string): string {
  if (dirname(path) === path)
    throw new ClfsError('usage', 'There is no place beside "/" for the state of the export: name one by --state-path.');
  return join(dirname(path), stateName(basename(path)));
}

function stateName(name: string): string {
  return `.${name}.clfsload-export`;
}

function makeMissing(path: Uint8Array): boolean {
  try {
    makeDirectory(CURRENT_DIRECTORY, path, PRIVATE_DIRECTORY);
    return true;
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

function openDirectory(path: Buffer, openUp: boolean): number {
  const open = () => openAt(CURRENT_DIRECTORY, path, Open.readOnly | Open.directory);
  try {
    return open();
  } catch (error) {
    if (!openUp || !(error instanceof PosixError && error.errno === 'EACCES')) throw error;
    chmodSync(path, PRIVATE_DIRECTORY);
    return open();
  }
}

function removeIfEmpty(path: Uint8Array): void {
  try {
    removeAt(CURRENT_DIRECTORY, path, true);
  } catch {
    // Somebody uses it.
  }
}

function isDirectory(path: string): boolean {
  try {
    close(openAt(CURRENT_DIRECTORY, Buffer.from(path), Open.path | Open.directory));
    return true;
  } catch {
    return false;
  }
}

/** The path without symlinks, as far as it is there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { realPathOf } from '../paths/real-path.js';
import { PosixError } from '../posix/posix-error.js';
import { escapePath, quotePath } from '../text/escape-path.js';
import { decodeExactly, encodeExactly, isUtf8 } from '../text/exact-text.js';

/** Where an export goes to. */
export interface TargetPath {
  /** Absolute path of the directory that is written to: the tree's root, or the one that the file goes to. */
  readonly directory: Buffer;
  /** Name of the one file in it; undefined for a tree. */
  readonly name: Buffer | undefined;
  /**
   * Where the state is kept when nobody says where: a path of UTF-8.
   *
   * @throws ClfsError `usage` where there is no such place
   */
  defaultState(): string;
}

/** Name of a file by its path in the container. */
export function fileNameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}

/**
 * Finds out where an export goes to; nothing is made yet.
 *
 * @param target as the user gave it, as text or as bytes
 * @param fileName name of the file that is exported; undefined for a tree
 * @throws ClfsError `usage`
 */
export async function targetPath(target: string | Uint8Array, fileName: Buffer | undefined): Promise<TargetPath> {
  // All paths here are text of `decodeExactly`.
  const given = typeof target === 'string' ? target : decodeExactly(target);
  const path = await realPathOf(resolve(given));
  if (fileName === undefined)
    return { directory: encodeExactly(path), name: undefined, defaultState: () => beside(path) };
  if ((await placeAt(encodeExactly(given))) === 'directory')
    return {
      directory: encodeExactly(path),
      name: fileName,
      defaultState: () => stateIn(path, decodeExactly(fileName)),
    };
  if (given.endsWith('/'))
    throw new ClfsError('usage', `Cannot write into ${quoted(given)}: there is no such directory.`);
  // The last component may be a symlink, which is not followed.
  const directory = await realPathOf(dirname(resolve(given)));
  const name = basename(resolve(given));
  return {
    directory: encodeExactly(directory),
    name: encodeExactly(name),
    defaultState: () => stateIn(directory, name),
  };
}

/**
 * Requires that there is a place for the directory, or the file, that is written: one that a file does not take from a
 * device.
 *
 * @param type of what is exported
 * @throws ClfsError `usage`
 */
export async function requirePlace({ directory, name }: TargetPath, type: ObjectType): Promise<void> {
  const path = name ? joinPath(directory, name) : directory;
  const parent = path.subarray(0, Math.max(1, path.lastIndexOf(0x2f)));
  if ((await placeAt(parent)) === 'nothing')
    throw new ClfsError(
      'usage',
      `Cannot write to ${quotePath(path)}: ${quotePath(parent)} is not an existing directory.`,
    );
  const place = await placeAt(path);
  if (!name && place !== 'nothing' && place !== 'directory')
    throw new ClfsError('usage', `Cannot write to ${quotePath(path)}: it is not a directory.`);
  if (name && type === ObjectType.regular && place === 'special')
    throw new ClfsError(
      'usage',
      `${quotePath(path)} is a device, a pipe or a socket, which an export would replace by a file. "clfsload cat" writes to it as it is.`,
    );
}

function beside(path: string): string {
  if (dirname(path) === path)
    throw new ClfsError('usage', 'There is no place beside "/" for the state of the export: name one by --state-path.');
  return stateIn(dirname(path), basename(path));
}

/**
 * Where the state of an export is kept beside its target.
 *
 * @param name of the target in the directory: text of `decodeExactly`, as the directory
 * @throws ClfsError `usage` where the path would not be UTF-8
 */
export function stateIn(directory: string, name: string): string {
  if (!isUtf8(directory))
    throw new ClfsError(
      'usage',
      `The state of an export is kept beside its target, and its path has to be UTF-8, which ${quoted(directory)} is not: name another place by --state-path.`,
    );
  // A backslash is escaped, too: else a name of such letters would stand for the bytes of another.
  const isPlain = isUtf8(name) && !name.includes('\\');
  return join(directory, `.${isPlain ? name : escapePath(encodeExactly(name))}.clfsload-export`);
}

/** What a path leads to. */
type Place = 'nothing' | 'directory' | 'file' | 'special';

/** What says that a path leads nowhere, or to no place of this user; with any other answer nobody knows where it leads. */
const NOWHERE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES']);

/** @throws ClfsError `usage` where it cannot be told */
async function placeAt(path: Uint8Array): Promise<Place> {
  try {
    const found = await stat(Buffer.from(path));
    if (found.isDirectory()) return 'directory';
    return found.isFile() ? 'file' : 'special';
  } catch (error) {
    const { errno = 0 } = error as NodeJS.ErrnoException;
    const reason = new PosixError('stat', Math.abs(errno));
    if (NOWHERE.has(reason.errno)) return 'nothing';
    throw new ClfsError(
      'usage',
      `Cannot write to ${quotePath(path)}: ${reason.message}. Mend it, and repeat the export.`,
      {
        cause: error,
      },
    );
  }
}

function quoted(path: string): string {
  return quotePath(encodeExactly(path));
}

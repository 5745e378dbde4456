import { ClfsError, messageOf } from '../error.js';
import type { EntryType } from '../format/ids.js';
import { canListAttributes, isOnLustre } from '../posix/extended-attributes.js';
import {
  CURRENT_DIRECTORY,
  close,
  type FileStatus,
  isSameStatus,
  Open,
  openAt,
  PosixError,
  readAt,
  readEntries,
  readLinkAt,
  S_IFMT,
  statAt,
  statFd,
} from '../posix/libc.js';
import { quotePath } from '../text/escape-path.js';
import { placeOf } from './source-place.js';
import {
  type DirectoryIdentity,
  entryFailure,
  type ListedEntry,
  type SourceAttributes,
  type SourceDirectory,
  type SourceFile,
  type SourceTree,
  type Unstorable,
} from './source-tree.js';
import { unstorableAt } from './unstorable.js';

/** Longest piece of a path that is opened in one call: below PATH_MAX. */
const PATH_PIECE_BYTES = 4000;
const LIST_BUFFER_BYTES = 65536;
const READ_FLAGS = Open.readOnly | Open.noFollow | Open.nonBlock;
const DIRECTORY_FLAGS = Open.readOnly | Open.noFollow | Open.directory | Open.nonBlock;

/** Object type by `st_mode >> 12`. */
const TYPE_BY_MODE: Record<number, EntryType | undefined> = { 8: 1, 4: 2, 6: 3, 2: 4, 10: 5, 12: 6, 1: 7 };

/**
 * Opens the tree below `root`, a directory of this machine.
 *
 * The root itself may be named through symlinks; nothing below it is followed.
 *
 * @param open descriptor of the root in this process, `SourceTree.descriptor`: so it is the same directory, whatever its
 *   path has come to lead to
 * @throws ClfsError `source` when it is missing, no directory, or unreadable
 */
export function openPosixSource(root: Uint8Array, open?: number): SourceTree {
  let rootFd: number;
  try {
    const [at, path] = open === undefined ? [CURRENT_DIRECTORY, root] : [open, DOT];
    rootFd = openAt(at, path, Open.readOnly | Open.directory | Open.nonBlock);
  } catch (error) {
    throw new ClfsError('source', `Cannot read the source ${quotePath(root)}: ${reasonText(error)}.`, { cause: error });
  }
  return {
    openDirectory: (path, expected) => openDirectory(rootFd, path, expected),
    descriptor: rootFd,
    place: () => placeOf(root, rootFd),
    close: () => close(rootFd),
  };
}

function openDirectory(rootFd: number, path: Buffer, expected: DirectoryIdentity | undefined): SourceDirectory {
  const fd = openPath(rootFd, path);
  try {
    const status = statFd(fd);
    if (expected && !isDirectory(expected, status))
      throw entryFailure('directory-changed', 'another directory has taken its place since it was listed');
    // A directory that can be listed but not searched gives names whose attributes cannot be read.
    statAt(fd, DOT);
  } catch (error) {
    close(fd);
    throw directoryFailure(error);
  }
  return new PosixDirectory(fd);
}

function isDirectory({ device, inode, bornNs }: DirectoryIdentity, found: FileStatus): boolean {
  if (found.inode !== inode || (device !== undefined && found.device !== device)) return false;
  return bornNs === 0n || found.bornNs === 0n || found.bornNs === bornNs;
}

const DOT = Buffer.from('.');

function openPath(rootFd: number, path: Buffer): number {
  let at = rootFd;
  let rest = path.length === 0 ? DOT : path;
  try {
    for (;;) {
      const cut = rest.length <= PATH_PIECE_BYTES ? rest.length : rest.lastIndexOf(0x2f, PATH_PIECE_BYTES);
      const next = openReading(at, rest.subarray(0, cut), DIRECTORY_FLAGS);
      if (at !== rootFd) close(at);
      at = next;
      if (cut === rest.length) return at;
      rest = rest.subarray(cut + 1);
    }
  } catch (error) {
    if (at !== rootFd) close(at);
    throw directoryFailure(error);
  }
}

/** Opens without touching the access time, where that is allowed: to the owner and to root. */
function openReading(at: number, path: Uint8Array, flags: number): number {
  try {
    return openAt(at, path, flags | Open.noAccessTime);
  } catch (error) {
    if (!(error instanceof PosixError) || error.errno !== 'EPERM') throw error;
    return openAt(at, path, flags);
  }
}

class PosixDirectory implements SourceDirectory {
  readonly #fd: number;
  #lustre: boolean | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  attributes(): SourceAttributes {
    try {
      return attributes(statFd(this.#fd));
    } catch (error) {
      throw directoryFailure(error);
    }
  }

  *list(): Generator<readonly ListedEntry[]> {
    // A descriptor of its own: the position in a directory belongs to the descriptor.
    let fd: number | undefined;
    try {
      fd = openReading(this.#fd, DOT, DIRECTORY_FLAGS);
      const buffer = Buffer.from(new ArrayBuffer(LIST_BUFFER_BYTES));
      for (;;) {
        const entries = readEntries(fd, buffer);
        if (entries.length === 0) return;
        yield entries.map(({ name, type }) => ({ name, type: TYPE_BY_MODE[type] }));
      }
    } catch (error) {
      throw directoryFailure(error);
    } finally {
      if (fd !== undefined) close(fd);
    }
  }

  attributesOf(name: Buffer): SourceAttributes {
    try {
      return attributes(statAt(this.#fd, name));
    } catch (error) {
      throw fileFailure(error);
    }
  }

  readLink(name: Buffer): Buffer {
    try {
      return Buffer.from(readLinkAt(this.#fd, name));
    } catch (error) {
      if (error instanceof PosixError && error.errno === 'EINVAL')
        throw entryFailure('entry-type-changed', 'it is no symbolic link any more', error);
      throw fileFailure(error);
    }
  }

  openFile(name: Buffer): SourceFile {
    let fd: number;
    try {
      fd = openReading(this.#fd, name, READ_FLAGS);
    } catch (error) {
      throw fileFailure(error);
    }
    return new PosixFile(fd);
  }

  unstorableOf(name: Buffer): Unstorable | undefined {
    this.#lustre ??= isOnLustre(this.#fd);
    return CAN_LIST_ATTRIBUTES ? unstorableAt(this.#fd, name, this.#lustre) : undefined;
  }

  close(): void {
    close(this.#fd);
  }
}

const CAN_LIST_ATTRIBUTES = canListAttributes();

class PosixFile implements SourceFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  attributes(): SourceAttributes {
    try {
      return attributes(statFd(this.#fd));
    } catch (error) {
      throw fileFailure(error);
    }
  }

  isUnchanged(before: SourceAttributes): boolean {
    try {
      return isSameStatus(this.#fd, before);
    } catch (error) {
      throw fileFailure(error);
    }
  }

  read(target: Buffer, position: number): number {
    try {
      let at = 0;
      while (at < target.length) {
        const count = readAt(this.#fd, at === 0 ? target : target.subarray(at), position + at);
        if (count === 0) break;
        at += count;
      }
      return at;
    } catch (error) {
      throw fileFailure(error);
    }
  }

  close(): void {
    close(this.#fd);
  }
}

function attributes(status: FileStatus): SourceAttributes {
  const type = TYPE_BY_MODE[(status.mode & S_IFMT) >> 12];
  if (type === undefined)
    throw entryFailure('entry-unreadable', `its type ${(status.mode & S_IFMT).toString(8)} is unknown`);
  // Field by field: this runs twice a file, and a spread costs more than the system call.
  return {
    mode: status.mode,
    type,
    uid: status.uid,
    gid: status.gid,
    linkCount: status.linkCount,
    inode: status.inode,
    sizeBytes: status.sizeBytes,
    mtimeSeconds: status.mtimeSeconds,
    mtimeNanoseconds: status.mtimeNanoseconds,
    ctimeSeconds: status.ctimeSeconds,
    ctimeNanoseconds: status.ctimeNanoseconds,
    atimeSeconds: status.atimeSeconds,
    atimeNanoseconds: status.atimeNanoseconds,
    specialMajor: status.specialMajor,
    specialMinor: status.specialMinor,
    bornNs: status.bornNs,
    device: status.device,
  };
}

function fileFailure(error: unknown): ClfsError {
  if (error instanceof ClfsError) return error;
  const errno = error instanceof PosixError ? error.errno : '';
  if (errno === 'ENOENT')
    return entryFailure('entry-vanished', 'it was there when its directory was listed, and is not any more', error);
  if (errno === 'ELOOP' || errno === 'ENXIO')
    return entryFailure('entry-type-changed', 'it is no regular file any more', error);
  return entryFailure('entry-unreadable', reasonText(error), error);
}

function directoryFailure(error: unknown): ClfsError {
  if (error instanceof ClfsError) return error;
  const errno = error instanceof PosixError ? error.errno : '';
  if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') {
    return entryFailure('directory-changed', 'it was there when its parent was listed, and is not any more', error);
  }
  return entryFailure('directory-unreadable', reasonText(error), error);
}

function reasonText(error: unknown): string {
  return messageOf(error).replace(/^(open|stat|list|read|readlink): /, '');
}

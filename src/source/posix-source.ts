import { ClfsError } from '../error.js';
import { isRemoteFileSystem, isRemoteFileSystemLater } from '../posix/file-system-type.js';
import {
  CURRENT_DIRECTORY,
  close,
  duplicate,
  isUnchangedFd,
  Open,
  openAt,
  pathOfOpen,
  readAt,
  readEntries,
  readLinkAt,
  statAt,
  statFd,
} from '../posix/libc.js';
import { openAtLater, statFdLater } from '../posix/libc-later.js';
import { mountsBelow } from '../posix/mounts.js';
import { openBelow } from '../posix/open-below.js';
import { SharedDescriptor } from '../posix/shared-descriptor.js';
import { quotePath } from '../text/escape-path.js';
import { unlessStopped } from '../waits/waits.js';
import { openDirectoryInPool, PosixAsyncDirectory } from './posix-async-source.js';
import {
  attributes,
  DIRECTORY_FLAGS,
  DOT,
  directoryFailure,
  fileFailure,
  isLeased,
  linkFailure,
  listingFailure,
  mustTouchAccessTime,
  PLACE_FLAGS,
  pathOfLeased,
  READ_FLAGS,
  reasonText,
  requireIdentity,
  TYPE_BY_MODE,
} from './posix-entries.js';
import { hasRemoteBelow, placeOf } from './source-place.js';
import type {
  AsyncSourceDirectory,
  DirectoryIdentity,
  ListedEntry,
  OpenRoot,
  SourceAttributes,
  SourceDirectory,
  SourceFile,
  SourceTree,
  Unstorable,
} from './source-tree.js';
import { UnstorableLooks } from './unstorable.js';

const LIST_BUFFER_BYTES = 65536;

/**
 * Opens the tree below `root`, a directory of this machine.
 *
 * The root itself may be named through symlinks; nothing below it is followed. This waits for the file system, and holds
 * up its thread: see {@link openSource}.
 *
 * @param open the root in this process, `SourceTree.root`: so it is the same directory, whatever its path has come to lead
 *   to, and nothing is waited for
 * @throws ClfsError `source` when it is missing, no directory, or unreadable
 */
export function openPosixSource(root: Uint8Array, open?: OpenRoot): SourceTree {
  let found: OpenRoot;
  try {
    if (open) found = { ...open, descriptor: duplicate(open.descriptor) };
    else {
      const descriptor = openAt(CURRENT_DIRECTORY, root, ROOT_FLAGS);
      const { inode, bornNs } = statFd(descriptor);
      found = describeRoot(descriptor, isRemoteFileSystem(descriptor), { inode, bornNs });
    }
  } catch (error) {
    throw cannotRead(root, error);
  }
  return treeAt(found);
}

/**
 * {@link openPosixSource} by calls that leave the thread free, since a server may never answer.
 *
 * @param signal when it is aborted, the source is not waited for any more
 * @throws ClfsError `source`, `cancelled`
 */
export function openSource(root: Uint8Array, signal?: AbortSignal): Promise<SourceTree> {
  return signal
    ? unlessStopped(
        signal,
        () => openLater(root),
        (late) => late.close(),
      )
    : openLater(root);
}

async function openLater(root: Uint8Array): Promise<SourceTree> {
  try {
    const descriptor = await openAtLater(CURRENT_DIRECTORY, root, ROOT_FLAGS);
    const { inode, bornNs } = await statFdLater(descriptor);
    return treeAt(describeRoot(descriptor, await isRemoteFileSystemLater(descriptor), { inode, bornNs }));
  } catch (error) {
    throw cannotRead(root, error);
  }
}

const ROOT_FLAGS = Open.readOnly | Open.directory | Open.nonBlock;

function cannotRead(root: Uint8Array, error: unknown): ClfsError {
  return new ClfsError('source', `Cannot read the source ${quotePath(root)}: ${reasonText(error)}.`, { cause: error });
}

function describeRoot(descriptor: number, isRemote: boolean, identity: Pick<OpenRoot, 'inode' | 'bornNs'>): OpenRoot {
  return { descriptor, isRemote, mayHang: isRemote || hasRemoteBelow(descriptor), ...identity };
}

function treeAt(root: OpenRoot): SourceTree {
  const { descriptor, isRemote, mayHang } = root;
  const shared = new SharedDescriptor(descriptor);
  return {
    openDirectory: (path, expected) => openDirectory(descriptor, path, expected),
    root,
    place: () => placeOf(root),
    mounts() {
      const path = pathOfOpen(descriptor);
      return path ? mountsBelow(path) : [];
    },
    async: {
      openDirectory: async (path, expected) =>
        new PosixDirectory(await shared.use((at) => openDirectoryInPool(at, path, expected))),
    },
    isRemote,
    mayHang,
    close: () => void shared.close(),
  };
}

function openDirectory(rootFd: number, path: Buffer, expected: DirectoryIdentity | undefined): SourceDirectory {
  let fd: number | undefined;
  try {
    fd = openReading(rootFd, path.length === 0 ? DOT : path, DIRECTORY_FLAGS, openBelow);
    const status = statFd(fd);
    requireIdentity(expected, status);
    // A directory that can be listed but not searched gives names whose attributes cannot be read.
    statAt(fd, DOT);
  } catch (error) {
    if (fd !== undefined) close(fd);
    throw directoryFailure(error);
  }
  return new PosixDirectory(fd);
}

/** Opens what is to be read as a file. It waits for no FIFO, and for whoever has a lease of the file. */
function openFile(at: number, name: Uint8Array): number {
  try {
    return openReading(at, name, READ_FLAGS);
  } catch (error) {
    if (!isLeased(error)) throw error;
    const place = openAt(at, name, PLACE_FLAGS);
    try {
      return openReading(CURRENT_DIRECTORY, pathOfLeased(place, statFd(place), error), Open.readOnly);
    } finally {
      close(place);
    }
  }
}

/** Opens without touching the access time, where that is allowed: to the owner and to root. */
function openReading(
  at: number,
  path: Uint8Array,
  flags: number,
  open: (at: number, path: Uint8Array, flags: number) => number = openAt,
): number {
  try {
    return open(at, path, flags | Open.noAccessTime);
  } catch (error) {
    if (!mustTouchAccessTime(error)) throw error;
    return open(at, path, flags);
  }
}

class PosixDirectory implements SourceDirectory {
  readonly #fd: number;
  /** Once calls in the pool are wanted. */
  #shared: SharedDescriptor | undefined;
  #async: AsyncSourceDirectory | undefined;
  readonly #unstorable = new UnstorableLooks();

  constructor(fd: number) {
    this.#fd = fd;
  }

  get async(): AsyncSourceDirectory {
    this.#shared ??= new SharedDescriptor(this.#fd);
    this.#async ??= new PosixAsyncDirectory(this.#shared, this.#unstorable);
    return this.#async;
  }

  attributes(fresh?: boolean): SourceAttributes {
    try {
      return attributes(statFd(this.#fd, fresh));
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
      throw listingFailure(error);
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
      throw linkFailure(error);
    }
  }

  openFile(name: Buffer): SourceFile {
    let fd: number;
    try {
      fd = openFile(this.#fd, name);
    } catch (error) {
      throw fileFailure(error);
    }
    return new PosixFile(fd);
  }

  unstorableOf(name: Buffer): Unstorable | undefined {
    return this.#unstorable.of(this.#fd, name);
  }

  close(): void {
    if (this.#shared) void this.#shared.close();
    else close(this.#fd);
  }
}

class PosixFile implements SourceFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  attributes(fresh?: boolean): SourceAttributes {
    try {
      return attributes(statFd(this.#fd, fresh));
    } catch (error) {
      throw fileFailure(error);
    }
  }

  isUnchanged(before: SourceAttributes): boolean {
    try {
      return isUnchangedFd(this.#fd, before);
    } catch (error) {
      throw fileFailure(error);
    }
  }

  read(target: Buffer, position: number, enoughBytes = target.length): number {
    try {
      let at = 0;
      while (at < enoughBytes) {
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

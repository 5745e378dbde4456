import type { FileStatus } from '../posix/file-status.js';
import { CURRENT_DIRECTORY, Open, statKnownFd } from '../posix/libc.js';
import {
  closeLater,
  openAtLater,
  readAtLater,
  readEntriesLater,
  readLinkAtLater,
  statAtLater,
  statFdLater,
} from '../posix/libc-later.js';
import { openBelowLater } from '../posix/open-below.js';
import { SharedDescriptor } from '../posix/shared-descriptor.js';
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
  requireIdentity,
  TYPE_BY_MODE,
} from './posix-entries.js';
import type {
  AsyncSourceDirectory,
  AsyncSourceFile,
  DirectoryIdentity,
  ListedEntry,
  SourceAttributes,
  Unstorable,
} from './source-tree.js';
import { isUnchanged } from './unchanged.js';
import type { UnstorableLooks } from './unstorable.js';

const LIST_BUFFER_BYTES = 65536;
/** What is in memory takes a hundredth of this: whoever takes longer has asked a server. */
const ASKS_MS = 0.25;

/**
 * Opens the directory at a path below the root, by calls in the pool.
 *
 * @returns its descriptor, to be closed
 * @throws as `AsyncSourceTree.openDirectory`
 */
export async function openDirectoryInPool(
  root: number,
  path: Buffer,
  expected: DirectoryIdentity | undefined,
): Promise<number> {
  let fd: number | undefined;
  try {
    fd = await openReading(root, path.length === 0 ? DOT : path, DIRECTORY_FLAGS, openBelowLater);
    requireIdentity(expected, await statFdLater(fd));
    // As for the other way: whether it can be searched.
    await statAtLater(fd, DOT);
    return fd;
  } catch (error) {
    if (fd !== undefined) void closeLater(fd);
    throw directoryFailure(error);
  }
}

/** Opens without touching the access time, where that is allowed. */
async function openReading(
  at: number,
  path: Uint8Array,
  flags: number,
  open: (at: number, path: Uint8Array, flags: number) => Promise<number> = openAtLater,
): Promise<number> {
  try {
    return await open(at, path, flags | Open.noAccessTime);
  } catch (error) {
    if (!mustTouchAccessTime(error)) throw error;
    return open(at, path, flags);
  }
}

/** As for the other way: it waits for no FIFO, and for whoever has a lease of the file. */
async function openFile(at: number, name: Uint8Array): Promise<number> {
  try {
    return await openReading(at, name, READ_FLAGS);
  } catch (error) {
    if (!isLeased(error)) throw error;
    const place = await openAtLater(at, name, PLACE_FLAGS);
    try {
      return await openReading(CURRENT_DIRECTORY, pathOfLeased(place, await statFdLater(place), error), Open.readOnly);
    } finally {
      void closeLater(place);
    }
  }
}

/** The calls in the pool of a directory that is open. */
export class PosixAsyncDirectory implements AsyncSourceDirectory {
  readonly #directory: SharedDescriptor;
  readonly #unstorable: UnstorableLooks;
  readonly #known = new KnownLooks();

  constructor(directory: SharedDescriptor, unstorable: UnstorableLooks) {
    this.#directory = directory;
    this.#unstorable = unstorable;
  }

  async attributes(fresh?: boolean): Promise<SourceAttributes> {
    try {
      return attributes(await this.#directory.use((fd) => statFdLater(fd, fresh)));
    } catch (error) {
      throw directoryFailure(error);
    }
  }

  async *list(): AsyncGenerator<readonly ListedEntry[]> {
    let listed: SharedDescriptor | undefined;
    try {
      // A descriptor of its own, as for the other way.
      listed = new SharedDescriptor(await this.#directory.use((at) => openReading(at, DOT, DIRECTORY_FLAGS)));
      const buffer = Buffer.allocUnsafeSlow(LIST_BUFFER_BYTES);
      for (;;) {
        const entries = await listed.use((fd) => readEntriesLater(fd, buffer));
        if (entries.length === 0) return;
        yield entries.map(({ name, type }) => ({ name, type: TYPE_BY_MODE[type] }));
      }
    } catch (error) {
      throw listingFailure(error);
    } finally {
      await listed?.close();
    }
  }

  async attributesOf(name: Buffer): Promise<SourceAttributes> {
    try {
      return attributes(await this.#directory.use((fd) => statAtLater(fd, name)));
    } catch (error) {
      throw fileFailure(error);
    }
  }

  async readLink(name: Buffer): Promise<Buffer> {
    try {
      return await this.#directory.use((fd) => readLinkAtLater(fd, name));
    } catch (error) {
      throw linkFailure(error);
    }
  }

  async openFile(name: Buffer): Promise<AsyncSourceFile> {
    try {
      return new PosixAsyncFile(await this.#directory.use((fd) => openFile(fd, name)), this.#known);
    } catch (error) {
      throw fileFailure(error);
    }
  }

  async unstorableOf(name: Buffer): Promise<Unstorable | undefined> {
    return this.#directory.use((fd) => this.#unstorable.inPool(fd, name));
  }
}

/** Looks at open files that hold up the thread, since they ask nobody. A file system that asks all the same is left alone. */
class KnownLooks {
  #asks = false;

  /** @throws PosixError */
  at(fd: number): FileStatus | undefined {
    if (this.#asks) return undefined;
    const begunMs = performance.now();
    const known = statKnownFd(fd);
    this.#asks = performance.now() - begunMs > ASKS_MS;
    return known;
  }
}

class PosixAsyncFile implements AsyncSourceFile {
  readonly #file: SharedDescriptor;
  readonly #known: KnownLooks;

  constructor(fd: number, known: KnownLooks) {
    this.#file = new SharedDescriptor(fd);
    this.#known = known;
  }

  knownAttributes(): SourceAttributes | undefined {
    try {
      const known = this.#known.at(this.#file.fd);
      return known && attributes(known);
    } catch (error) {
      throw fileFailure(error);
    }
  }

  async attributes(fresh?: boolean): Promise<SourceAttributes> {
    try {
      return attributes(await this.#file.use((fd) => statFdLater(fd, fresh)));
    } catch (error) {
      throw fileFailure(error);
    }
  }

  async isUnchanged(before: SourceAttributes): Promise<boolean> {
    return isUnchanged(before, await this.attributes(true));
  }

  async read(target: Buffer, position: number, enoughBytes = target.length): Promise<number> {
    try {
      return await this.#file.use(async (fd) => {
        let at = 0;
        while (at < enoughBytes) {
          const count = await readAtLater(fd, at === 0 ? target : target.subarray(at), position + at);
          if (count === 0) break;
          at += count;
        }
        return at;
      });
    } catch (error) {
      throw fileFailure(error);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

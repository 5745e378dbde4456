import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  opendirSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { BlobMark } from './container.js';

/** How the names of files begin that are not blobs yet. */
export const TEMPORARY = '.clfsload-put-';

/** Now, or when the file system has answered. */
export type Soon<T> = T | Promise<T>;

/** What has a name in a directory. */
export interface BlobLook {
  readonly isFile: boolean;
  readonly sizeBytes: number;
}

/** Names in a directory, a character a byte. To be closed. */
export interface DirectoryNames {
  /** Some of them; none: that was all. */
  next(): Soon<readonly string[]>;
  close(): Soon<void>;
}

/**
 * What a container on disk asks of its file system, in either of two ways that mean the same: at once, which holds up
 * the thread, or in threads of Node's pool. Each fails with what the system says, with its `code`.
 */
export interface LocalFiles {
  /** undefined: there is nothing. */
  look(path: string | Buffer): Soon<BlobLook | undefined>;
  /**
   * Reads a file. It waits for no FIFO, and for whoever has a lease of the file.
   *
   * @returns its bytes; what it is when it is no file, or has more than `limitBytes`
   */
  read(path: string, limitBytes: number): Soon<Buffer | BlobLook>;
  /** Makes a new file. @returns its descriptor */
  create(path: string): Soon<number>;
  /** Writes a file that was made, and closes it. @param sync whether its bytes are to be durable then */
  fill(fd: number, body: Uint8Array, sync: boolean): Soon<void>;
  /** Gives a file another name beside the one it has. */
  link(path: string, to: string): Soon<void>;
  rename(path: string, to: string): Soon<void>;
  remove(path: string): Soon<void>;
  openDirectory(path: string): Soon<DirectoryNames>;
  /** What tells whether the directory that is open was changed. */
  times(fd: number): Soon<BigIntStats>;
  /** undefined: there is nothing. */
  mark(path: string): Soon<BlobMark | undefined>;
  /** Which directory a path leads to, as {@link identityOf} has it. */
  identity(path: string): Soon<string>;
}

/** How a file is opened that is read: a FIFO is not waited for. */
export const READING = constants.O_RDONLY | constants.O_NONBLOCK;
/** How one is opened of which another process has a lease, as servers of files take them: until it is given up. */
export const WAITING = constants.O_RDONLY;
/** How one is made. */
export const MAKING = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
export const MODE = 0o644;
/** Names that are given at once. */
export const NAMES_AT_ONCE = 1000;
/** How a directory is read: a name is listed also if it is no text. */
export const LISTING = { bufferSize: 1024, encoding: 'latin1' } as const;
/** What opening fails with that is no file, nor a directory. */
const NO_FILE = new Set(['ENXIO', 'ENODEV']);

/** What tells a directory from others. */
export function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`;
}

/** What tells a file from copies of it. */
export function markOf({ ino: inode, ctimeNs: changedNs }: BigIntStats): BlobMark {
  return { inode, changedNs };
}

/** {@link LocalFiles} that hold up the thread. */
export const LOCAL_FILES: LocalFiles = {
  look(path) {
    const status = statSync(path, { throwIfNoEntry: false });
    return status && lookOf(status);
  },
  read(path, limitBytes) {
    let fd: number;
    try {
      fd = openSync(path, READING);
    } catch (error) {
      if (isNoFile(error)) return NOTHING_TO_READ;
      if (!isLeased(error)) throw error;
      const look = lookOf(statSync(path));
      if (!look.isFile) return look;
      fd = openSync(path, WAITING);
    }
    try {
      const look = lookOf(fstatSync(fd));
      if (!look.isFile || look.sizeBytes > limitBytes) return look;
      const bytes = Buffer.allocUnsafe(look.sizeBytes);
      let at = 0;
      for (let count = -1; at < bytes.length && count !== 0; at += count)
        count = readSync(fd, bytes, at, bytes.length - at, at);
      return bytes.subarray(0, at);
    } finally {
      closeSync(fd);
    }
  },
  create: (path) => openSync(path, MAKING, MODE),
  fill(fd, body, sync) {
    try {
      for (let at = 0; at < body.length; ) at += writeSync(fd, body, at, body.length - at);
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
  link: linkSync,
  rename: renameSync,
  remove: unlinkSync,
  openDirectory(path) {
    const directory = opendirSync(path, LISTING);
    return {
      next() {
        const names: string[] = [];
        while (names.length < NAMES_AT_ONCE) {
          const entry = directory.readSync();
          if (!entry) break;
          names.push(entry.name);
        }
        return names;
      },
      close: () => directory.closeSync(),
    };
  },
  times: (fd) => fstatSync(fd, { bigint: true }),
  mark(path) {
    const status = statSync(path, { bigint: true, throwIfNoEntry: false });
    return status && markOf(status);
  },
  identity: (path) => identityOf(statSync(path, { bigint: true })),
};

/** What is neither file nor directory, and cannot be opened. */
export const NOTHING_TO_READ: BlobLook = { isFile: false, sizeBytes: 0 };

export function isNoFile(error: unknown): boolean {
  return NO_FILE.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether a file was not opened, without waiting, since somebody has a lease of it. */
export function isLeased(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

export function lookOf(status: Stats): BlobLook {
  return { isFile: status.isFile(), sizeBytes: status.size };
}

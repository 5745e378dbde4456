import { close, existsSync, open, read, write } from 'node:fs';
import { decodeStatus, type FileStatus, STATUS_BYTES } from './file-status.js';
import { koffi } from './koffi.js';
import {
  cString,
  decodeEntries,
  encodeDevice,
  type FileTime,
  Open,
  ofOpenFile,
  type RawEntry,
  SYS_GETDENTS64,
  timespecs,
  waitsFromNowOn,
} from './libc.js';
import { UNKNOWN_THERE } from './libc-change.js';
import { openedByNode } from './opened-by-node.js';
import { type BoundCall, callInPool } from './pool-calls.js';
import { PosixError, wouldWait } from './posix-error.js';

/*
 * Calls of `libc.ts` and `libc-change.ts` that wait in a thread of Node's pool, several at once: for file systems of
 * which a call takes long. They mean what those of the same name mean, and reject with the same errors.
 *
 * What Node has itself is called by Node. Of the others more at once than `CALLS_AT_ONCE` in one thread cost more each.
 * A descriptor is to be closed when all calls by it have ended.
 */

const c = koffi.load(null as unknown as string);
const openat = c.func('int openat(int, const void *, int, uint32_t)');
const statx = c.func('int statx(int, const void *, int, uint32_t, void *)');
const readlinkat = c.func('int64_t readlinkat(int, const void *, void *, size_t)');
const getdents = c.func('int64_t syscall(int64_t, int, void *, size_t)');
const ftruncate = c.func('int ftruncate64(int, int64_t)');
const closeFd = c.func('int close(int)');
const syncfs = c.func('int syncfs(int)');
const mknodat = c.func('int mknodat(int, const void *, uint32_t, uint64_t)');
const mkdirat = c.func('int mkdirat(int, const void *, uint32_t)');
const symlinkat = c.func('int symlinkat(const void *, int, const void *)');
const linkat = c.func('int linkat(int, const void *, int, const void *, int)');
const unlinkat = c.func('int unlinkat(int, const void *, int)');
const utimensat = c.func('int utimensat(int, const void *, const void *, int)');
const futimens = c.func('int futimens(int, const void *)');
const fchown = c.func('int fchown(int, uint32_t, uint32_t)');
const fchownat = c.func('int fchownat(int, const void *, uint32_t, uint32_t, int)');
const fchmod = c.func('int fchmod(int, uint32_t)');
const chmod = c.func('int chmod(const void *, uint32_t)');
const renameat = c.func('int renameat(int, const void *, int, const void *)');
const renameat2 = c.func('int64_t syscall(int64_t, int, const void *, int, const void *, uint32_t)');

const SYS_RENAMEAT2 = process.arch === 'arm64' ? 276n : 316n;
const RENAME_NOREPLACE = 1;
const LINK_BYTES = 4096;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const STATX_WANTED = 0xfff;
const SLASH = 0x2f;
/** Where each descriptor of the process has a path. */
const DESCRIPTORS = '/proc/self/fd';
const hasDescriptors = existsSync(DESCRIPTORS);
/** Bytes of a path for which there is room behind that of a descriptor. */
const LONGEST_BELOW = 4000;
const EMPTY_PATH = Buffer.from([0]);

export async function openAtLater(at: number, path: Uint8Array, flags: number, mode = 0): Promise<number> {
  const place = placeOf(at, path);
  if (!place) return run('open', openat, at, cString(path), flags | Open.closeOnExec, mode);
  const fd = await runInNode('open', (done) => open(place, flags | Open.closeOnExec, mode, done));
  openedByNode.add(fd);
  return fd;
}

export async function statAtLater(at: number, name: Uint8Array): Promise<FileStatus> {
  const status = Buffer.alloc(STATUS_BYTES);
  await run('stat', statx, at, cString(name), AT_SYMLINK_NOFOLLOW, STATX_WANTED, status);
  return decodeStatus(status);
}

export async function lookAtLater(at: number, name: Uint8Array): Promise<FileStatus | undefined> {
  try {
    return await statAtLater(at, name);
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'ENOENT') return undefined;
    throw error;
  }
}

export async function statFdLater(fd: number, fresh = false): Promise<FileStatus> {
  const status = Buffer.alloc(STATUS_BYTES);
  await run('stat', statx, fd, EMPTY_PATH, ofOpenFile(fresh), STATX_WANTED, status);
  return decodeStatus(status);
}

/** Reads into `target`, which must not be touched before the end. */
export async function readAtLater(fd: number, target: Buffer, position: number): Promise<number> {
  const reading = () => runInNode('read', (done) => read(fd, target, 0, target.length, position, done));
  try {
    return await reading();
  } catch (error) {
    if (!wouldWait(error) || !waitsFromNowOn(fd)) throw error;
    return reading();
  }
}

export async function readLinkAtLater(at: number, name: Uint8Array): Promise<Buffer> {
  for (let size = LINK_BYTES; ; size *= 2) {
    const target = Buffer.allocUnsafeSlow(size);
    const length = await run('readlink', readlinkat, at, cString(name), target, size);
    if (length < size) return target.subarray(0, length);
  }
}

/** @param buffer what the system fills; not touched before the end */
export async function readEntriesLater(fd: number, buffer: Buffer): Promise<readonly RawEntry[]> {
  for (;;) {
    const length = await run('list', getdents, SYS_GETDENTS64, fd, buffer, buffer.length);
    const entries = decodeEntries(buffer.subarray(0, length));
    if (length === 0 || entries.length > 0) return entries;
  }
}

/** Writes all of the bytes. They must not be touched before the end. */
export async function writeLater(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const rest = at === 0 ? bytes : bytes.subarray(at);
    const from = position + at;
    at += await runInNode('write', (done) => write(fd, rest, 0, rest.length, from, done));
  }
}

export async function truncateLater(fd: number, sizeBytes: number): Promise<void> {
  await run('truncate', ftruncate, fd, sizeBytes);
}

export async function makeDirectoryLater(at: number, name: Uint8Array, mode: number): Promise<void> {
  await run('mkdir', mkdirat, at, cString(name), mode);
}

export async function makeSymlinkLater(target: Uint8Array, at: number, name: Uint8Array): Promise<void> {
  await run('symlink', symlinkat, cString(target), at, cString(name));
}

export async function makeLinkLater(fromAt: number, from: Uint8Array, at: number, name: Uint8Array): Promise<void> {
  await run('link', linkat, fromAt, cString(from), at, cString(name), 0);
}

export async function makeNodeLater(
  at: number,
  name: Uint8Array,
  mode: number,
  major: number,
  minor: number,
): Promise<void> {
  await run('mknod', mknodat, at, cString(name), mode, encodeDevice(major, minor));
}

export async function removeAtLater(at: number, name: Uint8Array, directory = false): Promise<void> {
  await run('remove', unlinkat, at, cString(name), directory ? AT_REMOVEDIR : 0);
}

export async function renameAtLater(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): Promise<void> {
  await run('rename', renameat, at, cString(name), toAt, cString(toName));
}

export async function renameNewLater(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): Promise<boolean> {
  try {
    await run('rename', renameat2, SYS_RENAMEAT2, at, cString(name), toAt, cString(toName), RENAME_NOREPLACE);
    return true;
  } catch (error) {
    if (error instanceof PosixError && UNKNOWN_THERE.has(error.errno)) return false;
    throw error;
  }
}

export async function setTimesLater(at: number, name: Uint8Array, atime: FileTime, mtime: FileTime): Promise<void> {
  await run('utimensat', utimensat, at, cString(name), timespecs(atime, mtime), AT_SYMLINK_NOFOLLOW);
}

export async function setTimesFdLater(fd: number, atime: FileTime, mtime: FileTime): Promise<void> {
  await run('futimens', futimens, fd, timespecs(atime, mtime));
}

export async function setOwnerFdLater(fd: number, uid: number, gid: number): Promise<void> {
  await run('chown', fchown, fd, uid, gid);
}

export async function setOwnerOfPlaceLater(fd: number, uid: number, gid: number): Promise<void> {
  await run('chown', fchownat, fd, EMPTY_PATH, uid, gid, AT_EMPTY_PATH);
}

export async function setModeFdLater(fd: number, mode: number): Promise<void> {
  await run('chmod', fchmod, fd, mode);
}

export async function setModeOfPlaceLater(fd: number, mode: number): Promise<void> {
  await run('chmod', chmod, cString(Buffer.from(`/proc/self/fd/${fd}`)), mode);
}

/** Errors are ignored. */
export async function closeLater(fd: number): Promise<void> {
  await closeWrittenLater(fd).catch(() => undefined);
}

export async function closeWrittenLater(fd: number): Promise<void> {
  if (openedByNode.delete(fd)) await runInNode<void>('close', (done) => close(fd, done));
  else await run('close', closeFd, fd);
}

export async function syncFileSystemLater(fd: number): Promise<void> {
  await run('sync', syncfs, fd);
}

/** @returns a path by which Node can open what is below an open directory; undefined where there is none */
function placeOf(at: number, path: Uint8Array): Buffer | undefined {
  if (at < 0) return Buffer.from(path);
  const isBelow = path.length > 0 && path.length < LONGEST_BELOW && path[0] !== SLASH;
  return hasDescriptors && isBelow ? Buffer.concat([Buffer.from(`${DESCRIPTORS}/${at}/`), path]) : undefined;
}

/** Makes a call that Node has itself. */
function runInNode<T = number>(
  call: string,
  make: (done: (error: NodeJS.ErrnoException | null, result: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    make((error, result) => {
      if (error) reject(error.errno === undefined ? error : new PosixError(call, -error.errno));
      else resolve(result);
    });
  });
}

function run(call: string, bound: BoundCall, ...how: unknown[]): Promise<number> {
  return callInPool(bound, how, (errno) => new PosixError(call, errno));
}

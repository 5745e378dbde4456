import { koffi } from './koffi.js';
import { CURRENT_DIRECTORY, close, cString, failed, Open, openAt } from './libc.js';
import { closeLater, openAtLater } from './libc-later.js';
import { callInPool } from './pool-calls.js';
import { PosixError } from './posix-error.js';

const openat2 = koffi
  .load(null as unknown as string)
  .func('int64_t syscall(int64_t, int, const void *, const void *, size_t)');

/** Number of openat2, the same on all machines. Source: openat2(2), since Linux 5.6. */
const SYS_OPENAT2 = 437n;
const RESOLVE_NO_SYMLINKS = 4n;
const HOW_BYTES = 24;

/** Longest path that is opened in one call: below PATH_MAX. */
const LONGEST_BYTES = 4000;
/** For a directory on the way: it need not be readable. */
const STEP_FLAGS = Open.path | Open.noFollow | Open.directory;
const SLASH = 0x2f;
const howByFlags = new Map<number, Buffer>();

/** Whether the system opens a path of several components without following a symlink in any of them. */
const opensPaths = canOpenPaths();

/**
 * Opens `path` below the directory `root`, and follows no symlink, in whatever component: with `Open.noFollow` alone a
 * symlink is refused in the last one only, and one that has taken the place of a directory on the way leads out of the
 * tree.
 *
 * @param path components joined by `/`, none of them `..`
 * @param byPaths false: component by component, as where the system knows no other way
 * @throws PosixError; for a symlink ELOOP or ENOTDIR
 */
export function openBelow(root: number, path: Uint8Array, flags: number, byPaths = opensPaths): number {
  let at = root;
  try {
    for (const { piece, isLast } of piecesOf(path, byPaths)) {
      const next = openPiece(at, piece, isLast ? flags | Open.noFollow : STEP_FLAGS);
      if (at !== root) close(at);
      at = next;
    }
    return at;
  } catch (error) {
    if (at !== root) close(at);
    throw error;
  }
}

/** {@link openBelow} by calls in the pool. */
export async function openBelowLater(
  root: number,
  path: Uint8Array,
  flags: number,
  byPaths = opensPaths,
): Promise<number> {
  let at = root;
  try {
    for (const { piece, isLast } of piecesOf(path, byPaths)) {
      const next = await openPieceLater(at, piece, isLast ? flags | Open.noFollow : STEP_FLAGS);
      if (at !== root) void closeLater(at);
      at = next;
    }
    return at;
  } catch (error) {
    if (at !== root) void closeLater(at);
    throw error;
  }
}

/** What is opened in one call each, relative to what was opened before. */
function* piecesOf(path: Uint8Array, byPaths: boolean): Generator<{ piece: Uint8Array; isLast: boolean }> {
  for (let rest = path; ; ) {
    const end = byPaths && rest.length <= LONGEST_BYTES ? -1 : slashIn(rest, byPaths);
    yield { piece: end < 0 ? rest : rest.subarray(0, end), isLast: end < 0 };
    if (end < 0) return;
    rest = rest.subarray(end + 1);
  }
}

function slashIn(path: Uint8Array, byPaths: boolean): number {
  return byPaths ? path.lastIndexOf(SLASH, LONGEST_BYTES) : path.indexOf(SLASH);
}

function openPiece(at: number, piece: Uint8Array, flags: number): number {
  if (!piece.includes(SLASH)) return openAt(at, piece, flags);
  const fd = Number(openat2(SYS_OPENAT2, at, cString(piece), howTo(flags), HOW_BYTES));
  return fd < 0 ? failed('open') : fd;
}

function openPieceLater(at: number, piece: Uint8Array, flags: number): Promise<number> {
  if (!piece.includes(SLASH)) return openAtLater(at, piece, flags);
  const how = [SYS_OPENAT2, at, cString(piece), howTo(flags), HOW_BYTES];
  return callInPool(openat2, how, (errno) => new PosixError('open', errno));
}

/** `struct open_how`: flags, mode, and how the path is resolved. */
function howTo(flags: number): Buffer {
  let how = howByFlags.get(flags);
  if (!how) {
    how = Buffer.alloc(HOW_BYTES);
    how.writeBigUInt64LE(BigInt(flags | Open.closeOnExec), 0);
    how.writeBigUInt64LE(RESOLVE_NO_SYMLINKS, 16);
    howByFlags.set(flags, how);
  }
  return how;
}

/** Old kernels do not know the call, and some containers refuse it. */
function canOpenPaths(): boolean {
  const how = howTo(Open.path | Open.directory);
  const fd = Number(openat2(SYS_OPENAT2, CURRENT_DIRECTORY, cString(Buffer.from('/')), how, HOW_BYTES));
  if (fd >= 0) close(fd);
  return fd >= 0;
}

import { constants as system } from 'node:os';
import type { Attributes } from '../../format/attributes.js';
import { ObjectType } from '../../format/ids.js';
import { Open, PosixError, S_IFMT } from '../../posix/libc.js';
import type { TargetCalls } from './target-calls.js';

const IS_ROOT = process.getuid?.() === 0;

/**
 * Gives an open file or directory its owner (as root), its mode and its times, in the order in which none undoes
 * another.
 *
 * @throws PosixError
 */
export function giveAttributesFd(calls: TargetCalls, fd: number, attributes: Attributes): void {
  giveOwnerAndModeFd(calls, fd, attributes);
  calls.setTimesFd(fd, attributes.atime, attributes.mtime);
}

/** {@link giveAttributesFd} without the times. @throws PosixError */
export function giveOwnerAndModeFd(calls: TargetCalls, fd: number, attributes: Attributes): void {
  if (IS_ROOT) calls.setOwnerFd(fd, attributes.uid, attributes.gid);
  calls.setModeFd(fd, permissions(attributes));
}

/**
 * {@link giveOwnerAndModeFd} for a symlink, device, fifo or socket, which is opened as a place only.
 *
 * What has its name meanwhile may be somebody else's symlink, or a file: that gets no owner and no mode.
 *
 * @throws PosixError
 */
export function giveOwnerAndModeAt(calls: TargetCalls, at: number, name: Uint8Array, attributes: Attributes): void {
  const place = calls.openAt(at, name, Open.path | Open.noFollow);
  try {
    if ((calls.statFd(place).mode & S_IFMT) !== (attributes.mode & S_IFMT))
      throw new PosixError('chmod', system.errno.ESTALE);
    if (IS_ROOT) calls.setOwnerOfPlace(place, attributes.uid, attributes.gid);
    if (attributes.type !== ObjectType.symlink) calls.setModeOfPlace(place, permissions(attributes));
  } finally {
    calls.close(place);
  }
}

/** {@link giveAttributesFd} for a directory, also for one that must not be read. @throws PosixError */
export function giveAttributesToDirectory(
  calls: TargetCalls,
  at: number,
  name: Uint8Array,
  attributes: Attributes,
): void {
  const flags = Open.directory | Open.noFollow;
  let fd: number;
  try {
    fd = calls.openAt(at, name, Open.readOnly | flags);
  } catch (error) {
    if (!(error instanceof PosixError && error.errno === 'EACCES')) throw error;
    giveAttributesToPlace(calls, at, name, attributes);
    return;
  }
  try {
    giveAttributesFd(calls, fd, attributes);
  } finally {
    calls.close(fd);
  }
}

/** Only without root: whoever is root can open it. */
function giveAttributesToPlace(calls: TargetCalls, at: number, name: Uint8Array, attributes: Attributes): void {
  const fd = calls.openAt(at, name, Open.path | Open.directory | Open.noFollow);
  try {
    calls.setModeOfPlace(fd, permissions(attributes));
  } finally {
    calls.close(fd);
  }
  calls.setTimes(at, name, attributes.atime, attributes.mtime);
}

/** Without root the owner is another one: set-id bits would then give away what they should not. */
function permissions({ mode }: Attributes): number {
  return IS_ROOT ? mode & 0o7777 : mode & 0o1777;
}

import { randomBytes, randomUUID } from 'node:crypto';
import { ClfsError, messageOf } from '../../error.js';
import type { FileStatus } from '../../posix/file-status.js';
import { Open } from '../../posix/libc.js';
import {
  closeLater,
  closeWrittenLater,
  makeDirectoryLater,
  openAtLater,
  readAtLater,
  readEntriesLater,
  removeAtLater,
  setOwnerFdLater,
  statFdLater,
  writeLater,
} from '../../posix/libc-later.js';
import { PosixError } from '../../posix/posix-error.js';

/*
 * A directory in the target by which machines find out that they write to the same one, with the same rights. It is a
 * directory of its own, since what is made in it leaves the times of the target alone.
 */

/** What another machine must find. Plain data. */
export interface TargetProbe {
  /** Name of the directory in the target's root. */
  readonly name: Uint8Array;
  /** What the driver has written into it. */
  readonly token: Uint8Array;
  /** Who owns what the driver makes there. */
  readonly owner: Owner;
  /** Whether the driver may give a file to somebody else. */
  readonly mayGive: boolean;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const TOKEN = Buffer.from('token');
const TOKEN_BYTES = 32;
const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;
const DIRECTORY_FLAGS = Open.readOnly | Open.directory | Open.noFollow;
const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
/** Somebody else than whoever runs this. */
const OTHER_OWNER = 1;
/** How often a directory in which somebody makes files meanwhile is emptied. */
const MOST_TRIES = 100;

/** Makes the probe; one that a session before has left is replaced. @throws PosixError */
export async function makeProbe(root: number, name: Buffer): Promise<TargetProbe> {
  await removeProbe(root, name);
  await makeDirectoryLater(root, name, PRIVATE_DIRECTORY);
  const at = await openAtLater(root, name, DIRECTORY_FLAGS);
  try {
    const token = randomBytes(TOKEN_BYTES);
    const made = await makeFile(at, TOKEN, token);
    return { name, token, ...made };
  } finally {
    await closeLater(at);
  }
}

/** Removes the probe, whatever other machines are about to do in it; does nothing when there is none. @throws PosixError */
export async function removeProbe(root: number, name: Buffer): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await empty(root, name);
      await removeAtLater(root, name, true);
      return;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return;
      if (!isErrno(error, 'ENOTEMPTY') || tries === MOST_TRIES) throw error;
    }
  }
}

/**
 * Makes sure that a target is the one in which somebody else has made a probe, and that as much may be done in it.
 *
 * @throws ClfsError `target`
 */
export async function requireProbe(root: number, { name, token, owner, mayGive }: TargetProbe): Promise<void> {
  let at: number;
  try {
    at = await openAtLater(root, name, DIRECTORY_FLAGS);
  } catch (error) {
    throw refusal(
      `its target is another directory, or the export is about to end: the driver's probe is not there`,
      error,
    );
  }
  try {
    if (!(await readToken(at)).equals(token)) throw refusal('its target is another directory: it has another probe');
    const own = Buffer.from(`worker-${randomUUID()}`);
    const made = await makeFile(at, own, Buffer.alloc(0));
    await removeAtLater(at, own);
    if (made.owner.uid !== owner.uid || made.owner.gid !== owner.gid)
      throw refusal(
        `what it makes in the target belongs to ${made.owner.uid}:${made.owner.gid}, what the driver makes to ${owner.uid}:${owner.gid}; run it as the same user, without root squash`,
      );
    if (mayGive && !made.mayGive) throw refusal('it may not change owners in the target, which the driver may');
  } catch (error) {
    if (error instanceof PosixError) throw refusal(`it may not write to the target: ${messageOf(error)}`, error);
    throw error;
  } finally {
    await closeLater(at);
  }
}

async function makeFile(at: number, name: Buffer, bytes: Uint8Array): Promise<Pick<TargetProbe, 'owner' | 'mayGive'>> {
  const fd = await openAtLater(at, name, CREATE_FLAGS, PRIVATE_FILE);
  let status: FileStatus;
  let mayGive = true;
  try {
    if (bytes.length > 0) await writeLater(fd, bytes, 0);
    status = await statFdLater(fd);
    await setOwnerFdLater(fd, OTHER_OWNER, OTHER_OWNER);
    await setOwnerFdLater(fd, status.uid, status.gid);
  } catch (error) {
    if (!isErrno(error, 'EPERM')) throw error;
    status = await statFdLater(fd);
    mayGive = false;
  } finally {
    await closeWrittenLater(fd);
  }
  return { owner: { uid: status.uid, gid: status.gid }, mayGive };
}

async function readToken(at: number): Promise<Buffer> {
  const fd = await openAtLater(at, TOKEN, Open.readOnly | Open.noFollow);
  try {
    const bytes = Buffer.alloc(TOKEN_BYTES);
    return bytes.subarray(0, await readAtLater(fd, bytes, 0));
  } finally {
    await closeLater(fd);
  }
}

async function empty(root: number, name: Buffer): Promise<void> {
  const at = await openAtLater(root, name, DIRECTORY_FLAGS);
  try {
    const buffer = Buffer.alloc(4096);
    const names: Uint8Array[] = [];
    for (let found = await readEntriesLater(at, buffer); found.length > 0; found = await readEntriesLater(at, buffer))
      names.push(...found.map((entry) => Buffer.from(entry.name)));
    for (const each of names) {
      try {
        await removeAtLater(at, each);
      } catch (error) {
        // Whoever has made it was quicker.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  } finally {
    await closeLater(at);
  }
}

function isErrno(error: unknown, name: string): boolean {
  return error instanceof PosixError && error.errno === name;
}

function refusal(text: string, cause?: unknown): ClfsError {
  return new ClfsError('target', `${text}.`, { cause });
}

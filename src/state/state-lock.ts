import { ClfsError, messageOf } from '../error.js';
import { isUnlocked, tryLock } from '../posix/libc.js';

/** How often, and how long each time, the lock is waited for while somebody only looks at it. */
const MOST_WAITS = 100;
const WAIT_MS = 10;

/**
 * Takes the lock of a state directory, by its open file.
 *
 * @throws ClfsError `state-busy` when another process has it; `state` where there are no locks
 */
export function requireLock(fd: number, path: string): void {
  const quoted = JSON.stringify(path);
  let isTaken: boolean;
  try {
    isTaken = takeLock(fd);
  } catch (cause) {
    throw new ClfsError(
      'state',
      `Cannot lock the state directory ${quoted}: ${messageOf(cause)}. Without locks two processes could go on with one job. Have them work there (NFS: its lock service, or version 4; Lustre: mount it with -o flock), or name a --state-path on a disk of this machine.`,
      { cause },
    );
  }
  if (!isTaken)
    throw new ClfsError(
      'state-busy',
      `Another process is working on the job in ${quoted}. Wait for it, or stop it first.`,
    );
}

/** Waits out those who only look. @returns false when another process works on the job */
function takeLock(fd: number): boolean {
  for (let waits = 0; !tryLock(fd); waits++) {
    if (waits === MOST_WAITS || !isUnlocked(fd)) return false;
    pause();
  }
  return true;
}

/** Holds up the thread for a moment. */
export function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
}

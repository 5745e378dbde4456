import { constants } from 'node:os';

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** A C library call that failed. */
export class PosixError extends Error {
  /** Such as `open`. */
  readonly call: string;
  /** Such as `ENOENT`. */
  readonly errno: string;

  constructor(call: string, errno: number) {
    const name = ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
    const text = ERRNO_TEXTS[name];
    super(`${call}: ${text === undefined ? name : `${text} (${name})`}`);
    this.name = 'PosixError';
    this.call = call;
    this.errno = name;
  }
}

const ERRNO_TEXTS: Record<string, string> = {
  EACCES: 'permission denied',
  ECONNABORTED: 'connection aborted',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file exists',
  EFBIG: 'file too large',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'no route to host',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'is a symbolic link',
  EMFILE: 'too many open files of the process; "ulimit -n" raises their number',
  ENFILE: 'too many open files of the machine',
  ENOENT: 'no such file or directory',
  ENOLCK: 'no locks available',
  ENOSPC: 'no space left on device',
  ENOSYS: 'function not implemented',
  ENOTCONN: 'not connected',
  ENOTDIR: 'not a directory',
  EOPNOTSUPP: 'operation not supported',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  ESHUTDOWN: 'connection was shut down',
  ESTALE: 'stale file handle',
  ETIMEDOUT: 'connection timed out',
};

/** Whether a call that waits for nothing was refused since it would have had to wait. */
export function wouldWait(error: unknown): boolean {
  return error instanceof PosixError && (error.errno === 'EWOULDBLOCK' || error.errno === 'EAGAIN');
}

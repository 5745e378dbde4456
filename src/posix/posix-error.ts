import { constants } from 'node:os';

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** A C library call that failed. */
export class PosixError extends Error {
  /** Such as `ENOENT`. */
  readonly errno: string;

  constructor(call: string, errno: number) {
    const name = ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
    const text = ERRNO_TEXTS[name];
    super(`${call}: ${text === undefined ? name : `${text} (${name})`}`);
    this.name = 'PosixError';
    this.errno = name;
  }
}

const ERRNO_TEXTS: Record<string, string> = {
  EACCES: 'permission denied',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file exists',
  EFBIG: 'file too large',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'is a symbolic link',
  EMFILE: 'too many open files of the process',
  ENFILE: 'too many open files of the machine',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
  ESTALE: 'stale file handle',
};

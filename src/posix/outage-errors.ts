import { PosixError } from './posix-error.js';

/** Errors that calls have while a server is away, or a disk; each of them can also be that of one entry. */
const OUTAGE = new Set([
  'ECONNABORTED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EIO',
  'ENOTCONN',
  'ESHUTDOWN',
  'ESTALE',
  'ETIMEDOUT',
]);

/** Whether a call may have failed since its whole file system is away. */
export function mayBeOutage(error: unknown): error is PosixError {
  return error instanceof PosixError && OUTAGE.has(error.errno);
}

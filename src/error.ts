/**
 * Codes of {@link ClfsError}; `docs/errors.md` says what each means and what to do.
 */
export type ErrorCode =
  | 'format' // bytes that are not what the format document allows
  | 'usage' // a wrong argument or combination of arguments
  | 'source' // the source tree as a whole cannot be used
  | 'state' // the state directory or its database cannot be used
  | 'state-busy' // another live process uses the state directory
  | 'container' // the destination or the container read cannot be used
  | 'container-missing' // the container does not exist (any more)
  | 'container-not-empty' // a new job found something in its container
  | 'container-other' // the container belongs to another job
  | 'container-differs' // before the commit, the container does not hold exactly what the job put
  | 'unsafe-removal' // a removal was refused, since it would have taken away what counts
  | 'access-denied' // the service refused the credential
  | 'service' // the service answered something that no retry mends
  | 'service-unavailable' // no usable answer within the retry window
  | 'not-found' // a blob, or a path in a container, does not exist
  | 'unreadable' // a blob is there and cannot be read, while others of its container can
  | 'target' // what an export, a report or standard output is written to cannot be written
  | 'temporary' // a temporary file cannot be made, written or read
  | 'exists' // a conditional create found the blob there
  | 'entry' // one entry of the source cannot be loaded; see `reason`
  | 'open-files' // the process, or the machine, has no further file descriptor
  | 'cancelled' // the caller's signal was aborted
  | 'worker' // a thread died
  | 'workers'; // the server of workers on other machines cannot be used

/** The one error class: a message for people, a code for programs, and the cause when there is one. */
export class ClfsError extends Error {
  readonly code: ErrorCode;
  /** With code `entry`: why. */
  readonly reason: string | undefined;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown; readonly reason?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ClfsError';
    this.code = code;
    this.reason = options?.reason;
  }
}

/** Says whether `error` is a {@link ClfsError}, of one of the given codes when there are any. */
export function isClfsError(error: unknown, ...codes: readonly ErrorCode[]): error is ClfsError {
  return error instanceof ClfsError && (codes.length === 0 || codes.includes(error.code));
}

/** Message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClfsError, messageOf } from '../error.js';

/**
 * A file for what does not fit into memory, in the directory for temporary files (`TMPDIR`, else `/tmp`).
 *
 * It has no name from the start: it is gone when it is closed, and when the process dies, however it dies.
 */
export class TemporaryFile {
  readonly #fd: number;
  #closed = false;

  /** @throws ClfsError `temporary` */
  constructor() {
    this.#fd = withTemporaryPath((path) => openSync(path, 'wx+', 0o600));
  }

  /** Writes all of `bytes` at `position`. @throws ClfsError `temporary`, also when the disk is full */
  write(bytes: Uint8Array, position: number): void {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at, position + at);
    } catch (error) {
      throw temporaryError('write', error);
    }
  }

  /** Fills `target` from `position` on. @throws ClfsError `temporary`, also when there is less than that */
  read(target: Uint8Array, position: number): void {
    readWhole(this.#fd, target, position);
  }

  /** By which other threads can read it, see {@link SharedTemporaryFile}, as long as it is open. */
  get descriptor(): number {
    return this.#fd;
  }

  close(): void {
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
  }
}

/** A temporary file of another thread, which keeps it open: the descriptors of a process are those of all its threads. */
export class SharedTemporaryFile {
  readonly #fd: number;

  /** @param descriptor that thread's {@link TemporaryFile.descriptor} */
  constructor(descriptor: number) {
    this.#fd = descriptor;
  }

  /** As {@link TemporaryFile.read} does. @throws ClfsError `temporary` */
  read(target: Uint8Array, position: number): void {
    readWhole(this.#fd, target, position);
  }

  /** Its owner closes it. */
  close(): void {}
}

function readWhole(fd: number, target: Uint8Array, position: number): void {
  try {
    for (let at = 0; at < target.length; ) {
      const count = readSync(fd, target, at, target.length - at, position + at);
      if (count === 0) throw new Error(`it ends at ${position + at}`);
      at += count;
    }
  } catch (error) {
    throw temporaryError('read', error);
  }
}

/**
 * Gives `open` the path of a file that does not exist, and takes the name away from what it has made there.
 *
 * @throws ClfsError `temporary` when `open` throws
 */
export function withTemporaryPath<T>(open: (path: string) => T): T {
  const path = join(tmpdir(), `clfsload-${randomBytes(12).toString('hex')}`);
  try {
    const opened = open(path);
    unlinkSync(path);
    return opened;
  } catch (error) {
    throw temporaryError('make', error);
  }
}

/** What is told when a temporary file cannot be used. */
export function temporaryError(action: string, cause: unknown): ClfsError {
  if (cause instanceof ClfsError) return cause;
  return new ClfsError(
    'temporary',
    `Cannot ${action} a temporary file in ${JSON.stringify(tmpdir())}: ${messageOf(cause)}. What does not fit into memory goes there: make room, or name another directory by the environment variable TMPDIR, and start again.`,
    { cause },
  );
}

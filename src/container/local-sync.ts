import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { ClfsError } from '../error.js';
import { syncFileSystem } from '../posix/libc.js';
import { syncFileSystemLater } from '../posix/libc-later.js';
import type { SharedDescriptor } from '../posix/shared-descriptor.js';

/** How long a sync is waited for, and then a thread of the pool; both together are less than the wait after a stop. */
const PATIENCE_MS = 400;

/**
 * Makes durable what was written to the file system of a container on disk: in Node's pool, since it takes long on any
 * disk.
 *
 * Others may have all threads of the pool, for what is never answered: a source that hangs. Then the sync is made at
 * once, by a description of its own, since the system tells each description once of bytes that it could not write: so
 * what the call in the pool is told is not lost to this one. To be closed.
 */
export class LocalSync {
  readonly #open: SharedDescriptor;
  readonly #directory: string;
  readonly #isRemote: boolean;
  #own: number | undefined;
  /** Whether there is a call in the pool that has not ended. */
  #isInPool = false;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param open the container's directory
   * @param directory its path
   * @param isRemote whether it is of another machine or process, which may not answer: then no sync is made at once
   */
  constructor(open: SharedDescriptor, directory: string, isRemote: boolean) {
    this.#open = open;
    this.#directory = directory;
    this.#isRemote = isRemote;
  }

  /** To be called before something is written. Who only reads needs no further descriptor. @throws what Node throws */
  begin(): void {
    // By Node, which closes it when its thread ends.
    if (!this.#isRemote) this.#own ??= openSync(this.#directory, 'r');
  }

  /** One after another. After one that failed in the pool none succeeds any more. @throws PosixError; ClfsError `cancelled` */
  async make(): Promise<void> {
    if (this.#own === undefined) await this.#call();
    else if (this.#isInPool || !(await this.#endsInPool())) this.#makeAtOnce();
    if (this.#failure) throw this.#failure.error;
  }

  #makeAtOnce(): void {
    if (this.#own === undefined) throw new ClfsError('cancelled', 'The container was closed.');
    syncFileSystem(this.#own);
  }

  /** @returns whether it was made; else the pool has had no thread for it */
  async #endsInPool(): Promise<boolean> {
    const call = this.#call();
    if (!(await endsSoon(call)) && !(await endsSoon(Promise.race([call, threadOfPool()])))) return false;
    await call;
    return true;
  }

  /** Does not fail. */
  async #call(): Promise<void> {
    this.#isInPool = true;
    try {
      await this.#open.use(syncFileSystemLater);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#isInPool = false;
  }

  /** To be called when nothing is written, and no sync made, any more; the container's directory is closed by others. */
  close(): void {
    if (this.#own !== undefined) closeSync(this.#own);
    this.#own = undefined;
  }
}

/** Resolves when the pool has a thread for something that is done in no time. */
function threadOfPool(): Promise<void> {
  return new Promise((resolve) => {
    randomBytes(1, () => resolve());
  });
}

function endsSoon(call: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MS);
    void call.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

import { patiently } from '../../posix/descriptors.js';
import { type FileStatus, Open, PosixError, S_IFMT } from '../../posix/libc.js';
import type { Overwrite } from '../options.js';
import { noteChanges, type TargetCalls } from './target-calls.js';
import { syncError } from './target-error.js';

const DIRECTORY_FLAGS = Open.readOnly | Open.directory | Open.noFollow;
const PRIVATE_DIRECTORY = 0o700;
const S_IFDIR = 0o040000;
const IS_ROOT = process.getuid?.() === 0;

/** Something that is no directory stands where one belongs, and is not to be replaced. */
export class InTheWay extends Error {}

/** The tree that is written, below a root that stays open. Nothing outside of it is reached: no symlink is followed. */
export class TargetTree {
  readonly calls: TargetCalls;
  readonly root: number;
  readonly #overwrite: Overwrite;
  readonly #isOurs: boolean;
  /**
   * Whether something may not be durable. It begins so: what a session that died had written and not made durable may
   * be found whole, and told as done, by this one.
   */
  #dirty = true;
  #flushing: Promise<void> | undefined;
  /** Why what was written may be lost. */
  #lost: unknown;

  /**
   * @param root descriptor of the root; of a description that no other tree has, since the system tells each description
   *   once of bytes that it could not write
   * @param overwrite what becomes of what is no directory where one belongs
   * @param isOurs whether the root gets its attributes at the end, too
   */
  constructor(calls: TargetCalls, root: number, overwrite: Overwrite, isOurs: boolean) {
    this.calls = noteChanges(calls, () => {
      this.#dirty = true;
    });
    this.root = root;
    this.#overwrite = overwrite;
    this.#isOurs = isOurs;
  }

  /**
   * Opens a directory below the root, component by component, and makes it and those above it where they are missing.
   * One of ours that must not be searched is opened up: it gets its mode at the end.
   *
   * @param path components joined by `/`; empty for the root
   * @throws PosixError; InTheWay; ClfsError `open-files`
   */
  enter(path: Uint8Array): Promise<number> {
    const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
    return patiently(bytes.toString() || '.', () => this.#enter(bytes));
  }

  /** lstat of an entry that need not be there. @throws PosixError */
  look(at: number, name: Uint8Array): FileStatus | undefined {
    return this.calls.lookAt(at, name);
  }

  /** Removes what is no directory, if it is there. @returns whether it was. @throws PosixError */
  remove(at: number, name: Uint8Array): boolean {
    try {
      this.calls.removeAt(at, name);
      return true;
    } catch (error) {
      if (error instanceof PosixError && error.errno === 'ENOENT') return false;
      throw error;
    }
  }

  /**
   * {@link remove} for a temporary file of this job. A directory that somebody has put in its place is not ours, and
   * stays. @throws PosixError
   */
  removeTemporary(at: number, name: Uint8Array): void {
    try {
      this.remove(at, name);
    } catch (error) {
      if (!(error instanceof PosixError && error.errno === 'EISDIR')) throw error;
    }
  }

  /**
   * Makes everything durable that was written before the call. Nothing may be told as done before it has succeeded.
   *
   * Whoever asks in one turn of the event loop shares one sync. After one that failed none succeeds any more: the
   * system tells only once of bytes that it could not write, and a later sync says nothing of them.
   *
   * @throws ClfsError `target`
   */
  async flush(): Promise<void> {
    if (this.#lost) throw this.#lost;
    if (!this.#dirty) return;
    this.#flushing ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#flushing = undefined;
        try {
          this.calls.sync(this.root);
          this.#dirty = false;
          resolve();
        } catch (error) {
          this.#lost = syncError(error);
          reject(this.#lost);
        }
      });
    });
    await this.#flushing;
  }

  #enter(path: Buffer): number {
    let fd = this.calls.openAt(this.root, Buffer.from('.'), DIRECTORY_FLAGS);
    if (this.#isOurs) this.#makePassable(fd);
    for (let at = 0; at < path.length; ) {
      const slash = path.indexOf(0x2f, at);
      const end = slash < 0 ? path.length : slash;
      try {
        const next = this.#step(fd, path.subarray(at, end));
        this.#makePassable(next);
        this.calls.close(fd);
        fd = next;
      } catch (error) {
        this.calls.close(fd);
        throw error;
      }
      at = end + 1;
    }
    return fd;
  }

  #step(at: number, name: Uint8Array): number {
    try {
      return this.calls.openAt(at, name, DIRECTORY_FLAGS);
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      if (error.errno === 'EACCES') this.#openUp(at, name, error);
      else if (error.errno === 'ENOENT') this.#make(at, name);
      else if (error.errno === 'ENOTDIR' || error.errno === 'ELOOP') this.#replace(at, name);
      else throw error;
    }
    return this.calls.openAt(at, name, DIRECTORY_FLAGS);
  }

  /** Without root, a directory that has its mode already may forbid what is still to be done in it. */
  #makePassable(fd: number): void {
    if (IS_ROOT || (this.calls.statFd(fd).mode & PRIVATE_DIRECTORY) === PRIVATE_DIRECTORY) return;
    try {
      this.calls.setModeFd(fd, PRIVATE_DIRECTORY);
    } catch (error) {
      // It is somebody else's: his mode may let us in all the same.
      if (!(error instanceof PosixError)) throw error;
    }
  }

  #make(at: number, name: Uint8Array): void {
    try {
      this.calls.makeDirectory(at, name, PRIVATE_DIRECTORY);
    } catch (error) {
      // Another lane has just made it.
      if (!(error instanceof PosixError && error.errno === 'EEXIST')) throw error;
    }
  }

  #replace(at: number, name: Uint8Array): void {
    const there = this.look(at, name);
    if (there && (there.mode & S_IFMT) === S_IFDIR) return;
    if (this.#overwrite === 'never') throw new InTheWay('something that is no directory is there already');
    if (there) this.remove(at, name);
    this.#make(at, name);
  }

  /** @throws PosixError `denied`, when the directory is not ours to be opened up, or there is no way */
  #openUp(at: number, name: Uint8Array, denied: PosixError): void {
    let place: number;
    try {
      place = this.calls.openAt(at, name, Open.path | Open.directory | Open.noFollow);
    } catch {
      throw denied;
    }
    try {
      this.calls.setModeOfPlace(place, PRIVATE_DIRECTORY);
    } catch {
      throw denied;
    } finally {
      this.calls.close(place);
    }
  }
}

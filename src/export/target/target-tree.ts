import { setImmediate as nextTurn } from 'node:timers/promises';
import { ClfsError } from '../../error.js';
import { patiently } from '../../posix/descriptors.js';
import { type FileStatus, S_IFMT } from '../../posix/file-status.js';
import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { quotePath } from '../../text/escape-path.js';
import type { Overwrite } from '../options.js';
import { beginAnewText } from '../temporary-names.js';
import { MountedPlaces } from './mounted-places.js';
import { patientCalls } from './patient-calls.js';
import { unlessAway } from './target-away.js';
import type { AnyCalls } from './target-calls.js';
import { syncError } from './target-error.js';
import { TargetWays, type WaysParts } from './target-ways.js';

const DIRECTORY_FLAGS = Open.readOnly | Open.directory | Open.noFollow;
const PRIVATE_DIRECTORY = 0o700;
const S_IFDIR = 0o040000;
const SLASH = 0x2f;
const IS_ROOT = process.getuid?.() === 0;

/** What says that a directory is not there. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** A directory of the tree that is written. */
export interface TargetPlace {
  /** Path below the root, components joined by `/`; empty for the root. */
  readonly path: Uint8Array;
  /** So many bytes of the path lead to a directory in which something is recorded as done. */
  readonly filled: number;
}

/** What of a job its tree needs to know. */
interface TreeConstants {
  /** What becomes of what is no directory where one belongs. */
  readonly overwrite: Overwrite;
  /** Whether the root is the job's own, and gets its attributes at the end, too. */
  readonly isTree: boolean;
  readonly temporaryPrefix: string;
}

/** A directory of it that is open. */
interface Entered {
  readonly fd: number;
  readonly isNew: boolean;
}

/** Something that is no directory stands where one belongs, and is not to be replaced. */
export class InTheWay extends Error {}

function isGone(error: unknown): error is PosixError {
  return error instanceof PosixError && GONE.has(error.errno);
}

/** The tree that is written, below a root that stays open. Nothing outside of it is reached: no symlink is followed. */
export class TargetTree {
  /** They wait for a descriptor where there is none. */
  readonly calls: AnyCalls;
  readonly root: number;
  readonly #ways: TargetWays;
  /** They wait for no descriptor. */
  readonly #calls: AnyCalls;
  readonly #mounted: MountedPlaces;
  readonly #constants: TreeConstants;
  /**
   * Whether something may not be durable, that a sync which runs does not make so. It begins so: what a session that
   * died had written and not made durable may be found whole, and told as done, by this one.
   */
  #dirty = true;
  /** The sync that runs, and the one that is to begin when that has ended. Neither fails: see `#lost`. */
  #syncing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** Why what was written may be lost. */
  #lost: unknown;

  /**
   * @param calls by which the target is called
   * @param root descriptor of the root; of a description that no other tree has, since the system tells each description
   *   once of bytes that it could not write
   * @param mounted paths below the root at which other file systems are mounted
   */
  constructor(
    calls: Omit<WaysParts, 'changing'>,
    root: number,
    constants: TreeConstants,
    mounted: readonly Uint8Array[] = [],
  ) {
    this.#ways = new TargetWays({
      ...calls,
      changing: () => {
        this.#dirty = true;
      },
    });
    this.#calls = unlessAway(this.#ways.calls, root);
    this.calls = patientCalls(this.#calls);
    this.root = root;
    this.#constants = constants;
    this.#mounted = new MountedPlaces(mounted);
  }

  /** Whether calls take long, so that several are to be in flight. */
  get isSlow(): boolean {
    return this.#ways.isSlow;
  }

  /** Has no further call begin that waits for its turn. */
  abandon(): void {
    this.#ways.abandon();
  }

  /** To be called when no call is under way. The root stays open. */
  close(): void {
    this.#mounted.close();
  }

  /**
   * Opens a directory below the root, component by component, and makes it and those above it where they are missing.
   * One of ours that must not be searched is opened up: it gets its mode at the end.
   *
   * @param place `filled`: what so much of its path leads to must be there
   * @throws PosixError; InTheWay; ClfsError `open-files`, `target` as {@link TargetTree.goneError}
   */
  async enter(place: TargetPlace): Promise<number> {
    return (await this.enterOrMake(place)).fd;
  }

  /** {@link enter}, which also tells whether the directory was made by that. @throws as that */
  enterOrMake({ path, filled }: TargetPlace): Promise<Entered> {
    const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
    // From the root again, and holding nothing while it waits: many are on their way at once.
    return patiently(bytes.length === 0 ? '.' : bytes, () => this.#enter(bytes, filled));
  }

  /** The same for a directory that need not be there: it is not made. @returns undefined where it is not */
  async enterIfThere(path: Uint8Array): Promise<number | undefined> {
    try {
      return await this.enter({ path, filled: path.length });
    } catch (error) {
      if (error instanceof ClfsError && isGone(error.cause)) return undefined;
      throw error;
    }
  }

  /**
   * What is thrown of a directory in which something is recorded as done, and which is not there. It is not made again: what
   * was in it would be missing, and nobody would be told. @throws any other error
   */
  goneError(path: Uint8Array, error: unknown): ClfsError {
    if (!isGone(error)) throw error;
    const wayAnew = beginAnewText(this.#constants.temporaryPrefix);
    const text = `The directory ${quotePath(path)} of the target, in which entries have been written, is not there any more: ${error.message}. Put it back as it was, and repeat the export; or ${wayAnew}`;
    return new ClfsError('target', text, { cause: error });
  }

  /** Whether another file system is mounted at a path below the root. */
  isMountPoint(path: Uint8Array): boolean {
    const bytes = Buffer.from(path);
    return this.#mounted.pointOf(bytes) === bytes.toString('latin1');
  }

  /** Sees to it that a change of a directory below the root itself is made durable, too. @throws as {@link enter} */
  async note(place: TargetPlace): Promise<void> {
    if (this.#mounted.isNew(Buffer.from(place.path))) await this.calls.close(await this.enter(place));
  }

  /** lstat of an entry that need not be there. @throws PosixError */
  async look(at: number, name: Uint8Array): Promise<FileStatus | undefined> {
    return this.calls.lookAt(at, name);
  }

  /** Removes what is no directory, if it is there. @returns whether it was. @throws PosixError */
  async remove(at: number, name: Uint8Array): Promise<boolean> {
    try {
      await this.calls.removeAt(at, name);
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
  async removeTemporary(at: number, name: Uint8Array): Promise<void> {
    try {
      await this.remove(at, name);
    } catch (error) {
      if (!(error instanceof PosixError && error.errno === 'EISDIR')) throw error;
    }
  }

  /**
   * Makes everything durable that was written before the call. Nothing may be told as done before it has succeeded.
   *
   * Whoever asks before a sync has begun shares it. After one that failed none succeeds any more: the system tells only
   * once of bytes that it could not write, and a later sync says nothing of them.
   *
   * @throws ClfsError `target`
   */
  async flush(): Promise<void> {
    // What was written before a sync began is in it: then it need only end.
    if (this.#dirty) this.#next ??= this.#syncNext();
    await (this.#next ?? this.#syncing);
    if (this.#lost) throw this.#lost;
  }

  async #syncNext(): Promise<void> {
    await this.#syncing;
    await nextTurn();
    const syncing = this.#sync();
    this.#syncing = syncing;
    this.#next = undefined;
    await syncing;
    if (this.#syncing === syncing) this.#syncing = undefined;
  }

  async #sync(): Promise<void> {
    if (this.#lost) return;
    this.#dirty = false;
    try {
      await this.calls.sync(this.root);
      for (const fd of this.#mounted.descriptors) await this.calls.sync(fd);
    } catch (error) {
      this.#lost ??= syncError(error);
    }
  }

  async #enter(path: Buffer, filled: number): Promise<Entered> {
    let isNew = false;
    let { fd, at } = (await this.#openThere(path)) ?? {
      fd: await this.#calls.openAt(this.root, Buffer.from('.'), DIRECTORY_FLAGS),
      at: 0,
    };
    try {
      if (this.#constants.isTree) await this.#makePassable(fd);
      while (at < path.length) {
        const slash = path.indexOf(SLASH, at);
        const end = slash < 0 ? path.length : slash;
        const above = fd;
        ({ fd, isNew } =
          end <= filled
            ? await this.#stepThere(above, path.subarray(at, end), path.subarray(0, end))
            : await this.#step(above, path.subarray(at, end)));
        await this.calls.close(above);
        await this.#makePassable(fd);
        at = end + 1;
      }
      if (this.#mounted.isNew(path)) {
        await this.#mounted.note(path, fd);
        // What a session that died had written there may be found whole.
        this.#dirty = true;
      }
      return { fd, isNew };
    } catch (error) {
      await this.calls.close(fd);
      throw error;
    }
  }

  /**
   * Opens a directory, or that above it, at once: a step for each component would take longer the deeper it is. Without
   * root each may have to be opened up.
   *
   * @returns also how much of the path need not be gone any more; undefined where it is to be gone step by step
   */
  async #openThere(path: Buffer): Promise<{ readonly fd: number; readonly at: number } | undefined> {
    if (!IS_ROOT) return undefined;
    const above = path.subarray(0, Math.max(0, path.lastIndexOf(SLASH)));
    for (const there of [path, above]) {
      if (!there.includes(SLASH)) return undefined;
      try {
        return { fd: await this.#calls.openAt(this.root, there, DIRECTORY_FLAGS), at: there.length + 1 };
      } catch (error) {
        if (!(error instanceof PosixError)) throw error;
      }
    }
    return undefined;
  }

  /** @param path of what is entered, for the message */
  async #stepThere(at: number, name: Uint8Array, path: Buffer): Promise<Entered> {
    const open = async () => ({ fd: await this.#calls.openAt(at, name, DIRECTORY_FLAGS), isNew: false });
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      if (error.errno === 'EACCES') await this.#openUp(at, name, error);
      // The system may remember that a name was not there which another machine has given since.
      else if (error.errno === 'ENOENT') await this.#calls.statFd(at, true);
      else throw this.goneError(path, error);
    }
    try {
      return await open();
    } catch (error) {
      throw this.goneError(path, error);
    }
  }

  async #step(at: number, name: Uint8Array): Promise<Entered> {
    let isNew = false;
    const open = async () => ({ fd: await this.#calls.openAt(at, name, DIRECTORY_FLAGS), isNew });
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      if (error.errno === 'EACCES') await this.#openUp(at, name, error);
      else if (error.errno === 'ENOENT') isNew = await this.#make(at, name);
      else if (error.errno === 'ENOTDIR' || error.errno === 'ELOOP') await this.#replace(at, name);
      else throw error;
    }
    return open();
  }

  /** Without root, a directory that has its mode already may forbid what is still to be done in it. */
  async #makePassable(fd: number): Promise<void> {
    if (IS_ROOT) return;
    const { mode } = await this.calls.statFd(fd);
    if ((mode & PRIVATE_DIRECTORY) === PRIVATE_DIRECTORY) return;
    try {
      await this.calls.setModeFd(fd, PRIVATE_DIRECTORY);
    } catch (error) {
      // It is somebody else's: his mode may let us in all the same.
      if (!(error instanceof PosixError)) throw error;
    }
  }

  /** @returns whether it was made by this call */
  async #make(at: number, name: Uint8Array): Promise<boolean> {
    try {
      await this.calls.makeDirectory(at, name, PRIVATE_DIRECTORY);
      return true;
    } catch (error) {
      // Another lane, or another task, has just made it.
      if (!(error instanceof PosixError && error.errno === 'EEXIST')) throw error;
      return false;
    }
  }

  async #replace(at: number, name: Uint8Array): Promise<void> {
    const there = await this.look(at, name);
    if (there && (there.mode & S_IFMT) === S_IFDIR) return;
    if (this.#constants.overwrite === 'never') throw new InTheWay('something that is no directory is there already');
    // Another one may have put a directory there meanwhile, as this one does.
    if (there) await this.removeTemporary(at, name);
    await this.#make(at, name);
  }

  /** @throws PosixError `denied`, when the directory is not ours to be opened up, or there is no way */
  async #openUp(at: number, name: Uint8Array, denied: PosixError): Promise<void> {
    let place: number;
    try {
      place = await this.#calls.openAt(at, name, Open.path | Open.directory | Open.noFollow);
    } catch {
      throw denied;
    }
    try {
      await this.calls.setModeOfPlace(place, PRIVATE_DIRECTORY);
    } catch {
      throw denied;
    } finally {
      await this.calls.close(place);
    }
  }
}

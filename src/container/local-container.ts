import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ClfsError, messageOf } from '../error.js';
import { isRemoteFileSystemLater } from '../posix/file-system-type.js';
import { CURRENT_DIRECTORY, close, Open } from '../posix/libc.js';
import { openAtLater } from '../posix/libc-later.js';
import { SharedDescriptor } from '../posix/shared-descriptor.js';
import { syncfsTells } from '../posix/syncfs-tells.js';
import { type Clock, systemClock } from '../time/clock.js';
import { WaitBoard, type WaitSlot } from '../waits/wait-board.js';
import { Waits } from '../waits/waits.js';
import type { BlobInfo, BlobMark, Container, ContainerProbe, PutOptions } from './container.js';
import { answers, mayBeOfOneFile } from './local-answers.js';
import { type BlobLook, identityOf, LOCAL_FILES, type LocalFiles, type Soon, TEMPORARY } from './local-files.js';
import { LOCAL_FILES_LATER } from './local-files-later.js';
import { LocalListing } from './local-listing.js';
import { codeOf, failureOf, LocalPlace } from './local-place.js';
import { LocalSync } from './local-sync.js';
import { LocalWays } from './local-ways.js';

/**
 * A container that is a directory: one file a blob, named as the blob.
 *
 * A put writes a temporary file and renames it; {@link Container.flush} makes all of them durable with one sync of the
 * file system, and where that does not tell what could not be written, each put syncs its file. A blob that takes the place of another is synced before the rename, so that a power loss leaves one of
 * the two.
 *
 * Nothing here holds up the thread until it is known that the file system answers: see {@link LocalWays}.
 *
 * @throws ClfsError `container-missing` when the directory does not exist; `container` when it cannot be used;
 *   `cancelled` when it is stopped before it answers
 */
export async function openLocalContainer(directory: string, options: LocalOptions = {}): Promise<Container> {
  const { isRemote: given, mayBlock = true, clock = systemClock, onDetail: onWay } = options;
  const closing = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
  // Each call that is under way has a listener: many of them are no leak.
  setMaxListeners(0, signal);
  const slot = options.waits ?? new WaitBoard().slot('container');
  const waits = new Waits({ slot, now: () => clock.monotonic(), signal });
  const open = async () => {
    if (!(await stat(directory)).isDirectory())
      throw new ClfsError('container', `The container ${JSON.stringify(directory)} is not a directory.`);
    const fd = await openAtLater(CURRENT_DIRECTORY, Buffer.from(directory), Open.readOnly);
    try {
      const identity = identityOf(await LOCAL_FILES_LATER.times(fd));
      return { fd, identity, isRemote: given ?? (await isRemoteFileSystemLater(fd)) };
    } catch (error) {
      close(fd);
      throw error;
    }
  };
  try {
    const { fd, identity, isRemote } = await waits.during(directory, open, (late) => close(late.fd));
    const ways = new LocalWays({ now: LOCAL_FILES, later: LOCAL_FILES_LATER, isRemote, mayBlock, waits, onWay });
    const descriptor = new SharedDescriptor(fd);
    const sync = new LocalSync(descriptor, directory, isRemote);
    return new LocalContainer(new LocalPlace(directory, descriptor, ways, clock), identity, sync, closing, options);
  } catch (error) {
    throw failureOf(directory, 'open', directory, error);
  }
}

/** How a local container is opened. */
export interface LocalOptions {
  /** Asked right before a put or a removal takes effect: whether it may. */
  readonly maySend?: () => boolean;
  readonly clock?: Clock;
  /**
   * Keep the names of one listing, for as long as the times of the directory say that nothing has changed: for readers,
   * which ask for many prefixes. Whoever removes what a listing shows must see what is there now, on file systems with
   * coarse times, too: not for those.
   */
  readonly keepsNames?: boolean;
  /** Where it is told what is waited for, and since when. */
  readonly waits?: WaitSlot;
  /** When it is aborted, nothing is waited for any more, and nothing begun that may not be answered. */
  readonly signal?: AbortSignal;
  /** Whether the thread may be held up by a file system of another machine or process. Default: it may. */
  readonly mayBlock?: boolean;
  /** Whether a sync of its file system tells of bytes that could not be written; default: by the kernel's version. */
  readonly syncTells?: boolean;
  /** Whether it is on such a file system; default: what the kernel says. */
  readonly isRemote?: boolean;
  /** Told, in sentences, which way the file system is called. */
  readonly onDetail?: (text: string) => void;
}

/**
 * Makes the directory of a local container, whose parent must exist.
 *
 * @returns whether it was made now
 * @throws ClfsError `container`
 */
export async function makeLocalContainer(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    const reason =
      code === 'ENOENT' ? `its parent ${JSON.stringify(dirname(directory))} does not exist` : messageOf(error);
    throw new ClfsError('container', `Cannot make the destination directory ${JSON.stringify(directory)}: ${reason}.`, {
      cause: error,
    });
  }
}

class LocalContainer implements Container {
  readonly listsByPrefix = false;
  // A put that is not answered takes effect by giving its temporary file a name: a session begins by removing that, and
  // then it cannot, however late it is. So no time need pass.
  readonly lateArrivalMs = 0;
  readonly uncertainUntilMs = 0;
  readonly #place: LocalPlace;
  readonly #identity: string;
  readonly #listing: LocalListing;
  readonly #sync: LocalSync;
  readonly #closing: AbortController;
  readonly #temporary = `${TEMPORARY}${randomBytes(8).toString('hex')}-`;
  readonly #maySend: () => boolean;
  /** Whether each file is synced: a sync of all of them would not tell which bytes could not be written. */
  readonly #syncsEach: boolean;
  #serial = 0;
  #dirty = false;
  #closed = false;
  #lost: ClfsError | undefined;
  #probe: ContainerProbe | undefined;
  #flushed: Promise<void> = Promise.resolve();

  /** @param identity of the directory @param closing ends what is under way */
  constructor(place: LocalPlace, identity: string, sync: LocalSync, closing: AbortController, options: LocalOptions) {
    const { keepsNames = false, syncTells = syncfsTells() } = options;
    this.#place = place;
    this.#identity = identity;
    this.#sync = sync;
    this.#closing = closing;
    this.#listing = new LocalListing(place, keepsNames);
    // Asked as it is then: what decides can change while the container is open.
    this.#maySend = () => options.maySend?.() !== false;
    this.#syncsEach = !syncTells;
  }

  async put(name: string, body: Uint8Array, options?: PutOptions): Promise<void> {
    const { ways } = this.#place;
    const path = this.#place.path(name);
    const temporary = join(this.#place.directory, `${this.#temporary}${this.#serial++}`);
    try {
      // Nothing is awaited that is done: it is done for each of millions of blobs.
      const look = options?.onlyNew ? undefined : ways.do(path, (files) => files.look(path));
      const there = look instanceof Promise ? await look : look;
      const sync = this.#syncsEach || options?.onlyNew === true || there !== undefined;
      const written = this.#place.withDescriptors(() => {
        if (this.#closed) throw stopped();
        this.#sync.begin();
        return ways.write(temporary, body, sync);
      });
      if (written instanceof Promise) await written;
      if (options?.onlyNew) {
        try {
          await this.#changeName(path, (files) => files.link(temporary, path));
        } finally {
          await ways.name(temporary, (files) => files.remove(temporary));
        }
      } else {
        const give = (files: LocalFiles) =>
          there ? files.rename(temporary, path) : renamed(files, temporary, path, body.length);
        const named = this.#changeName(path, give);
        if (named instanceof Promise) await named;
      }
      this.#dirty = true;
    } catch (error) {
      // Where nothing is answered any more the next session removes it.
      await this.#clear(temporary);
      if (options?.onlyNew && codeOf(error) === 'EEXIST')
        throw new ClfsError('exists', `The blob ${name} exists.`, { cause: error });
      throw this.#place.failure('write', name, error);
    }
  }

  /** A put or a removal takes effect. */
  #changeName(path: string, change: (files: LocalFiles) => Soon<void>): Soon<void> {
    return this.#place.ways.name(path, (files) => {
      if (this.#closed || !this.#maySend()) throw stopped();
      return change(files);
    });
  }

  get(name: string, limitBytes: number): Promise<Buffer> {
    return this.#get(name, limitBytes, false);
  }

  /** @param isAgain whether it could not be read just before, while the container answered */
  async #get(name: string, limitBytes: number, isAgain: boolean): Promise<Buffer> {
    const path = this.#place.path(name);
    try {
      const read = await this.#place.withDescriptors(() => this.#place.ways.read(path, limitBytes));
      if (Buffer.isBuffer(read)) return read;
      // What a listing does not show is no blob.
      if (!read.isFile) throw new ClfsError('not-found', `There is no blob ${name}: what has its name is no file.`);
      throw new ClfsError('format', `The blob ${name} has ${read.sizeBytes} bytes, over the limit of ${limitBytes}.`);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        await this.#requireSame();
        throw new ClfsError('not-found', `There is no blob ${name}.`, { cause: error });
      }
      if (!mayBeOfOneFile(error)) throw this.#place.failure('read', name, error);
      if (isAgain)
        throw new ClfsError('unreadable', `The blob ${name} cannot be read, while others can: ${messageOf(error)}.`, {
          cause: error,
        });
      await this.#requireSame();
      if (!(await answers(this.#place))) throw this.#place.failure('read', name, error);
      // What was wrong with the container may have ended between the two looks.
      return this.#get(name, limitBytes, true);
    }
  }

  /**
   * What was mounted there may be mounted no more, or something else: by their paths blobs are written there then, and
   * found there.
   */
  async #requireSame(): Promise<void> {
    const { ways, directory } = this.#place;
    let identity = '';
    try {
      identity = await ways.do(directory, (files) => files.identity(directory));
    } catch (error) {
      throw this.#place.failure('look at', directory, error);
    }
    if (identity !== this.#identity)
      throw new ClfsError(
        'container',
        `The container ${JSON.stringify(directory)} is another directory than it was: is its file system mounted? Put it back, and remove what has been written in its place.`,
      );
  }

  list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    return this.#listing.list(prefix);
  }

  async delete(name: string): Promise<void> {
    const path = this.#place.path(name);
    try {
      await this.#changeName(path, (files) => files.remove(path));
      this.#dirty = true;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw this.#place.failure('delete', name, error);
    }
  }

  ready(): Promise<void> | undefined {
    return this.#place.ways.ready();
  }

  /** One after another: what a sync that is under way does not hold is not durable when that has ended. */
  flush(): Promise<void> {
    this.#flushed = this.#flushed.catch(() => undefined).then(() => this.#flush());
    return this.#flushed;
  }

  async #flush(): Promise<void> {
    // The system reports bytes that it could not write only once: what was written before is not durable, even if a
    // later sync succeeds.
    if (this.#lost) throw this.#lost;
    if (!this.#dirty) return;
    if (this.#closed)
      throw new ClfsError('cancelled', `The container ${JSON.stringify(this.#place.directory)} is closed.`);
    this.#dirty = false;
    try {
      const { ways, directory } = this.#place;
      await ways.sync(directory, this.#sync);
      await this.#requireSame();
    } catch (error) {
      this.#lost = this.#place.failure('sync', this.#place.directory, error);
      throw this.#lost;
    }
  }

  async tidy(): Promise<void> {
    for await (const names of this.#place.names('tidy'))
      for (const name of names)
        if (name.startsWith(TEMPORARY) && name !== this.#probe?.name) await this.#removeTemporary(name);
  }

  async markOf(name: string): Promise<BlobMark | undefined> {
    const path = this.#place.path(name);
    try {
      return await this.#place.ways.do(path, (files) => files.mark(path));
    } catch (error) {
      throw this.#place.failure('look at', name, error);
    }
  }

  async makeProbe(): Promise<ContainerProbe> {
    const random = () => randomBytes(16).toString('hex');
    const probe = { name: `${TEMPORARY}${random()}-probe`, token: random() };
    this.#probe = probe;
    await this.put(probe.name, Buffer.from(probe.token));
    return probe;
  }

  /** Removes a probe, or the temporary file of a put that failed, if that can be done. */
  async #clear(path: string): Promise<void> {
    try {
      await this.#place.ways.clear(path);
    } catch {
      // It is told why the put failed; and the next session removes it.
    }
  }

  /** What was never made, or is gone already, is no trouble. @throws ClfsError as {@link LocalPlace.failure} */
  async #removeTemporary(name: string): Promise<void> {
    const path = join(this.#place.directory, name);
    try {
      await this.#place.ways.name(path, (files) => files.remove(path));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw this.#place.failure('remove', name, error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.abort();
    if (this.#probe) await this.#clear(this.#place.path(this.#probe.name));
    this.#listing.close();
    const { descriptor, directory, ways } = this.#place;
    // What is not answered may have it, or all threads of the pool, for good.
    await ways.last(directory, () => descriptor.close());
    this.#sync.close();
  }
}

/**
 * Gives a blob a name that was free. Where a server that was restarted is sent a rename again which it had done, it says that there
 * is no such file: then the blob is there, as long as it should be.
 */
function renamed(files: LocalFiles, temporary: string, path: string, sizeBytes: number): Soon<void> {
  const isDone = (look: BlobLook | undefined) => look?.isFile === true && look.sizeBytes === sizeBytes;
  const unlessDone = (error: unknown): Soon<void> => {
    if (codeOf(error) !== 'ENOENT') throw error;
    const look = files.look(path);
    if (look instanceof Promise)
      return look.then((found) => {
        if (!isDone(found)) throw error;
      });
    if (!isDone(look)) throw error;
  };
  try {
    const done = files.rename(temporary, path);
    return done instanceof Promise ? done.catch(unlessDone) : done;
  } catch (error) {
    return unlessDone(error);
  }
}

function stopped(): ClfsError {
  return new ClfsError('cancelled', 'The job was stopped.');
}

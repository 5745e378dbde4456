import { randomBytes } from 'node:crypto';
import {
  closeSync,
  type Dir,
  fsyncSync,
  linkSync,
  mkdirSync,
  opendirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import { syncFileSystem } from '../posix/libc.js';
import { type Clock, systemClock } from '../time/clock.js';
import type { BlobInfo, Container, PutOptions } from './container.js';
import { isSettled, type KeptNames, LOOKED_UP_CHARACTERS, NamesTaker } from './kept-names.js';

const TEMPORARY = '.clfsload-put-';
const PAGE_ENTRIES = 1000;
const BUFFERED_ENTRIES = 1024;
const PENDING = Symbol('the names are not read yet');
/** How long to wait for a file descriptor when there is none: others close theirs within this time, or not at all. */
const DESCRIPTORS_MS = 60_000;
const LONGEST_DELAY_MS = 500;
const NO_DESCRIPTORS = new Set(['EMFILE', 'ENFILE']);

/**
 * A container that is a directory: one file a blob, named as the blob.
 *
 * A put writes a temporary file and renames it; {@link Container.flush} makes all of them durable with one sync of the
 * file system. A blob that takes the place of another is synced before the rename, so that a power loss leaves one of
 * the two.
 *
 * @throws ClfsError `container-missing` when the directory does not exist; `container` when it cannot be used
 */
export function openLocalContainer(directory: string, options: LocalOptions = {}): Container {
  return new LocalContainer(directory, options);
}

/** How a local container is opened. */
export interface LocalOptions {
  /** Asked right before a put takes effect: whether it may. */
  readonly maySend?: () => boolean;
  readonly clock?: Clock;
  /**
   * Keep the names of one listing, for as long as the times of the directory say that nothing has changed: for readers,
   * which ask for many prefixes. Whoever removes what a listing shows must see what is there now, on file systems with
   * coarse times, too: not for those.
   */
  readonly keepsNames?: boolean;
}

/**
 * Makes the directory of a local container, whose parent must exist.
 *
 * @returns whether it was made now
 * @throws ClfsError `container`
 */
export function makeLocalContainer(directory: string): boolean {
  try {
    mkdirSync(directory);
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
  readonly lateArrivalMs = 0;
  readonly uncertainUntilMs = 0;
  readonly #directory: string;
  /** The directory and a slash. */
  readonly #prefix: Buffer;
  readonly #fd: number;
  readonly #temporary = `${TEMPORARY}${randomBytes(8).toString('hex')}-`;
  #serial = 0;
  #dirty = false;
  #closed = false;
  #lost: ClfsError | undefined;
  readonly #clock: Clock;
  readonly #maySend: (() => boolean) | undefined;
  #keepsNames: boolean;
  #names: KeptNames | undefined;
  #taking: Promise<void> | undefined;

  constructor(directory: string, { clock = systemClock, keepsNames = false, maySend }: LocalOptions) {
    this.#directory = directory;
    this.#prefix = Buffer.from(`${directory}/`);
    this.#clock = clock;
    this.#maySend = maySend;
    this.#keepsNames = keepsNames;
    try {
      if (!statSync(directory).isDirectory())
        throw new ClfsError('container', `The container ${JSON.stringify(directory)} is not a directory.`);
      this.#fd = openSync(directory, 'r');
    } catch (error) {
      throw this.#failure('open', directory, error);
    }
  }

  async put(name: string, body: Uint8Array, options?: PutOptions): Promise<void> {
    const path = this.#path(name);
    const temporary = join(this.#directory, `${this.#temporary}${this.#serial++}`);
    try {
      const replaces = !options?.onlyNew && exists(path);
      await this.#withDescriptors(() => writeWhole(temporary, body, replaces || options?.onlyNew === true));
      if (this.#maySend?.() === false) throw new ClfsError('cancelled', 'The job was stopped.');
      if (options?.onlyNew) {
        try {
          linkSync(temporary, path);
        } finally {
          unlinkSync(temporary);
        }
      } else renameSync(temporary, path);
      this.#dirty = true;
    } catch (error) {
      removeQuietly(temporary);
      if (options?.onlyNew && (error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new ClfsError('exists', `The blob ${name} exists.`, { cause: error });
      throw this.#failure('write', name, error);
    }
  }

  async get(name: string, limitBytes: number): Promise<Buffer> {
    const path = this.#path(name);
    try {
      const status = statSync(path);
      // What a listing does not show is no blob: to read a FIFO would wait for ever.
      if (!status.isFile()) throw new ClfsError('not-found', `There is no blob ${name}: what has its name is no file.`);
      const { size } = status;
      if (size > limitBytes)
        throw new ClfsError('format', `The blob ${name} has ${size} bytes, over the limit of ${limitBytes}.`);
      return await this.#withDescriptors(() => readFileSync(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new ClfsError('not-found', `There is no blob ${name}.`, { cause: error });
      throw this.#failure('read', name, error);
    }
  }

  async *list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    if (this.#keepsNames && prefix.length >= LOOKED_UP_CHARACTERS) {
      const current = this.#currentNames();
      const look = () => Promise.race([current, setImmediate(PENDING)]);
      let names = await look();
      // Whoever waits for a timer or a signal gets a turn: such a page holds nothing.
      for (; names === PENDING; names = await look()) yield [];
      if (names) {
        yield this.#kept(names, prefix);
        return;
      }
    }
    yield* this.#read(prefix);
  }

  /** The names as they are now; undefined when they cannot be kept. Whoever asks at the same time gets the same. */
  async #currentNames(): Promise<KeptNames | undefined> {
    if (this.#names?.isCurrent(this.#fd)) return this.#names;
    this.#taking ??= this.#takeNames().finally(() => {
      this.#taking = undefined;
    });
    await this.#taking;
    return this.#names?.isCurrent(this.#fd) ? this.#names : undefined;
  }

  async #takeNames(): Promise<void> {
    this.#names?.close();
    this.#names = undefined;
    if (!isSettled(this.#fd)) return;
    const directory = await this.#openDirectory('list');
    let taker: NamesTaker | undefined;
    try {
      taker = new NamesTaker(this.#fd);
      let entries = 0;
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        if (++entries % PAGE_ENTRIES === 0) await setImmediate();
        if (this.#closed) return;
        if (!entry.name.startsWith(TEMPORARY)) taker.add(entry.name);
      }
      this.#names = taker.finish();
    } catch (error) {
      // Without room for temporary files each listing reads the directory.
      if (isClfsError(error, 'temporary')) {
        this.#keepsNames = false;
        return;
      }
      throw this.#failure('list', this.#directory, error);
    } finally {
      directory.closeSync();
      if (!this.#names) taker?.close();
    }
  }

  #kept(names: KeptNames, prefix: string): BlobInfo[] {
    const wanted = Buffer.from(prefix).toString('latin1');
    try {
      return [...names.find(wanted)].flatMap((name) => this.#info(name) ?? []);
    } catch (error) {
      throw this.#failure('list', this.#directory, error);
    }
  }

  async *#read(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    const directory = await this.#openDirectory('list');
    const wanted = Buffer.from(prefix).toString('latin1');
    try {
      let page: BlobInfo[] = [];
      let entries = 0;
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        // Timers and signals get a turn, also where no name begins with the prefix: the page is empty then.
        if (++entries % PAGE_ENTRIES === 0) {
          await setImmediate();
          if (page.length === 0) yield page;
        }
        if (!entry.name.startsWith(wanted) || entry.name.startsWith(TEMPORARY)) continue;
        const blob = this.#info(entry.name);
        if (blob) page.push(blob);
        if (page.length === PAGE_ENTRIES) {
          yield page;
          page = [];
        }
      }
      if (page.length > 0) yield page;
    } catch (error) {
      throw this.#failure('list', this.#directory, error);
    } finally {
      directory.closeSync();
    }
  }

  /**
   * A blob as a listing shows it, by its name as bytes; undefined when it is no file, or has vanished in the meantime.
   */
  #info(latin1: string): BlobInfo | undefined {
    const bytes = Buffer.from(latin1, 'latin1');
    const name = bytes.toString();
    const status = statSync(Buffer.concat([this.#prefix, bytes]), { throwIfNoEntry: false });
    return status?.isFile() ? { name, sizeBytes: status.size } : undefined;
  }

  async delete(name: string): Promise<void> {
    try {
      unlinkSync(this.#path(name));
      this.#dirty = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw this.#failure('delete', name, error);
    }
  }

  ready(): Promise<void> | undefined {
    return undefined;
  }

  async flush(): Promise<void> {
    // The system reports bytes that it could not write only once: what was written before is not durable, even if a
    // later sync succeeds.
    if (this.#lost) throw this.#lost;
    if (!this.#dirty) return;
    if (this.#closed) throw new ClfsError('cancelled', `The container ${JSON.stringify(this.#directory)} is closed.`);
    this.#dirty = false;
    try {
      syncFileSystem(this.#fd);
    } catch (error) {
      this.#lost = this.#failure('sync', this.#directory, error);
      throw this.#lost;
    }
  }

  async tidy(): Promise<void> {
    const directory = await this.#openDirectory('tidy');
    try {
      for (let entry = directory.readSync(); entry; entry = directory.readSync()) {
        if (entry.name.startsWith(TEMPORARY)) removeQuietly(join(this.#directory, entry.name));
      }
    } catch (error) {
      throw this.#failure('tidy', this.#directory, error);
    } finally {
      directory.closeSync();
    }
  }

  async close(): Promise<void> {
    this.#names?.close();
    this.#names = undefined;
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
  }

  /** Names are read as bytes, one character each: a foreign file is listed even if its name is no text. */
  async #openDirectory(action: string): Promise<Dir> {
    try {
      return await this.#withDescriptors(() =>
        opendirSync(this.#directory, { bufferSize: BUFFERED_ENTRIES, encoding: 'latin1' }),
      );
    } catch (error) {
      throw this.#failure(action, this.#directory, error);
    }
  }

  /** Does something that needs a descriptor; while there is none, tries again when others may have closed theirs. */
  async #withDescriptors<T>(work: () => T): Promise<T> {
    const begun = this.#clock.monotonic();
    for (let delayMs = 5; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
      try {
        return work();
      } catch (error) {
        const isLack = NO_DESCRIPTORS.has((error as NodeJS.ErrnoException).code ?? '');
        if (!isLack || this.#clock.monotonic() - begun > DESCRIPTORS_MS) throw error;
      }
      await this.#clock.sleep(delayMs);
    }
  }

  #path(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw new ClfsError('container', `The blob name ${JSON.stringify(name)} cannot be a file name.`);
    }
    return join(this.#directory, name);
  }

  #failure(action: string, what: string, error: unknown): ClfsError {
    if (error instanceof ClfsError) return error;
    const code = (error as NodeJS.ErrnoException).code;
    const text = `Cannot ${action} ${JSON.stringify(what)} in the container ${JSON.stringify(this.#directory)}: ${messageOf(error)}.`;
    if (code === 'ENOENT') return new ClfsError('container-missing', text, { cause: error });
    if (code === 'EACCES' || code === 'EPERM') return new ClfsError('access-denied', text, { cause: error });
    return new ClfsError('container', text, { cause: error });
  }
}

function writeWhole(path: string, body: Uint8Array, sync: boolean): void {
  const fd = openSync(path, 'wx', 0o644);
  try {
    for (let at = 0; at < body.length; ) at += writeSync(fd, body, at, body.length - at);
    if (sync) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never made, or is gone already.
  }
}

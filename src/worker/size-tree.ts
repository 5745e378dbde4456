import { setImmediate } from 'node:timers/promises';
import { ClfsError, isClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { SourcePace } from '../source/source-pace.js';
import type {
  AsyncSourceDirectory,
  ListedEntry,
  SourceAttributes,
  SourceDirectory,
  SourceTree,
} from '../source/source-tree.js';
import { systemClock } from '../time/clock.js';
import type { WaitSlot } from '../waits/wait-board.js';
import { type CountedDirectory, type SizeOptions, TreeCount, type TreeSize } from './tree-count.js';

/** Entries after which the caller gets its turn. */
const TURN_ENTRIES = 512;
/** Directories that are gone over at once where calls take long. */
const DIRECTORIES_AT_ONCE = 32;
/** Calls for one entry, one after another: look, open and close, what it has that the format cannot hold. */
const CALLS_AN_ENTRY = 3;

/** What goes on while a tree is sized. */
export interface SizeParts {
  /** Told now and then. */
  readonly onProgress?: (size: TreeSize) => void;
  readonly signal?: AbortSignal;
  /** Where it is told what is waited for. */
  readonly waits?: WaitSlot;
}

/**
 * Goes over a tree without reading any file.
 *
 * Without `audit` only what lstat tells is known: a file that lists but cannot be opened counts as if it could.
 *
 * @throws ClfsError `source` when the root cannot be read
 */
export async function sizeTree(source: SourceTree, options: SizeOptions, parts: SizeParts = {}): Promise<TreeSize> {
  return new Sizer(source, options, parts).run();
}

class Sizer {
  readonly #source: SourceTree;
  readonly #audit: boolean;
  readonly #parts: SizeParts;
  readonly #count: TreeCount;
  readonly #pace: SourcePace;
  readonly #open: Buffer[] = [Buffer.alloc(0)];
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;
  #entries = 0;

  constructor(source: SourceTree, options: SizeOptions, parts: SizeParts) {
    this.#source = source;
    this.#audit = options.audit === true;
    this.#parts = parts;
    this.#count = new TreeCount(options);
    const now = () => systemClock.monotonic();
    this.#pace = new SourcePace({ source, mayBlock: true, waits: parts.waits, now });
  }

  async run(): Promise<TreeSize> {
    const { async } = this.#source;
    while (this.#open.length + this.#running > 0 && !this.#failure) {
      const path = this.#running < DIRECTORIES_AT_ONCE ? this.#open.pop() : undefined;
      if (path === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#pace.begin();
      if (async && this.#pace.isAsync) void this.#begin(path, async);
      else await this.#directory(path);
    }
    if (this.#failure) throw this.#failure.error;
    return this.#count.size();
  }

  async #begin(path: Buffer, async: NonNullable<SourceTree['async']>): Promise<void> {
    this.#running++;
    try {
      await this.#directoryLater(path, async);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#running--;
    this.#wake();
  }

  /** Goes over a directory by calls that hold up the thread, which cost least where they are answered at once. */
  async #directory(path: Buffer): Promise<void> {
    const { waits } = this.#pace;
    let directory: SourceDirectory | undefined;
    try {
      waits.blocks(path, NO_NAME);
      directory = this.#source.openDirectory(path);
      const counted = this.#count.beginDirectory(path, directory.attributes());
      if (this.#count.wantsUnstorable) this.#count.look(path, DOT, directory.unstorableOf?.(DOT));
      for (const batch of directory.list()) {
        for (const entry of batch) {
          this.#entry(directory, counted, entry);
          const turn = this.#pause();
          if (turn) await turn;
          waits.blocks(path, NO_NAME);
        }
      }
      this.#count.endDirectory(counted);
    } catch (error) {
      this.#cannotEnter(path, error);
    } finally {
      directory?.close();
      waits.unblocks();
    }
  }

  #entry(directory: SourceDirectory, counted: CountedDirectory, { name, excluded }: ListedEntry): void {
    const { path } = counted;
    if (excluded) {
      this.#count.exclude(path, name);
      return;
    }
    const begunMs = this.#pace.isLooking ? performance.now() : 0;
    this.#pace.waits.blocks(path, name);
    try {
      const attributes = directory.attributesOf(name);
      if (this.#audit && attributes.type === ObjectType.regular) directory.openFile(name).close();
      if (this.#found(counted, name, attributes)) this.#count.look(path, name, directory.unstorableOf?.(name));
    } catch (error) {
      this.#cannotRead(path, name, error);
    } finally {
      if (begunMs > 0) this.#pace.took(performance.now() - begunMs);
    }
  }

  /** Goes over a directory with many calls under way, which leave the thread free. */
  async #directoryLater(path: Buffer, async: NonNullable<SourceTree['async']>): Promise<void> {
    let directory: SourceDirectory | undefined;
    try {
      directory = await this.#turn(path, NO_NAME, () => async.openDirectory(path));
      const later = directory.async;
      if (!later) throw new Error('A directory that was opened by calls that leave the thread free has none.');
      const counted = this.#count.beginDirectory(path, await this.#turn(path, NO_NAME, () => later.attributes()));
      if (this.#count.wantsUnstorable)
        this.#count.look(path, DOT, await this.#turn(path, DOT, async () => later.unstorableOf?.(DOT)));
      const batches = later.list()[Symbol.asyncIterator]();
      for (;;) {
        const next = await this.#turn(path, NO_NAME, () => batches.next());
        if (next.done) break;
        await this.#entriesLater(later, counted, next.value);
      }
      this.#count.endDirectory(counted);
    } catch (error) {
      this.#cannotEnter(path, error);
    } finally {
      directory?.close();
    }
  }

  /** Entries side by side; what is found counts in their order, by which they are written. */
  async #entriesLater(
    directory: AsyncSourceDirectory,
    counted: CountedDirectory,
    entries: readonly ListedEntry[],
  ): Promise<void> {
    const { path } = counted;
    const looks = entries.map(async ({ name, excluded }) => {
      if (excluded) return undefined;
      const turn = await this.#pace.enter(path, name);
      try {
        const attributes = await directory.attributesOf(name);
        if (this.#audit && attributes.type === ObjectType.regular) await (await directory.openFile(name)).close();
        const unstorable = this.#count.wantsUnstorable && (await directory.unstorableOf?.(name));
        turn.end(CALLS_AN_ENTRY);
        return { attributes, unstorable: unstorable || undefined };
      } catch (error) {
        turn.end();
        return { error };
      }
    });
    for (const [at, { name }] of entries.entries()) {
      const found = await looks[at];
      if (!found) this.#count.exclude(path, name);
      else if ('error' in found) this.#cannotRead(path, name, found.error);
      else if (this.#found(counted, name, found.attributes)) this.#count.look(path, name, found.unstorable);
      const turn = this.#pause();
      if (turn) await turn;
    }
  }

  /** @returns whether it is to be looked at what of it the format cannot hold */
  #found(counted: CountedDirectory, name: Buffer, attributes: SourceAttributes): boolean {
    const isOwn = this.#count.entry(counted, name, attributes);
    if (attributes.type === ObjectType.directory) this.#open.push(joinPath(counted.path, name));
    return isOwn && this.#count.wantsUnstorable;
  }

  async #turn<T>(path: Buffer, name: Buffer, call: () => Promise<T>): Promise<T> {
    const turn = await this.#pace.enter(path, name);
    try {
      return await call();
    } finally {
      turn.end();
    }
  }

  /** The caller gets its turn now and then. */
  #pause(): Promise<void> | undefined {
    return ++this.#entries % TURN_ENTRIES === 0 ? this.#giveTurn() : undefined;
  }

  async #giveTurn(): Promise<void> {
    const { onProgress, signal } = this.#parts;
    await setImmediate();
    signal?.throwIfAborted();
    onProgress?.(this.#count.size());
  }

  /** @throws ClfsError `source` when it is the root; what is no failure of an entry */
  #cannotEnter(path: Buffer, error: unknown): void {
    if (!isClfsError(error, 'entry')) throw error;
    if (path.length === 0) throw new ClfsError('source', `Cannot read the source: ${error.message}.`, { cause: error });
    this.#count.cannotRead(path, error.message);
  }

  /** @throws what is no failure of the entry */
  #cannotRead(path: Buffer, name: Buffer, error: unknown): void {
    if (!isClfsError(error, 'entry')) throw error;
    this.#count.cannotRead(joinPath(path, name), error.message);
  }
}

const DOT = Buffer.from('.');
const NO_NAME = Buffer.alloc(0);

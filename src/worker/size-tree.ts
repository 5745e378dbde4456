import { setImmediate } from 'node:timers/promises';
import { ClfsError, isClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { asyncOf, batches, blocking, NO_NAME, openDirectory } from '../source/patient-calls.js';
import { SourcePace } from '../source/source-pace.js';
import { SourcePatience } from '../source/source-patience.js';
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
  readonly #patience: SourcePatience;
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
    this.#patience = new SourcePatience({ source, pace: this.#pace, signal: parts.signal });
  }

  async run(): Promise<TreeSize> {
    try {
      return await this.#run();
    } finally {
      this.#count.close();
    }
  }

  async #run(): Promise<TreeSize> {
    while (this.#open.length + this.#running > 0 && !this.#failure) {
      const path = this.#running < DIRECTORIES_AT_ONCE ? this.#open.pop() : undefined;
      if (path === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      this.#pace.begin();
      if (this.#source.async && this.#pace.isAsync) void this.#begin(path);
      else await this.#directory(path);
    }
    if (this.#failure) throw this.#failure.error;
    return this.#count.size();
  }

  async #begin(path: Buffer): Promise<void> {
    this.#running++;
    try {
      await this.#directory(path);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#running--;
    this.#wake();
  }

  async #directory(path: Buffer): Promise<void> {
    const [pace, patience] = [this.#pace, this.#patience];
    let directory: SourceDirectory | undefined;
    try {
      directory = await patience.read(path, NO_NAME, () => openDirectory(this.#source, pace, path));
      const counted = await this.#beginDirectory(directory, path);
      for await (const batch of batches(directory, path, pace, patience)) {
        const later = asyncOf(directory, pace);
        if (later) await this.#entriesLater(later, counted, batch);
        else await this.#entriesHere(directory, counted, batch);
      }
      this.#count.endDirectory(counted);
    } catch (error) {
      this.#cannotEnter(path, error);
    } finally {
      directory?.close();
    }
  }

  async #beginDirectory(directory: SourceDirectory, path: Buffer): Promise<CountedDirectory> {
    const [pace, later] = [this.#pace, asyncOf(directory, this.#pace)];
    const attributes = await this.#patience.read(path, NO_NAME, () =>
      later
        ? pace.during(path, NO_NAME, () => later.attributes())
        : blocking(pace, path, NO_NAME, () => directory.attributes()),
    );
    const counted = this.#count.beginDirectory(path, attributes);
    if (!this.#count.wantsUnstorable) return counted;
    const unstorable = later
      ? await pace.during(path, DOT, async () => later.unstorableOf?.(DOT))
      : blocking(pace, path, DOT, () => directory.unstorableOf?.(DOT));
    this.#count.look(path, DOT, unstorable);
    return counted;
  }

  /** Entries one after another, by calls that hold up the thread, which cost least where they are answered at once. */
  async #entriesHere(
    directory: SourceDirectory,
    counted: CountedDirectory,
    entries: readonly ListedEntry[],
  ): Promise<void> {
    for (const { name, excluded } of entries) {
      if (excluded) this.#count.exclude(counted.path, name);
      else await this.#entry(directory, counted, name);
      const turn = this.#pause();
      if (turn) await turn;
    }
  }

  #entry(directory: SourceDirectory, counted: CountedDirectory, name: Buffer): void | Promise<void> {
    const { path } = counted;
    const begunMs = this.#pace.isLooking ? performance.now() : 0;
    const found = (attributes: SourceAttributes) => {
      if (this.#found(counted, name, attributes)) this.#count.look(path, name, directory.unstorableOf?.(name));
    };
    try {
      const look = this.#patience.read(path, name, () =>
        blocking(this.#pace, path, name, () => {
          const attributes = directory.attributesOf(name);
          if (this.#audit && attributes.type === ObjectType.regular) directory.openFile(name).close();
          return attributes;
        }),
      );
      if (look instanceof Promise) return look.then(found).catch((error) => this.#cannotRead(path, name, error));
      found(look);
    } catch (error) {
      this.#cannotRead(path, name, error);
    } finally {
      if (begunMs > 0) this.#pace.took(performance.now() - begunMs);
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
      try {
        return await this.#patience.read(path, name, () => this.#look(directory, path, name));
      } catch (error) {
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

  async #look(directory: AsyncSourceDirectory, path: Buffer, name: Buffer) {
    const turn = await this.#pace.enter(path, name);
    let calls: number | undefined;
    try {
      const attributes = await directory.attributesOf(name);
      if (this.#audit && attributes.type === ObjectType.regular) await (await directory.openFile(name)).close();
      const unstorable = this.#count.wantsUnstorable ? await directory.unstorableOf?.(name) : undefined;
      calls = CALLS_AN_ENTRY;
      return { attributes, unstorable };
    } finally {
      turn.end(calls);
    }
  }

  /** @returns whether it is to be looked at what of it the format cannot hold */
  #found(counted: CountedDirectory, name: Buffer, attributes: SourceAttributes): boolean {
    const isOwn = this.#count.entry(counted, name, attributes);
    if (attributes.type === ObjectType.directory) this.#open.push(joinPath(counted.path, name));
    return isOwn && this.#count.wantsUnstorable;
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

import type { Container } from '../container/container.js';
import { ClfsError, isClfsError } from '../error.js';
import { type DirectoryEntry, isDot, isDotDot, isSafeName } from '../format/dirents.js';
import { ObjectType } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { ReadWindow } from './read-window.js';
import type { FoundInode } from './reader.js';

/** One entry of a tree that is walked. */
export interface WalkedEntry {
  /** Below where the walk began, joined by `/`; empty for that itself. */
  readonly path: Buffer;
  readonly name: Uint8Array;
  readonly handle: Uint8Array;
  /** Handle of the directory that it is in; its own for the start. */
  readonly parent: Uint8Array;
  /** undefined when it could not be read: `error` says why. */
  readonly found: FoundInode | undefined;
  readonly error: ClfsError | undefined;
}

/** What a walk reads with: see `ContainerReader`. */
export interface TreeReader {
  readonly container: Pick<Container, 'ready'>;
  inode(id: Uint8Array): Promise<FoundInode>;
  entries(directory: FoundInode): AsyncGenerator<readonly DirectoryEntry[]>;
}

type Reference = Pick<WalkedEntry, 'path' | 'name' | 'handle' | 'parent'>;

/** With so many, or so large ones, in memory few are read ahead: each directory on the way down may have many. */
const MANY = 4096;
const MANY_BYTES = 32 * 1048576;
const FEW_AHEAD = 64;
/** No real tree is deeper; a hostile one is cut off here. */
const MOST_DEPTH = 100_000;

/**
 * What lies ahead in a walk, in its order: entries that are being read, and behind each directory what of its entries is
 * not asked for yet. Of the first such rest more is asked for as long as few entries lie before it: so many requests
 * are under way, through several small directories too, and none for what comes much later.
 */
export class WalkAhead {
  readonly #reader: TreeReader;
  readonly #window: ReadWindow;
  /** Before the first place and behind the last one. */
  readonly #ends = new Place();
  #entries = 0;
  #bytes = 0;
  /** The first rest that is not waited for, and how many entries lie before it; undefined: to be looked for. */
  #first: { readonly rest: Rest | undefined; before: number } | undefined;
  #isClosed = false;

  constructor(reader: TreeReader, start: Uint8Array) {
    this.#reader = reader;
    this.#window = new ReadWindow(reader.container);
    this.#add({ path: Buffer.alloc(0), name: Buffer.alloc(0), handle: start, parent: start }, 0, this.#ends);
  }

  /**
   * Takes the entry that comes next.
   *
   * @param mayEnter whether what is in a directory is part of the walk; it is passed over otherwise
   * @returns undefined when there is none any more
   * @throws whatever the container throws beside `format` and `not-found`
   */
  async take(
    mayEnter: (directory: Uint8Array, isTooDeep: boolean) => boolean,
  ): Promise<{ readonly entry: WalkedEntry; readonly isLeft: boolean } | undefined> {
    for (;;) {
      this.#readOn();
      const place = this.#ends.next;
      if (place instanceof Entry) {
        const entry = await place.value;
        this.#remove(place);
        this.#window.adapt();
        const isLeft = isDirectory(entry) && !mayEnter(entry.handle, place.depth >= MOST_DEPTH);
        if (isLeft && place.rest) this.#removeTo(place.rest);
        return { entry, isLeft };
      }
      if (!(place instanceof Rest)) return undefined;
      if (place.pulling) await place.pulling;
      else this.#remove(place);
    }
  }

  /** Nothing more is read. */
  close(): void {
    this.#isClosed = true;
    for (let place = this.#ends.next; place !== this.#ends; place = place.next)
      if (place instanceof Rest) place.close();
  }

  /** Asks for more, where few entries lie before it. */
  #readOn(): void {
    while (!this.#isClosed) {
      const { rest, before } = this.#findFirst();
      const isLittle = this.#entries < MANY && this.#bytes < MANY_BYTES;
      if (!rest || before >= (isLittle ? this.#window.size : FEW_AHEAD)) return;
      const next = rest.entry();
      if (next) this.#addChild(next, rest);
      else this.#pull(rest);
    }
  }

  #addChild({ name, handle }: DirectoryEntry, rest: Rest): void {
    if (isDot(name) || isDotDot(name)) return;
    const { directory, path, depth } = rest;
    const reference = { path: joinPath(path, name), name, handle, parent: directory.id };
    if (isSafeName(name)) {
      this.#add(reference, depth + 1, rest);
      return;
    }
    const message = `The directory ${directory.blob.name} has an entry whose name cannot be one.`;
    this.#insert(new Entry(depth + 1, failed(reference, new ClfsError('format', message))), rest);
  }

  #add(reference: Reference, depth: number, before: Place): void {
    const value = read(this.#reader, reference).then((walked) => {
      if (entry.isGone) return walked;
      entry.bytes = bytesOf(walked);
      this.#bytes += entry.bytes;
      if (isDirectory(walked) && depth < MOST_DEPTH) {
        entry.rest = new Rest(walked, this.#reader.entries(walked.found), depth);
        entry.next.putBefore(entry.rest);
        this.#first = undefined;
        this.#readOn();
      }
      return walked;
    });
    const entry = new Entry(depth, value);
    this.#insert(entry, before);
  }

  #pull(rest: Rest): void {
    const { path, directory } = rest;
    this.#first = undefined;
    const goOn = () => {
      rest.pulling = undefined;
      this.#first = undefined;
      this.#readOn();
    };
    rest.pulling = rest.pull().then(goOn, (error: unknown) => {
      const reference = { path, name: Buffer.alloc(0), handle: directory.id, parent: directory.id };
      if (!rest.isGone) this.#insert(new Entry(rest.depth, failed(reference, error)), rest);
      goOn();
    });
  }

  #findFirst(): { readonly rest: Rest | undefined; before: number } {
    if (this.#first) return this.#first;
    let before = 0;
    let place = this.#ends.next;
    for (; place !== this.#ends; place = place.next) {
      if (place instanceof Entry) before++;
      else if (place instanceof Rest && !place.isEnded && !place.pulling) break;
    }
    this.#first = { rest: place instanceof Rest ? place : undefined, before };
    return this.#first;
  }

  #insert(entry: Entry, before: Place): void {
    before.putBefore(entry);
    this.#entries++;
    if (this.#first && before === this.#first.rest) this.#first.before++;
    else this.#first = undefined;
  }

  #remove(place: Place): void {
    place.takeOut();
    if (!(place instanceof Entry)) {
      this.#first = undefined;
      return;
    }
    this.#entries--;
    this.#bytes -= place.bytes;
    // It is the first of all.
    if (this.#first) this.#first.before--;
  }

  /** Passes over what is in a directory, which comes first. */
  #removeTo(rest: Rest): void {
    for (let place = this.#ends.next; ; place = this.#ends.next) {
      this.#remove(place);
      if (place instanceof Rest) place.close();
      if (place === rest) return;
    }
  }
}

/** A place in the order of a walk. */
class Place {
  previous: Place = this;
  next: Place = this;
  /** It is no part of the order any more. */
  isGone = false;

  putBefore(place: Place): void {
    place.previous = this.previous;
    place.next = this;
    this.previous.next = place;
    this.previous = place;
  }

  takeOut(): void {
    this.previous.next = this.next;
    this.next.previous = this.previous;
    // One that the collector counts among the old would keep all that came after it.
    this.previous = this;
    this.next = this;
    this.isGone = true;
  }
}

/** An entry that is being read. */
class Entry extends Place {
  readonly depth: number;
  readonly value: Promise<WalkedEntry>;
  /** Bytes of what was read of it. */
  bytes = 0;
  /** Of a directory that may be entered. */
  rest: Rest | undefined;

  constructor(depth: number, value: Promise<WalkedEntry>) {
    super();
    this.depth = depth;
    this.value = value;
    // Whoever takes it is told.
    value.catch(() => undefined);
  }
}

/** Entries of a directory that are not asked for yet; the end of all that is in it. */
class Rest extends Place {
  readonly directory: FoundInode;
  readonly path: Buffer;
  readonly depth: number;
  /** There are no more. */
  isEnded = false;
  /** Settles when more of them are known; undefined: that is not waited for. */
  pulling: Promise<void> | undefined;
  readonly #pieces: AsyncGenerator<readonly DirectoryEntry[]>;
  #piece: readonly DirectoryEntry[] = [];
  #at = 0;

  constructor({ found, path }: WalkedDirectory, pieces: AsyncGenerator<readonly DirectoryEntry[]>, depth: number) {
    super();
    this.directory = found;
    this.path = path;
    this.#pieces = pieces;
    this.depth = depth;
  }

  /** Undefined when none is known any more: to be pulled. */
  entry(): DirectoryEntry | undefined {
    return this.#at < this.#piece.length ? this.#piece[this.#at++] : undefined;
  }

  /** @throws as `ContainerReader.entries` */
  async pull(): Promise<void> {
    // What has thrown has ended.
    this.isEnded = true;
    const { value, done } = await this.#pieces.next();
    this.#piece = done ? [] : value;
    this.#at = 0;
    this.isEnded = done === true;
  }

  close(): void {
    this.#pieces.return(undefined).catch(() => undefined);
  }
}

type WalkedDirectory = WalkedEntry & { readonly found: FoundInode };

function isDirectory(entry: WalkedEntry): entry is WalkedDirectory {
  return entry.found?.inode.attributes.type === ObjectType.directory;
}

function bytesOf({ found }: WalkedEntry): number {
  return (found?.inode.data?.length ?? 0) + (found?.inode.dirents?.length ?? 0);
}

async function read(reader: TreeReader, reference: Reference): Promise<WalkedEntry> {
  try {
    return { ...reference, found: await reader.inode(reference.handle), error: undefined };
  } catch (error) {
    return failed(reference, error);
  }
}

/** @throws what is not of one entry alone */
async function failed(reference: Reference, error: unknown): Promise<WalkedEntry> {
  if (!isClfsError(error, 'format', 'not-found')) throw error;
  return { ...reference, found: undefined, error };
}

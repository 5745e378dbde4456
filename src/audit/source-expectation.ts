import { ObjectType } from '../format/ids.js';
import { type DescriptorPlaces, descriptorPlaces, patiently } from '../posix/descriptors.js';
import { SourcePace } from '../source/source-pace.js';
import type {
  AsyncSourceDirectory,
  ListedEntry,
  SourceAttributes,
  SourceDirectory,
  SourceTree,
} from '../source/source-tree.js';
import {
  clampNs,
  type Expectation,
  type ExpectedContent,
  type ExpectedDirectory,
  type ExpectedEntry,
} from './expectation.js';
import { linkKey } from './link-key.js';

/** Files of the source that are open at once, at most. */
const MOST_OPEN_FILES = 48;

/**
 * Expects of a container what a source tree holds.
 *
 * As many files are open at once as `places` has; that there is no descriptor left is waited for, and says nothing of
 * an entry. How the source is called is found by `pace`, as for a load.
 */
export function expectSource(
  source: SourceTree,
  places: DescriptorPlaces = descriptorPlaces(MOST_OPEN_FILES),
  pace: SourcePace = new SourcePace({ source, mayBlock: true }),
): Expectation {
  return {
    isPlain: false,
    async directory(path) {
      const what = path.length === 0 ? '.' : path;
      pace.begin();
      const { async } = source;
      const directory =
        async && pace.isAsync
          ? await patiently(what, () => underWay(pace, path, NO_NAME, () => async.openDirectory(path)))
          : await patiently(what, () => blocking(pace, path, NO_NAME, () => source.openDirectory(path)));
      try {
        const free = asyncOf(directory, pace);
        const self = free
          ? await underWay(pace, path, NO_NAME, () => free.attributes())
          : blocking(pace, path, NO_NAME, () => directory.attributes());
        return new DirectoryOfSource(directory, path, toExpected(lastComponent(path), self, undefined), places, pace);
      } catch (error) {
        directory.close();
        throw error;
      }
    },
    close: () => source.close(),
  };
}

function asyncOf(directory: SourceDirectory, pace: SourcePace): AsyncSourceDirectory | undefined {
  return pace.isAsync ? directory.async : undefined;
}

/** A call that leaves the thread free has a turn, by which whoever looks is told which takes long. */
async function underWay<T>(pace: SourcePace, directory: Buffer, name: Buffer, call: () => Promise<T>): Promise<T> {
  const turn = await pace.enter(directory, name);
  try {
    return await call();
  } finally {
    turn.end();
  }
}

/** A call that holds up the thread: whoever looks is told which. */
function blocking<T>({ waits }: SourcePace, directory: Buffer, name: Buffer, call: () => T): T {
  waits.blocks(directory, name);
  try {
    return call();
  } finally {
    waits.unblocks();
  }
}

const NO_NAME = Buffer.alloc(0);

class DirectoryOfSource implements ExpectedDirectory {
  readonly self: ExpectedEntry;
  readonly #directory: SourceDirectory;
  readonly #path: Buffer;
  readonly #places: DescriptorPlaces;
  readonly #pace: SourcePace;

  constructor(
    directory: SourceDirectory,
    path: Buffer,
    self: ExpectedEntry,
    places: DescriptorPlaces,
    pace: SourcePace,
  ) {
    this.self = self;
    this.#directory = directory;
    this.#path = path;
    this.#places = places;
    this.#pace = pace;
  }

  async *names(): AsyncGenerator<Buffer> {
    const async = asyncOf(this.#directory, this.#pace);
    for await (const batch of batches(async ?? this.#directory, this.#path, this.#pace))
      for (const { name, excluded } of batch) if (!excluded) yield name;
  }

  entry(name: Buffer): ExpectedEntry | Promise<ExpectedEntry> {
    const async = asyncOf(this.#directory, this.#pace);
    if (async) return underWay(this.#pace, this.#path, name, () => entryOf(async, name));
    return blocking(this.#pace, this.#path, name, () => {
      const attributes = this.#directory.attributesOf(name);
      const target = attributes.type === ObjectType.symlink ? this.#directory.readLink(name) : undefined;
      return toExpected(name, attributes, target);
    });
  }

  async content(name: Buffer): Promise<ExpectedContent> {
    const release = await this.#places.take();
    try {
      const async = asyncOf(this.#directory, this.#pace);
      return async ? await this.#read(async, name, release) : await this.#readDirectly(name, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async #readDirectly(name: Buffer, release: () => void): Promise<ExpectedContent> {
    const begunMs = this.#pace.isLooking ? performance.now() : 0;
    const [pace, path] = [this.#pace, this.#path];
    const file = await patiently(name, () => blocking(pace, path, name, () => this.#directory.openFile(name)));
    if (begunMs > 0) this.#pace.took(performance.now() - begunMs);
    const close = () => {
      file.close();
      release();
    };
    const read = (target: Buffer, position: number) => blocking(pace, path, name, () => file.read(target, position));
    return { kind: 'bytes', read, close };
  }

  async #read(async: AsyncSourceDirectory, name: Buffer, release: () => void): Promise<ExpectedContent> {
    const file = await patiently(name, () => underWay(this.#pace, this.#path, name, () => async.openFile(name)));
    return {
      kind: 'bytes',
      read: (target, position) => underWay(this.#pace, this.#path, name, () => file.read(target, position)),
      close: () => void file.close().then(release),
    };
  }

  close(): void {
    this.#directory.close();
  }
}

async function entryOf(directory: AsyncSourceDirectory, name: Buffer): Promise<ExpectedEntry> {
  const attributes = await directory.attributesOf(name);
  const target = attributes.type === ObjectType.symlink ? await directory.readLink(name) : undefined;
  return toExpected(name, attributes, target);
}

/** Listing takes a descriptor of its own with the first batch: only that one can lack it. */
async function* batches(
  directory: SourceDirectory | AsyncSourceDirectory,
  path: Buffer,
  pace: SourcePace,
): AsyncGenerator<readonly ListedEntry[]> {
  const begin = async () => {
    const list = directory.list();
    const listing = Symbol.asyncIterator in list ? nextInPool(list, path, pace) : nextHere(list, path, pace);
    return { ...listing, first: await listing.next() };
  };
  const { next, end, first } = await patiently(path.length === 0 ? '.' : path, begin);
  try {
    for (let batch = first; !batch.done; batch = await next()) yield batch.value;
  } finally {
    await end();
  }
}

function nextInPool(list: AsyncIterable<readonly ListedEntry[]>, path: Buffer, pace: SourcePace) {
  const listing = list[Symbol.asyncIterator]();
  return {
    next: () => underWay(pace, path, NO_NAME, () => listing.next()),
    end: async () => void (await listing.return?.()),
  };
}

function nextHere(list: Iterable<readonly ListedEntry[]>, path: Buffer, pace: SourcePace) {
  const listing = list[Symbol.iterator]();
  return {
    next: () => blocking(pace, path, NO_NAME, () => listing.next()),
    end: () => void listing.return?.(),
  };
}

function toExpected(name: Buffer, a: SourceAttributes, target: Buffer | undefined): ExpectedEntry {
  const device = a.type === ObjectType.block || a.type === ObjectType.char;
  return {
    name,
    type: a.type,
    permissions: a.mode & 0o7777,
    uid: a.uid,
    gid: a.gid,
    sizeBytes: a.sizeBytes,
    deviceMajor: device ? a.specialMajor : 0,
    deviceMinor: device ? a.specialMinor : 0,
    mtimeNs: clampNs(BigInt(a.mtimeSeconds) * 1_000_000_000n + BigInt(a.mtimeNanoseconds)),
    linkKey: a.linkCount > 1 && a.type !== ObjectType.directory ? linkKey(a) : undefined,
    target,
  };
}

function lastComponent(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}

import { ObjectType } from '../format/ids.js';
import { type DescriptorPlaces, descriptorPlaces, patiently } from '../posix/descriptors.js';
import {
  asyncOf,
  batches,
  blocking,
  NO_NAME,
  NO_PATIENCE,
  openDirectory,
  type Patience,
} from '../source/patient-calls.js';
import { SourcePace } from '../source/source-pace.js';
import type { AsyncSourceDirectory, SourceAttributes, SourceDirectory, SourceTree } from '../source/source-tree.js';
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
 * an entry. How the source is called is found by `pace`, as for a load. One that is away is waited for by `patience`,
 * where that is given.
 */
export function expectSource(
  source: SourceTree,
  places: DescriptorPlaces = descriptorPlaces(MOST_OPEN_FILES),
  pace: SourcePace = new SourcePace({ source, mayBlock: true }),
  patience: Patience = NO_PATIENCE,
): Expectation {
  const open = async (path: Buffer) => {
    pace.begin();
    const directory = await openDirectory(source, pace, path);
    try {
      const free = asyncOf(directory, pace);
      const self = free
        ? await pace.during(path, NO_NAME, () => free.attributes())
        : blocking(pace, path, NO_NAME, () => directory.attributes());
      const expected = toExpected(lastComponent(path), self, undefined);
      return new DirectoryOfSource(directory, path, expected, places, pace, patience);
    } catch (error) {
      directory.close();
      throw error;
    }
  };
  return {
    isPlain: false,
    directory: (path) => patience.read(path, NO_NAME, () => open(path)),
    close: () => source.close(),
  };
}

class DirectoryOfSource implements ExpectedDirectory {
  readonly self: ExpectedEntry;
  readonly #directory: SourceDirectory;
  readonly #path: Buffer;
  readonly #places: DescriptorPlaces;
  readonly #pace: SourcePace;
  readonly #patience: Patience;

  constructor(
    directory: SourceDirectory,
    path: Buffer,
    self: ExpectedEntry,
    places: DescriptorPlaces,
    pace: SourcePace,
    patience: Patience,
  ) {
    this.#patience = patience;
    this.self = self;
    this.#directory = directory;
    this.#path = path;
    this.#places = places;
    this.#pace = pace;
  }

  async *names(): AsyncGenerator<Buffer> {
    for await (const batch of batches(this.#directory, this.#path, this.#pace, this.#patience))
      for (const { name, excluded } of batch) if (!excluded) yield name;
  }

  entry(name: Buffer): ExpectedEntry | Promise<ExpectedEntry> {
    return this.#patience.read(this.#path, name, () => this.#entry(name));
  }

  #entry(name: Buffer): ExpectedEntry | Promise<ExpectedEntry> {
    const async = asyncOf(this.#directory, this.#pace);
    if (async) return this.#pace.during(this.#path, name, () => entryOf(async, name));
    return blocking(this.#pace, this.#path, name, () => {
      const attributes = this.#directory.attributesOf(name);
      const target = attributes.type === ObjectType.symlink ? this.#directory.readLink(name) : undefined;
      return toExpected(name, attributes, target);
    });
  }

  async content(name: Buffer): Promise<ExpectedContent> {
    const release = await this.#places.take();
    try {
      return await this.#patience.read(this.#path, name, () => {
        const async = asyncOf(this.#directory, this.#pace);
        return async ? this.#read(async, name, release) : this.#readDirectly(name, release);
      });
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
    const read = (target: Buffer, position: number, enoughBytes: number) =>
      this.#patience.read(path, name, () => blocking(pace, path, name, () => file.read(target, position, enoughBytes)));
    return { kind: 'bytes', read, close };
  }

  async #read(async: AsyncSourceDirectory, name: Buffer, release: () => void): Promise<ExpectedContent> {
    const file = await patiently(name, () => this.#pace.during(this.#path, name, () => async.openFile(name)));
    return {
      kind: 'bytes',
      read: (target, position, enoughBytes) =>
        this.#patience.read(this.#path, name, () =>
          this.#pace.during(this.#path, name, () => file.read(target, position, enoughBytes)),
        ),
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

import { ObjectType } from '../format/ids.js';
import { type DescriptorPlaces, descriptorPlaces, patiently } from '../posix/descriptors.js';
import type { ListedEntry, SourceAttributes, SourceDirectory, SourceTree } from '../source/source-tree.js';
import { clampNs, type Expectation, type ExpectedEntry } from './expectation.js';

/** Files of the source that are open at once, at most. */
const MOST_OPEN_FILES = 48;

/**
 * Expects of a container what a source tree holds.
 *
 * As many files are open at once as `places` has; that there is no descriptor left is waited for, and says nothing of
 * an entry.
 */
export function expectSource(
  source: SourceTree,
  places: DescriptorPlaces = descriptorPlaces(MOST_OPEN_FILES),
): Expectation {
  return {
    isPlain: false,
    async directory(path) {
      const directory = await patiently(path.length === 0 ? '.' : path, () => source.openDirectory(path));
      return {
        self: attributesOf(directory, path),
        async *names() {
          for await (const batch of batches(directory, path))
            for (const { name, excluded } of batch) if (!excluded) yield name;
        },
        entry(name) {
          const attributes = directory.attributesOf(name);
          return toExpected(
            name,
            attributes,
            attributes.type === ObjectType.symlink ? directory.readLink(name) : undefined,
          );
        },
        async content(name) {
          const release = await places.take();
          try {
            const file = await patiently(name, () => directory.openFile(name));
            const close = () => {
              file.close();
              release();
            };
            return { kind: 'bytes', read: (target, position) => file.read(target, position), close };
          } catch (error) {
            release();
            throw error;
          }
        },
        close: () => directory.close(),
      };
    },
    close: () => source.close(),
  };
}

function attributesOf(directory: SourceDirectory, path: Buffer): ExpectedEntry {
  try {
    return toExpected(lastComponent(path), directory.attributes(), undefined);
  } catch (error) {
    directory.close();
    throw error;
  }
}

/** Listing takes a descriptor of its own with the first batch: only that one can lack it. */
async function* batches(directory: SourceDirectory, path: Buffer): AsyncGenerator<readonly ListedEntry[]> {
  const begin = () => {
    const listing = directory.list()[Symbol.iterator]();
    return { listing, first: listing.next() };
  };
  const { listing, first } = await patiently(path.length === 0 ? '.' : path, begin);
  let next = first;
  try {
    for (; !next.done; next = listing.next()) yield next.value;
  } finally {
    listing.return?.();
  }
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
    linkKey: a.linkCount > 1 && a.type !== ObjectType.directory ? `${a.device}/${a.inode}` : undefined,
    target,
  };
}

function lastComponent(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}

import { patiently } from '../posix/descriptors.js';
import type { SourcePace } from './source-pace.js';
import type { SourcePatience } from './source-patience.js';
import type { AsyncSourceDirectory, ListedEntry, SourceDirectory, SourceTree } from './source-tree.js';

/* Calls of a source in either way, for whoever only reads it: whoever looks is told what is waited for. */

/** What waits for a source that is away. */
export type Patience = Pick<SourcePatience, 'read'>;

/** Waits for nothing. */
export const NO_PATIENCE: Patience = { read: (_path, _name, read) => read() };

/** The directory itself. */
export const NO_NAME = Buffer.alloc(0);

/** The calls of a directory that leave the thread free, where such calls are wanted now. */
export function asyncOf(directory: SourceDirectory, pace: SourcePace): AsyncSourceDirectory | undefined {
  return pace.isAsync ? directory.async : undefined;
}

/** A call that holds up the thread: whoever looks is told which. */
export function blocking<T>({ waits }: SourcePace, directory: Buffer, name: Buffer, call: () => T): T {
  waits.blocks(directory, name);
  try {
    return call();
  } finally {
    waits.unblocks();
  }
}

/**
 * Opens a directory; that there is no descriptor left is waited for.
 *
 * @throws ClfsError `entry`; `open-files`
 */
export function openDirectory(source: SourceTree, pace: SourcePace, path: Buffer): Promise<SourceDirectory> {
  const { async } = source;
  return patiently(path.length === 0 ? '.' : path, () =>
    async && pace.isAsync
      ? pace.during(path, NO_NAME, () => async.openDirectory(path))
      : blocking(pace, path, NO_NAME, () => source.openDirectory(path)),
  );
}

/**
 * What a directory lists. Listing takes a descriptor of its own with the first batch: only that one can lack it.
 *
 * @throws ClfsError `entry`; `open-files`
 */
export async function* batches(
  directory: SourceDirectory,
  path: Buffer,
  pace: SourcePace,
  patience: Patience,
): AsyncGenerator<readonly ListedEntry[]> {
  const begin = async () => {
    const list = (asyncOf(directory, pace) ?? directory).list();
    const listing = Symbol.asyncIterator in list ? nextInPool(list, path, pace) : nextHere(list, path, pace);
    return { ...listing, first: await listing.next() };
  };
  // What fails behind that is not read again: where it had come to is not known.
  const { next, end, first } = await patience.read(path, NO_NAME, () =>
    patiently(path.length === 0 ? '.' : path, begin),
  );
  try {
    for (let batch = first; !batch.done; batch = await next()) yield batch.value;
  } finally {
    await end();
  }
}

function nextInPool(list: AsyncIterable<readonly ListedEntry[]>, path: Buffer, pace: SourcePace) {
  const listing = list[Symbol.asyncIterator]();
  return {
    next: () => pace.during(path, NO_NAME, () => listing.next()),
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

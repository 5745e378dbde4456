import { createHash } from 'node:crypto';
import type { ReadCap } from '../container/read-cap.js';
import { isInode, ListedCounter } from '../namespace/count-listed.js';
import { indexContainer } from '../namespace/object-index.js';
import type { Pace } from '../namespace/pace.js';
import type { ContainerReader } from '../namespace/reader.js';
import { type SharedObjects, shareObjects } from '../namespace/shared-objects.js';
import type { OpenSalvage } from '../salvage/open-salvage.js';
import { ALL } from './choice.js';
import type { ExportJobOptions } from './options.js';

/** What an export reads, and by what. */
export interface Reading {
  readonly reader: ContainerReader;
  readonly pace: Pace;
  /** What is read is held to it; undefined: no cap. */
  readonly cap?: ReadCap;
  /** The tree that is written in place of the root's. */
  readonly salvaged?: OpenSalvage;
}

/** What a listing of the container brings. */
export interface Listing {
  readonly objects: SharedObjects;
  /** Of all inodes that count, each of which has its version in its name: what a tree is made of. */
  readonly hash: string;
  /** Entries in all; undefined where that is not known. */
  readonly total: number | undefined;
  /** Bytes as they are stored of the content of files; undefined where the total is not known. */
  readonly contentBytes: number | undefined;
  /** Ends what {@link objects} is read by. */
  close(): void;
}

/** Lists the container. @param isWhole whether all of it is exported: then the number of inodes is that of entries */
export async function listObjects(
  { reader, pace, salvaged }: Reading,
  { choice = ALL, onListed, internals = {} }: ExportJobOptions,
  isWhole: boolean,
): Promise<Listing> {
  const { memoryObjects } = internals;
  const index = salvaged?.index ?? (await indexContainer(reader.container, { onPage: onListed, pace, memoryObjects }));
  try {
    const listed = new ListedCounter();
    // The index has them in an order of its own, whatever that of the container.
    const hash = createHash('sha256');
    const objects = await shareObjects(index, (page) => {
      const names = page.filter(({ key }) => isInode(key.type));
      hash.update(names.map(({ name }) => `${name}\n`).join(''));
      listed.add(page);
      return pace.pause();
    });
    const isAll =
      isWhole &&
      // Of that tree not every directory is an inode.
      !salvaged &&
      choice.excludePaths.length + choice.excludePatterns.length + choice.includePatterns.length === 0;
    // What is in memory has been copied.
    if (objects.kind === 'table' && !salvaged) index.close();
    return {
      objects,
      hash: salvaged?.listingHash ?? hash.digest('hex'),
      total: isAll ? listed.inodes : undefined,
      contentBytes: isAll ? listed.contentBytes : undefined,
      close: () => index.close(),
    };
  } catch (error) {
    index.close();
    throw error;
  }
}

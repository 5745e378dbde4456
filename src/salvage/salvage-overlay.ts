import { type Attributes, EPOCH } from '../format/attributes.js';
import { NO_ROOTS } from '../format/block-map.js';
import type { DirectoryEntry } from '../format/dirents.js';
import { fileBlockCount } from '../format/geometry.js';
import { idHex, ObjectType } from '../format/ids.js';
import { fileSize } from '../namespace/content.js';
import type { ObjectBlob } from '../namespace/object-blob.js';
import type { ContainerReader, FoundInode, ReaderOverlay } from '../namespace/reader.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { freeName } from './marked-names.js';
import { blobOf, orLost } from './read-inodes.js';
import { isOfContainer, versionBlob } from './salvage-ids.js';
import type { SalvageTree } from './salvage-tree.js';

/** Blocks of the longest file that is read with gaps: a damaged inode may claim any length. */
const MOST_BLOCKS = 2 ** 24;

/**
 * Attributes of a directory of which nothing is known: nobody but its owner may look into it, since what it was may have
 * been private.
 */
const UNKNOWN: Attributes = {
  mode: 0o040700,
  type: ObjectType.directory,
  flags: 0,
  uid: 0,
  gid: 0,
  lengthBytes: 0n,
  dtime: EPOCH,
  mtime: EPOCH,
  ctime: EPOCH,
  atime: EPOCH,
  usedBytes: 0n,
  fsid: 0n,
  inodeNumber: 0n,
  deviceMajor: 0,
  deviceMinor: 0,
  linkCount: 2,
  containerId: 0n,
};

/** What a search has found; it is closed by who has made it. */
interface OverlayParts {
  readonly tree: SalvageTree;
  readonly rebuilt: ByteSet;
  readonly incomplete: ByteSet;
}

/** Makes a reader read a tree that was put together; names of incomplete files have a mark. */
export class SalvageOverlay implements ReaderOverlay {
  readonly #reader: ContainerReader;
  readonly #parts: OverlayParts;

  /** @param reader of the container, without an overlay */
  constructor(reader: ContainerReader, parts: OverlayParts) {
    this.#reader = reader;
    this.#parts = parts;
  }

  async inode(id: Uint8Array): Promise<FoundInode | undefined> {
    const blob = versionBlob(id);
    if (blob !== undefined) return this.#withGaps(id, await this.#reader.inodeIn(blobOf(blob)));
    if (!isOfContainer(id) || this.#parts.rebuilt.has(id)) return madeDirectory(id);
    if (this.#parts.incomplete.has(id)) return this.#withGaps(id, await this.#reader.inode(id));
    return undefined;
  }

  *entries(directory: FoundInode): Generator<readonly DirectoryEntry[]> {
    const { tree, incomplete } = this.#parts;
    const marked = new SpilledSet();
    try {
      for (const page of tree.entries(directory.id)) {
        yield page.map(({ name, id }) => {
          if (!incomplete.has(id)) return { name, handle: id };
          const isTaken = (wish: Buffer) => marked.has(wish) || tree.get(directory.id, wish) !== undefined;
          const own = freeName(name, 'incomplete', id, isTaken);
          marked.add(own);
          return { name: own, handle: id };
        });
      }
    } finally {
      marked.close();
    }
  }

  async #withGaps(id: Uint8Array, found: FoundInode): Promise<FoundInode> {
    if (!this.#parts.incomplete.has(id)) return found;
    const size = await orLost(() => fileSize(found));
    const isShort = size !== undefined && fileBlockCount(size, this.#reader.geometry) <= MOST_BLOCKS;
    return isShort ? { ...found, hasGaps: true } : found;
  }
}

/** A directory that only this tree has, or of which it has no inode. */
function madeDirectory(id: Uint8Array): FoundInode {
  const key = { nameVersion: 2, id: Buffer.from(id), type: ObjectType.directory, ownerHash: '', version: 0 } as const;
  const blob: ObjectBlob = { name: `salvage:${idHex(id)}`, sizeBytes: 0, key };
  const blockMap = { firstSegmentBytes: 0, segmentBytes: 0, direct: [], roots: NO_ROOTS };
  const inode = {
    attributes: UNKNOWN,
    blockMap,
    backPointers: undefined,
    name: Buffer.alloc(0),
    data: undefined,
    dirents: Buffer.alloc(0),
    extendedAttributes: undefined,
    otherRecords: [],
  };
  return { id, blob, inode, storedBytes: 0, compressed: false };
}

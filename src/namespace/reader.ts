import type { Container } from '../container/container.js';
import type { ContentTally } from '../container/content-read.js';
import { LargeBuffers } from '../container/large-buffers.js';
import { ClfsError, isClfsError } from '../error.js';
import { indirectPath } from '../format/block-map.js';
import { type DirectoryEntry, decodeDirents } from '../format/dirents.js';
import { type DecodedObject, decodeObject, type Lz4 } from '../format/envelope.js';
import { GEOMETRY, type Geometry, TREE_COUNT } from '../format/geometry.js';
import { bytesEqual, HANDLE_BYTES, idHex, isNullId, isRootId, ObjectType } from '../format/ids.js';
import { decodeInode, type Inode } from '../format/inode.js';
import { type DirectorySegment, decodeSegment, type FileSegment, type IndirectBlock } from '../format/segment.js';
import { isOutOfDescriptors, patiently } from '../posix/descriptors.js';
import type { ObjectBlob } from './object-blob.js';
import type { ObjectFinder } from './object-finder.js';
import { Pace } from './pace.js';

/**
 * Most bytes that one object of a sane container has, uncompressed: a file segment and its records, with room to spare.
 */
const OBJECT_LIMIT_BYTES = 16 * 1048576;
/**
 * The same of an inode, whose data, direct blocks and back pointers take some 100 KB at most: many of them are in memory
 * at once, and a few bytes can stand for much.
 */
const INODE_LIMIT_BYTES = 1048576;
/** From this size on memory is used again: nothing else is in it then. */
const LARGE_BYTES = 1048576;
/** Indirect blocks that are kept: sequential readers come back to the same ones. */
const CACHED_BLOCKS = 64;
/** Deepest level of an indirect tree: a hostile container cannot cause a deeper recursion. */
const MOST_LEVELS = TREE_COUNT;

/** What leads on where there is no root. */
export const WITHOUT_ROOT =
  '"clfsload ls --salvage CONTAINER" shows what can be reached without it, and "clfsload export --salvage CONTAINER DIRECTORY" brings that back.';
const NO_ROOT = `The container has no root directory: its load was not finished, a blob was lost, or it is no CLFS container. ${WITHOUT_ROOT}`;

/** An inode and the blob that it came from. */
export interface FoundInode {
  readonly id: Uint8Array;
  readonly blob: ObjectBlob;
  readonly inode: Inode;
  readonly storedBytes: number;
  readonly compressed: boolean;
  /** Of a file that lacks segments, of which what is there is to be read: what is missing reads as zeros. */
  readonly hasGaps?: boolean;
}

/** What a reader is told in place of what the container has. */
export interface ReaderOverlay {
  /** @returns undefined when the container's own counts. @throws as `ContainerReader.inode` */
  inode(id: Uint8Array): Promise<FoundInode | undefined>;
  /** Entries of any directory, in pages. @throws ClfsError `temporary` */
  entries(directory: FoundInode): Iterable<readonly DirectoryEntry[]>;
}

/** A block after the first: a segment's id and number. */
export interface BlockReference {
  /** 1 for the first segment. */
  readonly block: number;
  readonly id: Uint8Array;
}

/** An object that was fetched. */
interface FetchedObject extends DecodedObject {
  readonly storedBytes: number;
  /** The blob as errors about it name it. */
  readonly shown: string;
}

/** Reads the objects of a container. */
export class ContainerReader {
  readonly container: Container;
  readonly finder: ObjectFinder;
  readonly geometry: Geometry;
  readonly #lz4: Lz4;
  readonly #pace: Pace;
  readonly #overlay: ReaderOverlay | undefined;
  readonly #tally: ContentTally | undefined;
  readonly #buffers = new LargeBuffers();
  readonly #room = (bytes: number) => this.#buffers.take(bytes);
  readonly #indirect = new Map<string, Promise<IndirectBlock>>();

  constructor(
    container: Container,
    finder: ObjectFinder,
    lz4: Lz4,
    geometry: Geometry = GEOMETRY,
    pace: Pace = new Pace(),
    overlay?: ReaderOverlay,
    tally?: ContentTally,
  ) {
    this.container = container;
    this.finder = finder;
    this.geometry = geometry;
    this.#lz4 = lz4;
    this.#pace = pace;
    this.#overlay = overlay;
    this.#tally = tally;
  }

  /** Tells whoever shows progress what has been read of content. @param storedBytes bytes as they are stored */
  countRead(storedBytes: number, dataBytes: number): void {
    this.#tally?.add('contentStored', storedBytes);
    this.#tally?.add('contentData', dataBytes);
  }

  /** The same of what need not be read as content, though it is listed as such. */
  countPassed(storedBytes: number, dataBytes: number): void {
    this.#tally?.add('passedStored', storedBytes);
    this.#tally?.add('passedData', dataBytes);
  }

  /** For loops over what was read: see {@link Pace.pause}. */
  pause(): Promise<void> | undefined {
    return this.#pace.pause();
  }

  /**
   * Fetches a blob and takes the body out of it.
   *
   * One that is not as long as it was listed is fetched once more: a proxy may have answered in place of the service, or
   * passed on a part.
   *
   * @param limitBytes most bytes that it may have, stored and taken out
   * @param listedBytes its length in the listing, where that is known
   * @throws ClfsError `not-found`, `format` naming the blob; whatever the container throws
   */
  async fetch(name: string, limitBytes: number = OBJECT_LIMIT_BYTES, listedBytes?: number): Promise<FetchedObject> {
    let blob = await this.#get(name, limitBytes);
    const isAsListed = () => listedBytes === undefined || blob.length === listedBytes;
    if (!isAsListed()) {
      this.container.giveBack?.(blob);
      blob = await this.#get(name, limitBytes);
    }
    const storedBytes = blob.length;
    const shown = isAsListed() ? name : `${name} (${storedBytes} bytes came, ${listedBytes} are listed)`;
    const { body, compressed, storedBlocks } = inBlob(shown, () =>
      decodeObject(blob, limitBytes, this.#lz4, this.#room),
    );
    if (compressed) this.container.giveBack?.(blob);
    return { body, compressed, storedBlocks, storedBytes, shown };
  }

  /**
   * @param known the blob that the finder has found for the id
   * @throws ClfsError `not-found` when no blob has the id; `format`
   */
  async inode(id: Uint8Array, known?: ObjectBlob): Promise<FoundInode> {
    const told = this.#overlay && (await this.#overlay.inode(id));
    if (told) return told;
    if (isRootId(id)) return this.#root(id);
    return this.#inode(id, known);
  }

  async #inode(id: Uint8Array, known?: ObjectBlob): Promise<FoundInode> {
    return this.inodeIn(await this.#find(id, 'inode', known), id);
  }

  /**
   * The inode that a blob of its id holds, whether that is the version that counts or not.
   *
   * @param blob its length is missing where no listing is at hand
   * @throws ClfsError `not-found`; `format`, also when it is that of another id
   */
  async inodeIn(blob: ObjectBlob | Omit<ObjectBlob, 'sizeBytes'>, id: Uint8Array = blob.key.id): Promise<FoundInode> {
    const listed = 'sizeBytes' in blob ? blob : undefined;
    const { body, storedBytes, compressed, shown } = await this.fetch(blob.name, INODE_LIMIT_BYTES, listed?.sizeBytes);
    const inode = inBlob(shown, () => decodeInode(body));
    requireOwnInode(blob.name, inode, id);
    return { id, blob: listed ?? { ...blob, sizeBytes: storedBytes }, inode, storedBytes, compressed };
  }

  async #root(id: Uint8Array): Promise<FoundInode> {
    try {
      return await this.#inode(id);
    } catch (error) {
      if (!isClfsError(error, 'format')) throw error;
      const message = `The root directory cannot be read: ${error.message} ${WITHOUT_ROOT}`;
      throw new ClfsError('format', message, { cause: error });
    }
  }

  /** @throws ClfsError `not-found`; `format`, also when it is a segment of another kind or owner */
  async segment(
    id: Uint8Array,
    owner: Uint8Array,
  ): Promise<{
    readonly segment: FileSegment | DirectorySegment;
    readonly storedBytes: number;
    readonly compressed: boolean;
  }> {
    const blob = await this.#find(id, 'segment');
    const { body, storedBytes, compressed, shown } = await this.fetch(blob.name, OBJECT_LIMIT_BYTES, blob.sizeBytes);
    const segment = inBlob(shown, () => decodeSegment(body));
    if (segment.kind === 'indirect')
      throw new ClfsError('format', `The object ${blob.name} is an indirect block where a segment is referred to.`);
    requireOwner(blob.name, segment.owner.handle, owner);
    return { segment, storedBytes, compressed };
  }

  /** Takes back the data of a segment, of which nobody has any part any more: its memory may be used again. */
  giveBack(data: Buffer, compressed: boolean): void {
    if (data.buffer.byteLength < LARGE_BYTES) return;
    if (compressed) this.#buffers.giveBack(data);
    else this.container.giveBack?.(data);
  }

  /** @throws ClfsError `not-found`; `format` */
  indirect(id: Uint8Array, owner: Uint8Array): Promise<IndirectBlock> {
    const key = idHex(id);
    const cached = this.#indirect.get(key);
    if (cached) return cached;
    const block = this.#readIndirect(id, owner);
    if (this.#indirect.size >= CACHED_BLOCKS)
      for (const oldest of this.#indirect.keys()) if (this.#indirect.delete(oldest)) break;
    this.#indirect.set(key, block);
    return block;
  }

  /**
   * Blocks 1 and on of an inode, in order, the direct ones first.
   *
   * Each tree is walked as its blocks stand, so that the reference loader's empty blocks are passed over.
   *
   * @throws ClfsError `not-found`; `format`, also when an indirect block is referred to twice: a few small blobs could
   *   otherwise stand for a tree of any size
   */
  async *blocks(found: FoundInode): AsyncGenerator<BlockReference> {
    const { direct, roots } = found.inode.blockMap;
    let block = 1;
    for (; block < direct.length; block++) yield { block, id: direct[block] };
    const met = new Set<string>();
    for (const [tree, root] of roots.entries()) {
      if (isNullId(root)) continue;
      for await (const id of this.#leaves(root, found.id, tree, 0, met)) yield { block: block++, id };
    }
  }

  /** Id of one block. @throws ClfsError `format` when the block map does not have it */
  async blockId(found: FoundInode, block: number): Promise<Uint8Array> {
    const { direct, roots } = found.inode.blockMap;
    if (block < direct.length) return direct[block];
    const { tree, path } = indirectPath(block, this.geometry);
    let id = roots[tree];
    for (const place of path) {
      if (isNullId(id)) throw missingBlock(found, block);
      const { children } = await this.indirect(id, found.id);
      if (place >= children.length) throw missingBlock(found, block);
      id = children[place];
    }
    return id;
  }

  /** Entries of a directory, `.` and `..` included, piece by piece. @throws ClfsError `format`, `not-found` */
  async *entries(found: FoundInode): AsyncGenerator<readonly DirectoryEntry[]> {
    const { dirents } = found.inode;
    if (!dirents) throw new ClfsError('format', `The inode ${found.blob.name} is no directory.`);
    if (this.#overlay) {
      yield* this.#overlay.entries(found);
      return;
    }
    yield inBlob(found.blob.name, () => decodeDirents(dirents));
    const met = new Set<string>();
    for await (const { id } of this.blocks(found)) {
      if (!isNew(met, id))
        throw new ClfsError('format', `The directory ${found.blob.name} refers to the segment ${idHex(id)} twice.`);
      const { segment, storedBytes } = await this.segment(id, found.id);
      if (segment.kind !== 'directory')
        throw new ClfsError('format', `The segment ${idHex(id)} of a directory holds data.`);
      this.countPassed(storedBytes, 0);
      yield inBlob(idHex(id), () => decodeDirents(segment.dirents));
    }
  }

  async *#leaves(
    id: Uint8Array,
    owner: Uint8Array,
    tree: number,
    depth: number,
    met: Set<string>,
  ): AsyncGenerator<Uint8Array> {
    if (depth >= MOST_LEVELS) return;
    if (!isNew(met, id))
      throw new ClfsError('format', `The indirect block ${idHex(id)} of ${idHex(owner)} is referred to twice.`);
    await this.#pace.pause();
    const { children } = await this.indirect(id, owner);
    if (children.length > this.geometry.fanOut)
      throw new ClfsError(
        'format',
        `The indirect block ${idHex(id)} lists ${children.length} children, where ${this.geometry.fanOut} are the most.`,
      );
    if (depth === tree) {
      yield* children;
      return;
    }
    for (const child of children) yield* this.#leaves(child, owner, tree, depth + 1, met);
  }

  async #readIndirect(id: Uint8Array, owner: Uint8Array): Promise<IndirectBlock> {
    const blob = await this.#find(id, 'indirect block');
    const { body, shown } = await this.fetch(blob.name, OBJECT_LIMIT_BYTES, blob.sizeBytes);
    const segment = inBlob(shown, () => decodeSegment(body));
    if (segment.kind !== 'indirect')
      throw new ClfsError('format', `The object ${blob.name} is a segment where an indirect block is referred to.`);
    requireOwner(blob.name, segment.owner.handle, owner);
    return segment;
  }

  async #get(name: string, limitBytes: number): Promise<Buffer> {
    const get = () => this.container.get(name, limitBytes);
    try {
      return await get();
    } catch (error) {
      // To who reads it is one that is damaged.
      if (isClfsError(error, 'unreadable')) throw new ClfsError('format', error.message, { cause: error });
      if (!isOutOfDescriptors(error)) throw error;
      return patiently(name, get);
    }
  }

  async #find(id: Uint8Array, what: string, known?: ObjectBlob): Promise<ObjectBlob> {
    const turn = this.#pace.pause();
    if (turn) await turn;
    const blob = known ?? (await this.finder.find(id));
    if (!blob)
      throw new ClfsError('not-found', isRootId(id) ? NO_ROOT : `The ${what} ${idHex(id)} is not in the container.`);
    if (blob.key.type === ObjectType.tombstone)
      throw new ClfsError('not-found', `The ${what} ${idHex(id)} is deleted: ${blob.name} is a tombstone.`);
    return blob;
  }
}

/** @returns whether an id is met for the first time; remembers that it was */
function isNew(met: Set<string>, id: Uint8Array): boolean {
  const before = met.size;
  return met.add(Buffer.from(id).toString('latin1')).size > before;
}

/** Block 0 is the inode itself. What names no inode there tells nothing, and is only a finding of `fsck`. */
function requireOwnInode(name: string, { blockMap }: Inode, id: Uint8Array): void {
  const [own] = blockMap.direct;
  if (own === undefined || bytesEqual(own, id)) return;
  if (own.length === HANDLE_BYTES || isRootId(own))
    throw new ClfsError('format', `The object ${name} holds the inode ${idHex(own)}, not ${idHex(id)}.`);
}

function requireOwner(name: string, actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) !== 0)
    throw new ClfsError(
      'format',
      `The object ${name} belongs to ${idHex(actual)}, not to ${idHex(expected)} that refers to it.`,
    );
}

function missingBlock(found: FoundInode, block: number): ClfsError {
  return new ClfsError('format', `The block map of ${found.blob.name} has no block ${block}.`);
}

/** Names the blob in an error about its bytes. */
function inBlob<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (isClfsError(error, 'format')) throw new ClfsError('format', `${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

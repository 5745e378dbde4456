import { BitSet } from '../books/bit-set.js';
import { Tally } from '../books/tally.js';
import { NO_ROOTS } from '../format/block-map.js';
import {
  directoryEntryBytes,
  directoryPieceCapacity,
  directorySegmentOffset,
  writeDirectoryEntry,
} from '../format/dirents.js';
import { ObjectType, targetManagerOf } from '../format/ids.js';
import { encodeInode } from '../format/inode.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import { encodeSegment } from '../format/segment.js';
import type { WorkContext } from './context.js';
import { type BlockOwner, directBlocks, indirectRoots, putIndirectBlocks } from './indirect-blocks.js';
import { manifestLines } from './manifest-lines.js';
import { unpackEntries } from './packed-entries.js';
import type { DirectoryFill, DirectoryResult, DirectoryTask } from './tasks.js';

/** Segments of one directory that are in flight at once. */
const SEGMENTS_IN_FLIGHT = 8;

/**
 * Fills a directory's pieces with entries and sends each that is full; with the last entries also the rest, the
 * indirect blocks and the inode. The root's inode is handed back instead: it is what commits a job.
 *
 * Source: docs/format.md 6.4
 */
export async function writeDirectory(task: DirectoryTask, context: WorkContext): Promise<DirectoryResult> {
  const { geometry } = context.constants;
  const attributes = unpackAttributes(task.attributes);
  const manager = targetManagerOf(task.handle);
  const manifest: string[] = [];
  const tally = new Tally();
  let rootInode: Uint8Array | undefined;
  const pieces = new PieceFiller(task, context, attributes.ctime.seconds, tally);
  if (task.from.block === 0 && task.from.piece.length === 0) {
    await pieces.add(DOT, task.handle);
    await pieces.add(DOT_DOT, task.parentHandle);
  }
  for (const { firstSequence, entries, leftOut } of task.files) {
    const skip = leftOut && new BitSet(leftOut.length * 8, leftOut);
    for (const { index, type, name } of unpackEntries(entries)) {
      if (skip?.has(index)) continue;
      const full = pieces.add(name, context.ids.handle(firstSequence + index, type, manager, manager));
      if (full) await full;
    }
  }
  for (const { name, sequence, manager: target } of task.directories)
    await pieces.add(name, context.ids.handle(sequence, ObjectType.directory, manager, target));
  for (const { name, handle } of task.links) await pieces.add(name, handle);
  if (task.last) {
    const { firstPiece, blockCount, lengthBytes } = await pieces.end();
    const owner: BlockOwner = {
      sequence: task.sequence,
      generation: task.generation,
      handle: task.handle,
      blockCount,
      ctimeSeconds: attributes.ctime.seconds,
    };
    await putIndirectBlocks(owner, context, tally);
    const root = task.extendedAttributes !== undefined;
    const written = {
      ...attributes,
      lengthBytes: BigInt(lengthBytes),
      usedBytes: BigInt(lengthBytes),
      linkCount: 2 + task.subdirectoryCount,
    };
    if (context.constants.spec.manifest !== undefined)
      manifest.push(...manifestLines([task.path], written, { handle: task.handle }));
    const inode = encodeInode({
      attributes: written,
      blockMap: {
        firstSegmentBytes: geometry.firstSegmentBytes,
        segmentBytes: geometry.directorySegmentBytes,
        direct: directBlocks(owner, context),
        roots: blockCount > geometry.directBlocks ? indirectRoots(owner, context) : NO_ROOTS,
      },
      backPointers: undefined,
      name: task.name,
      data: undefined,
      dirents: firstPiece,
      extendedAttributes: task.extendedAttributes,
      otherRecords: [],
    });
    if (root) rootInode = inode;
    else {
      const { handle: id, parentHandle: owner, version } = task;
      const name = encodeObjectName({ id, type: ObjectType.directory, owner, version });
      tally.add(ObjectType.directory, name, await context.writer.putBody(name, inode));
    }
  } else await pieces.settle();
  await context.container.flush();
  return { fill: pieces.fill(), manifest, tally: tally.encode(), inode: rootInode };
}

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

class PieceFiller {
  readonly #task: DirectoryTask;
  readonly #context: WorkContext;
  readonly #ctimeSeconds: number;
  #block: number;
  #piece: Buffer;
  #filled: number;
  #firstPiece: Buffer | undefined;
  #lengthBytes: number;
  #puts: Promise<void>[] = [];
  readonly #tally: Tally;

  constructor(task: DirectoryTask, context: WorkContext, ctimeSeconds: number, tally: Tally) {
    this.#tally = tally;
    this.#task = task;
    this.#context = context;
    this.#ctimeSeconds = ctimeSeconds;
    this.#block = task.from.block;
    this.#piece = Buffer.allocUnsafe(directoryPieceCapacity(this.#block, context.constants.geometry));
    this.#piece.set(task.from.piece);
    this.#filled = task.from.piece.length;
    this.#firstPiece = task.from.firstPiece && Buffer.from(task.from.firstPiece);
    this.#lengthBytes = task.from.lengthBytes;
  }

  /** Adds an entry; the promise is undefined unless a piece was full and has to go first. */
  add(name: Uint8Array, handle: Uint8Array): Promise<void> | undefined {
    if (this.#filled + directoryEntryBytes(name.length, handle.length) > this.#piece.length)
      return this.#addToNext(name, handle);
    this.#filled = writeDirectoryEntry(this.#piece, this.#filled, name, handle);
    return undefined;
  }

  async #addToNext(name: Uint8Array, handle: Uint8Array): Promise<void> {
    await this.#close();
    this.#block++;
    this.#piece = Buffer.allocUnsafe(directoryPieceCapacity(this.#block, this.#context.constants.geometry));
    this.#filled = writeDirectoryEntry(this.#piece, 0, name, handle);
  }

  /** Sends the piece that is not full, and waits for all of them. */
  async end(): Promise<{ firstPiece: Buffer; blockCount: number; lengthBytes: number }> {
    await this.#close();
    await this.settle();
    return {
      firstPiece: this.#firstPiece ?? Buffer.alloc(0),
      blockCount: this.#block + 1,
      lengthBytes: this.#lengthBytes,
    };
  }

  async settle(): Promise<void> {
    const puts = this.#puts;
    this.#puts = [];
    await Promise.allSettled(puts);
    await Promise.all(puts);
  }

  fill(): DirectoryFill {
    return {
      block: this.#block,
      piece: this.#piece.subarray(0, this.#filled),
      firstPiece: this.#firstPiece,
      lengthBytes: this.#lengthBytes,
    };
  }

  async #close(): Promise<void> {
    const payload = this.#piece.subarray(0, this.#filled);
    this.#lengthBytes += 4 + payload.length;
    if (this.#block === 0) {
      this.#firstPiece = payload;
      return;
    }
    if (this.#puts.length === SEGMENTS_IN_FLIGHT) await this.settle();
    const { sequence, generation, handle } = this.#task;
    const offset = BigInt(directorySegmentOffset(this.#block, this.#context.constants.geometry));
    const body = encodeSegment({
      kind: 'directory',
      dirents: payload,
      owner: { ctimeSeconds: this.#ctimeSeconds, offset, handle },
    });
    const id = this.#context.ids.segment(sequence, generation, this.#block);
    const name = encodeObjectName({ id, type: ObjectType.segment, owner: handle, version: FIRST_VERSION });
    const put = this.#context.writer
      .putBody(name, body)
      .then((bytes) => this.#tally.add(ObjectType.segment, name, bytes));
    put.catch(() => undefined);
    this.#puts.push(put);
  }
}

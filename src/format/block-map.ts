import { ClfsError } from '../error.js';
import { type Geometry, maximumBlockCount, TREE_COUNT } from './geometry.js';
import { BLOCK_ID_BYTES, NULL_BLOCK_ID } from './ids.js';
import { PayloadReader, RECORD_HEADER_BYTES, RecordType, recordBytes, writeId, writeRecordFrame } from './records.js';

/** The block map of an inode. Source: docs/format.md 6.2 */
export interface BlockMap {
  readonly firstSegmentBytes: number;
  readonly segmentBytes: number;
  /** Block 0 is the inode's own handle; then the further segments' ids. */
  readonly direct: readonly Uint8Array[];
  /** Roots of the four indirect trees; the null block id where unused. */
  readonly roots: readonly Uint8Array[];
}

/** Roots of an inode without indirect blocks. */
export const NO_ROOTS: readonly Uint8Array[] = [NULL_BLOCK_ID, NULL_BLOCK_ID, NULL_BLOCK_ID, NULL_BLOCK_ID];

/** Bytes of a BMAP record. */
export function blockMapRecordBytes(direct: readonly Uint8Array[]): number {
  return recordBytes(payloadBytes(direct));
}

function payloadBytes(direct: readonly Uint8Array[]): number {
  let bytes = 16 + TREE_COUNT * (2 + BLOCK_ID_BYTES);
  for (const id of direct) bytes += 2 + id.length;
  return bytes;
}

/** Writes a whole BMAP record at `at` and returns the offset behind it. */
export function writeBlockMap(target: Buffer, at: number, map: BlockMap): number {
  let p = at + RECORD_HEADER_BYTES;
  target.writeUInt32LE(map.firstSegmentBytes, p);
  target.writeUInt32LE(map.segmentBytes, p + 4);
  target.writeUInt32LE(map.direct.length, p + 8);
  p += 12;
  for (const id of map.direct) p = writeId(target, p, id);
  target.writeUInt32LE(TREE_COUNT, p);
  p += 4;
  for (const id of map.roots) p = writeId(target, p, id);
  return writeRecordFrame(target, at, RecordType.bmap, payloadBytes(map.direct));
}

/** @throws ClfsError `format` */
export function decodeBlockMap(payload: Buffer): BlockMap {
  const r = new PayloadReader(payload, 'BMAP');
  const firstSegmentBytes = r.u32();
  const segmentBytes = r.u32();
  const direct: Buffer[] = [];
  for (let left = r.count(2); left > 0; left--) direct.push(r.id());
  const trees = r.count(2);
  if (trees !== TREE_COUNT) throw new ClfsError('format', `A block map has 4 indirect trees, not ${trees}.`);
  const roots: Buffer[] = [];
  for (let left = trees; left > 0; left--) {
    const root = r.id();
    if (root.length !== BLOCK_ID_BYTES)
      throw new ClfsError('format', `The root of an indirect tree is an id of 16 bytes, not ${root.length}.`);
    roots.push(root);
  }
  r.end();
  return { firstSegmentBytes, segmentBytes, direct, roots };
}

/** One indirect block of an inode and the children that it lists. */
export interface IndirectNode {
  readonly tree: number;
  /** 0 is the tree's root. */
  readonly depth: number;
  /** Position among the blocks of this tree and depth. */
  readonly index: number;
  readonly childCount: number;
  /** Block number of the first child at the deepest depth; position at the next depth above it. */
  readonly firstChild: number;
  /** Whether the children are segments. */
  readonly deepest: boolean;
}

/**
 * The indirect blocks of an inode of `blockCount` blocks (block 0 included), tree after tree, each tree's deepest level
 * first.
 *
 * @throws ClfsError `format` when four trees do not hold them
 * Source: docs/format.md 6.3
 */
export function* indirectNodes(blockCount: number, geometry: Geometry): Generator<IndirectNode> {
  if (blockCount > maximumBlockCount(geometry))
    throw new ClfsError('format', `Four indirect trees do not hold ${blockCount} blocks.`);
  const { directBlocks, fanOut } = geometry;
  let firstBlock = directBlocks;
  for (let tree = 0; tree < TREE_COUNT && firstBlock < blockCount; tree++) {
    const segments = Math.min(blockCount - firstBlock, fanOut ** (tree + 1));
    let children = segments;
    for (let depth = tree; depth >= 0; depth--) {
      const deepest = depth === tree;
      const nodes = Math.ceil(children / fanOut);
      for (let index = 0; index < nodes; index++) {
        const first = index * fanOut;
        const childCount = Math.min(fanOut, children - first);
        yield { tree, depth, index, childCount, firstChild: deepest ? firstBlock + first : first, deepest };
      }
      children = nodes;
    }
    firstBlock += fanOut ** (tree + 1);
  }
}

/** Where block number `block` (≥ directBlocks) is: its tree and the child positions from the tree's root down. */
export function indirectPath(
  block: number,
  geometry: Geometry,
): { readonly tree: number; readonly path: readonly number[] } {
  let offset = block - geometry.directBlocks;
  for (let tree = 0; tree < TREE_COUNT; tree++) {
    const capacity = geometry.fanOut ** (tree + 1);
    if (offset < capacity) {
      const path: number[] = [];
      for (let depth = tree; depth >= 0; depth--) {
        path.unshift(offset % geometry.fanOut);
        offset = Math.floor(offset / geometry.fanOut);
      }
      return { tree, path };
    }
    offset -= capacity;
  }
  throw new ClfsError('format', `Four indirect trees do not hold block ${block}.`);
}

/**
 * The sizes and fan-outs of a container. Real containers use {@link GEOMETRY}; tests use small ones to reach every tree
 * level.
 *
 * Source: docs/format.md 7
 */
export interface Geometry {
  /** Bytes of a file or of a directory's entries that the inode itself can hold. */
  readonly firstSegmentBytes: number;
  /** Bytes of each further segment of a file. */
  readonly fileSegmentBytes: number;
  /** Bytes of each further segment of a directory. */
  readonly directorySegmentBytes: number;
  /** Bytes left free in a directory's inode, so that `..` can be replaced by a longer handle. */
  readonly directorySpareBytes: number;
  /** Block ids in the inode, the inode's own included. */
  readonly directBlocks: number;
  /** Children of one indirect block. */
  readonly fanOut: number;
}

/** Indirect trees of an inode; tree `t` has `t + 1` levels. Source: docs/format.md 6.3 */
export const TREE_COUNT = 4;

/** The geometry of every real container. */
export const GEOMETRY: Geometry = {
  firstSegmentBytes: 16384,
  fileSegmentBytes: 8388608,
  directorySegmentBytes: 262144,
  directorySpareBytes: 24,
  directBlocks: 1024,
  fanOut: 4096,
};

/** Blocks that a file of `sizeBytes` has, block 0 (the inode) included; at least 1. */
export function fileBlockCount(sizeBytes: number, geometry: Geometry): number {
  if (sizeBytes <= geometry.firstSegmentBytes) return 1;
  return 1 + Math.ceil((sizeBytes - geometry.firstSegmentBytes) / geometry.fileSegmentBytes);
}

/** Most blocks that an inode can address, block 0 included. */
export function maximumBlockCount(geometry: Geometry): number {
  let total = geometry.directBlocks;
  for (let tree = 0; tree < TREE_COUNT; tree++) total += geometry.fanOut ** (tree + 1);
  return total;
}

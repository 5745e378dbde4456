import type { Attributes } from './attributes.js';
import { NO_ROOTS } from './block-map.js';
import { ENVELOPE_BYTES } from './envelope.js';
import { type Geometry, maximumBlockCount } from './geometry.js';
import { BLOCK_ID_BYTES, HANDLE_BYTES } from './ids.js';
import { DATA_HEADER_BYTES, dataRecordBytes, inodeHeadBytes, writeDataFrame, writeInodeHead } from './inode.js';
import { MOST_LINKS } from './limits.js';
import { ownerReferenceBytes, writeOwnerReference } from './segment.js';

/** What an inode that is no directory says of itself, apart from its attributes and its content. */
export interface InodeIdentity {
  readonly handle: Uint8Array;
  readonly backPointers: readonly Uint8Array[];
  readonly name: Uint8Array;
}

/** Where an inode's data begins in its blob, and how long the blob becomes without compression. */
export interface InodeLayout {
  readonly direct: readonly Uint8Array[];
  readonly dataAt: number;
  readonly sizeBytes: number;
}

/**
 * Lays out an inode, so that its data can be read to where it belongs before the rest is known. @param dataBytes
 * undefined: no DATA record
 */
export function layoutInode(
  identity: InodeIdentity,
  direct: readonly Uint8Array[],
  dataBytes: number | undefined,
): InodeLayout {
  const head = ENVELOPE_BYTES + inodeHeadBytes(identity, direct);
  if (dataBytes === undefined) return { direct, dataAt: head, sizeBytes: head };
  return { direct, dataAt: head + DATA_HEADER_BYTES, sizeBytes: head + dataRecordBytes(dataBytes) };
}

/**
 * Builds an inode around data that stands at `layout.dataAt`; {@link decodeInode} takes it apart.
 *
 * @param dataBytes of the data, at most those that were laid out; undefined for an inode without a DATA record
 * @returns length of the object, its envelope included
 */
export function buildInode(
  target: Buffer,
  layout: InodeLayout,
  identity: InodeIdentity,
  attributes: Attributes,
  dataBytes: number | undefined,
  geometry: Geometry,
  roots: readonly Uint8Array[] = NO_ROOTS,
): number {
  const blockMap = {
    firstSegmentBytes: geometry.firstSegmentBytes,
    segmentBytes: geometry.fileSegmentBytes,
    direct: layout.direct,
    roots,
  };
  const end = writeInodeHead(target, ENVELOPE_BYTES, {
    attributes,
    blockMap,
    backPointers: identity.backPointers,
    name: identity.name,
  });
  return dataBytes === undefined ? end : writeDataFrame(target, end, dataBytes);
}

/** Where a segment's data begins in its blob. */
export const SEGMENT_DATA_AT = ENVELOPE_BYTES + DATA_HEADER_BYTES;

/** Length of the blob of a segment with `dataBytes` of data, uncompressed. */
export function segmentObjectBytes(dataBytes: number, handle: Uint8Array): number {
  return ENVELOPE_BYTES + dataRecordBytes(dataBytes) + ownerReferenceBytes(handle);
}

/**
 * Builds a segment of a file around data that stands at {@link SEGMENT_DATA_AT}.
 *
 * @param offset of the data in the file, in bytes
 * @returns length of the object
 */
export function buildSegment(
  target: Buffer,
  dataBytes: number,
  ctimeSeconds: number,
  offset: number,
  handle: Uint8Array,
): number {
  const end = writeDataFrame(target, ENVELOPE_BYTES, dataBytes);
  return writeOwnerReference(target, end, { ctimeSeconds, offset: BigInt(offset), handle });
}

/**
 * No object is larger, without compression: a whole segment, or an inode with every direct block, every link and a full
 * first piece.
 */
export function largestObjectBytes(geometry: Geometry): number {
  const id = new Uint8Array(HANDLE_BYTES);
  const direct = new Array<Uint8Array>(Math.min(geometry.directBlocks, maximumBlockCount(geometry))).fill(id);
  const identity = { backPointers: new Array<Uint8Array>(MOST_LINKS).fill(id), name: new Uint8Array(255) };
  const head = inodeHeadBytes(identity, direct);
  const segment = Math.max(geometry.fileSegmentBytes, geometry.directorySegmentBytes);
  const indirect = geometry.fanOut * (2 + BLOCK_ID_BYTES);
  return Math.max(head + geometry.firstSegmentBytes, segment, indirect, 65536) + 4096;
}

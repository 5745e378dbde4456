import type { Attributes } from '../format/attributes.js';
import { NO_ROOTS } from '../format/block-map.js';
import { ENVELOPE_BYTES } from '../format/envelope.js';
import type { Geometry } from '../format/geometry.js';
import { DATA_HEADER_BYTES, dataRecordBytes, inodeHeadBytes, writeDataFrame, writeInodeHead } from '../format/inode.js';
import { ownerReferenceBytes, writeOwnerReference } from '../format/segment.js';

/** What identifies an inode that is no directory, apart from its attributes and content. */
export interface InodeIdentity {
  readonly handle: Uint8Array;
  readonly backPointers: readonly Uint8Array[];
  readonly name: Uint8Array;
}

/** Where an inode's data begins in its blob, and how long the blob is at most. */
export interface InodeLayout {
  readonly direct: readonly Uint8Array[];
  readonly dataAt: number;
  readonly sizeBytes: number;
}

/** @param dataBytes room for data; undefined for an inode without a DATA record */
export function layoutInode(identity: InodeIdentity, direct: readonly Uint8Array[], dataBytes: number | undefined): InodeLayout {
  const head = ENVELOPE_BYTES + inodeHeadBytes(identity, direct);
  if (dataBytes === undefined) return { direct, dataAt: head, sizeBytes: head };
  return { direct, dataAt: head + DATA_HEADER_BYTES, sizeBytes: head + dataRecordBytes(dataBytes) };
}

/**
 * Builds an inode around data that stands at `layout.dataAt`.
 *
 * @param dataBytes of the data; undefined for an inode without a DATA record
 * @returns length of the object
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
  const blockMap = { firstSegmentBytes: geometry.firstSegmentBytes, segmentBytes: geometry.fileSegmentBytes, direct: layout.direct, roots };
  const end = writeInodeHead(target, ENVELOPE_BYTES, { attributes, blockMap, backPointers: identity.backPointers, name: identity.name });
  return dataBytes === undefined ? end : writeDataFrame(target, end, dataBytes);
}

/** Where a segment's data begins in its blob. */
export const SEGMENT_DATA_AT = ENVELOPE_BYTES + DATA_HEADER_BYTES;

/** Length of the blob of a segment with `dataBytes` of data, uncompressed. */
export function segmentObjectBytes(dataBytes: number, handle: Uint8Array): number {
  return ENVELOPE_BYTES + dataRecordBytes(dataBytes) + ownerReferenceBytes(handle);
}

/** Builds a segment of a file around data that stands at {@link SEGMENT_DATA_AT}. @returns length of the object */
export function buildSegment(target: Buffer, dataBytes: number, ctimeSeconds: number, offset: number, handle: Uint8Array): number {
  const end = writeDataFrame(target, ENVELOPE_BYTES, dataBytes);
  return writeOwnerReference(target, end, { ctimeSeconds, offset: BigInt(offset), handle });
}

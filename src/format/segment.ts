import { ClfsError } from '../error.js';
import { BLOCK_ID_BYTES } from './ids.js';
import { decodeCounted, encodeData } from './inode.js';
import {
  decodeRecords,
  encodeRecord,
  PayloadReader,
  type RawRecord,
  RECORD_HEADER_BYTES,
  RecordType,
  recordBytes,
  writeId,
  writeRecordFrame,
} from './records.js';

/** What a segment or indirect block says of the inode that it belongs to. Source: docs/format.md 6.7 */
export interface OwnerReference {
  /** Seconds of the inode's ctime, clamped as in VATTR. */
  readonly ctimeSeconds: number;
  /** Offset of the first byte in the file; for an indirect block `(tree << 16) + depth`. */
  readonly offset: bigint;
  /** Handle of the owning inode. */
  readonly handle: Uint8Array;
}

/** Bytes of a DATABACK record. */
export function ownerReferenceBytes(handle: Uint8Array): number {
  return recordBytes(4 + 8 + 2 + handle.length);
}

/** Writes a whole DATABACK record at `at` and returns the offset behind it. */
export function writeOwnerReference(target: Buffer, at: number, owner: OwnerReference): number {
  const p = at + RECORD_HEADER_BYTES;
  target.writeUInt32LE(owner.ctimeSeconds, p);
  target.writeBigUInt64LE(owner.offset, p + 4);
  writeId(target, p + 12, owner.handle);
  return writeRecordFrame(target, at, RecordType.databack, 14 + owner.handle.length);
}

/** Offset field of an indirect block's DATABACK. */
export function indirectOffset(tree: number, depth: number): bigint {
  return BigInt((tree << 16) + depth);
}

/** A decoded segment of a file. */
export interface FileSegment {
  readonly kind: 'file';
  readonly data: Buffer;
  readonly owner: OwnerReference;
}

/** A decoded segment of a directory. */
export interface DirectorySegment {
  readonly kind: 'directory';
  readonly dirents: Buffer;
  readonly owner: OwnerReference;
}

/** A decoded indirect block. */
export interface IndirectBlock {
  readonly kind: 'indirect';
  readonly children: readonly Uint8Array[];
  readonly owner: OwnerReference;
}

/** The body of a segment or of an indirect block. */
export function encodeSegment(segment: FileSegment | DirectorySegment | IndirectBlock): Buffer {
  const owner = Buffer.alloc(ownerReferenceBytes(segment.owner.handle));
  writeOwnerReference(owner, 0, segment.owner);
  if (segment.kind === 'file') return Buffer.concat([encodeData(segment.data), owner]);
  if (segment.kind === 'directory')
    return Buffer.concat([encodeRecord(RecordType.dirents, segment.dirents), encodeData(new Uint8Array(0)), owner]);
  return Buffer.concat([encodeRecord(RecordType.indir, encodeChildren(segment.children)), owner]);
}

/**
 * Decodes the body of a segment or of an indirect block.
 *
 * @throws ClfsError `format` when the records are not those of one of them
 * Source: docs/format.md 5
 */
export function decodeSegment(body: Uint8Array): FileSegment | DirectorySegment | IndirectBlock {
  const records = decodeRecords(body).filter((record) => WRITTEN.has(record.type));
  const shape = records.map((record) => record.type).join(' ');
  if (shape === `${RecordType.data} ${RecordType.databack}`) {
    return { kind: 'file', data: decodeCounted(records[0].payload, 'DATA'), owner: decodeOwner(records[1]) };
  }
  if (shape === `${RecordType.dirents} ${RecordType.data} ${RecordType.databack}`) {
    if (decodeCounted(records[1].payload, 'DATA').length !== 0)
      throw new ClfsError('format', 'A directory segment has data.');
    return { kind: 'directory', dirents: records[0].payload, owner: decodeOwner(records[2]) };
  }
  if (shape === `${RecordType.indir} ${RecordType.databack}`) {
    return { kind: 'indirect', children: decodeChildren(records[0].payload), owner: decodeOwner(records[1]) };
  }
  throw new ClfsError('format', `The records ${shape} are those of no segment and no indirect block.`);
}

const WRITTEN = new Set<number>(Object.values(RecordType));

function decodeOwner(record: RawRecord): OwnerReference {
  const r = new PayloadReader(record.payload, 'DATABACK');
  const owner = { ctimeSeconds: r.u32(), offset: r.u64(), handle: r.id() };
  r.end();
  return owner;
}

function encodeChildren(children: readonly Uint8Array[]): Buffer {
  const payload = Buffer.allocUnsafe(4 + children.length * (2 + BLOCK_ID_BYTES));
  payload.writeUInt32LE(children.length, 0);
  let at = 4;
  for (const id of children) at = writeId(payload, at, id);
  return payload;
}

function decodeChildren(payload: Buffer): readonly Uint8Array[] {
  const r = new PayloadReader(payload, 'INDIR');
  const children: Buffer[] = [];
  for (let left = r.count(2); left > 0; left--) {
    const id = r.id();
    if (id.length !== BLOCK_ID_BYTES)
      throw new ClfsError('format', `An indirect block lists an id of ${id.length} bytes.`);
    children.push(id);
  }
  r.end();
  return children;
}

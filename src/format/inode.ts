import { ClfsError } from '../error.js';
import { type Attributes, decodeAttributes, VATTR_RECORD_BYTES, writeAttributes } from './attributes.js';
import { type BlockMap, blockMapRecordBytes, decodeBlockMap, writeBlockMap } from './block-map.js';
import { decodeExtendedAttributes, type ExtendedAttributes, encodeExtendedAttributes } from './extattrs.js';
import { ObjectType } from './ids.js';
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

/** The records that every inode begins with. */
export interface InodeHead {
  readonly attributes: Attributes;
  readonly blockMap: BlockMap;
  /** Handles of the directories that link to it, the first back pointer first; undefined for a directory. */
  readonly backPointers: readonly Uint8Array[] | undefined;
  /** Name in the directory where it was found first. */
  readonly name: Uint8Array;
}

/** An inode, whole. */
export interface Inode extends InodeHead {
  /** First bytes of a regular file, or a symlink's target; undefined for other types. */
  readonly data: Buffer | undefined;
  /** Payload of the DIRENTS record; undefined for what is no directory. */
  readonly dirents: Buffer | undefined;
  /** The root's extended attributes. */
  readonly extendedAttributes: ExtendedAttributes | undefined;
  /** Records that this program does not write, kept as they are. */
  readonly otherRecords: readonly RawRecord[];
}

/** Bytes of the records VATTR, BMAP, BACK and NAME. */
export function inodeHeadBytes(head: Pick<InodeHead, 'backPointers' | 'name'>, direct: readonly Uint8Array[]): number {
  let bytes = VATTR_RECORD_BYTES + blockMapRecordBytes(direct) + recordBytes(4 + head.name.length);
  if (head.backPointers) bytes += recordBytes(backPayloadBytes(head.backPointers));
  return bytes;
}

/** Writes VATTR, BMAP, BACK and NAME at `at` and returns the offset behind them. Source: docs/format.md 5 */
export function writeInodeHead(target: Buffer, at: number, head: InodeHead): number {
  let p = writeAttributes(target, at, head.attributes);
  p = writeBlockMap(target, p, head.blockMap);
  if (head.backPointers) p = writeBackPointers(target, p, head.backPointers);
  return writeCounted(target, p, RecordType.name, head.name);
}

/** Bytes of a DATA record in front of its data. */
export const DATA_HEADER_BYTES = RECORD_HEADER_BYTES + 4;

/** Bytes of a DATA record of `dataBytes`. */
export function dataRecordBytes(dataBytes: number): number {
  return recordBytes(4 + dataBytes);
}

/**
 * Writes the frame of a DATA record around `dataBytes` of data that stand, or will stand, at `at + DATA_HEADER_BYTES`.
 *
 * @returns offset behind the record
 */
export function writeDataFrame(target: Buffer, at: number, dataBytes: number): number {
  target.writeUInt32LE(dataBytes, at + RECORD_HEADER_BYTES);
  return writeRecordFrame(target, at, RecordType.data, 4 + dataBytes);
}

/** The body of an inode. */
export function encodeInode(inode: Inode): Buffer {
  const head = Buffer.alloc(inodeHeadBytes(inode, inode.blockMap.direct));
  writeInodeHead(head, 0, inode);
  const parts: Buffer[] = [head];
  if (inode.dirents) parts.push(encodeRecord(RecordType.dirents, inode.dirents));
  if (inode.data) parts.push(encodeData(inode.data));
  if (inode.extendedAttributes)
    parts.push(encodeRecord(RecordType.extattrs, encodeExtendedAttributes(inode.extendedAttributes)));
  for (const record of inode.otherRecords) parts.push(encodeRecord(record.type, record.payload));
  return Buffer.concat(parts);
}

/** A whole DATA record. */
export function encodeData(data: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(dataRecordBytes(data.length));
  record.set(data, DATA_HEADER_BYTES);
  writeDataFrame(record, 0, data.length);
  return record;
}

/**
 * Decodes an inode's body.
 *
 * @throws ClfsError `format` when a record is malformed, missing, repeated, or out of place for the type
 * Source: docs/format.md 5
 */
export function decodeInode(body: Uint8Array): Inode {
  const known = new Map<number, Buffer>();
  const otherRecords: RawRecord[] = [];
  for (const record of decodeRecords(body)) {
    if (!INODE_RECORDS.has(record.type)) {
      otherRecords.push(record);
      continue;
    }
    if (known.has(record.type)) throw new ClfsError('format', `An inode has two records of type ${record.type}.`);
    known.set(record.type, record.payload);
  }
  const attributes = decodeAttributes(required(known, RecordType.vattr));
  const directory = attributes.type === ObjectType.directory;
  const hasData = attributes.type === ObjectType.regular || attributes.type === ObjectType.symlink;
  refuse(known, directory ? [RecordType.back, RecordType.data] : [RecordType.dirents, RecordType.extattrs]);
  if (!hasData) refuse(known, [RecordType.data]);
  const extended = known.get(RecordType.extattrs);
  return {
    attributes,
    blockMap: decodeBlockMap(required(known, RecordType.bmap)),
    backPointers: directory ? undefined : decodeBackPointers(required(known, RecordType.back)),
    name: decodeCounted(required(known, RecordType.name), 'NAME'),
    data: hasData ? decodeCounted(required(known, RecordType.data), 'DATA') : undefined,
    dirents: directory ? required(known, RecordType.dirents) : undefined,
    extendedAttributes: extended && decodeExtendedAttributes(extended),
    otherRecords,
  };
}

/** The payload of a record that is u32 length and bytes. */
export function decodeCounted(payload: Buffer, what: string): Buffer {
  const r = new PayloadReader(payload, what);
  const bytes = r.bytes(r.u32());
  r.end();
  return bytes;
}

const INODE_RECORDS = new Set<number>([
  RecordType.data,
  RecordType.dirents,
  RecordType.vattr,
  RecordType.bmap,
  RecordType.back,
  RecordType.extattrs,
  RecordType.name,
]);

function required(known: ReadonlyMap<number, Buffer>, type: number): Buffer {
  const payload = known.get(type);
  if (!payload) throw new ClfsError('format', `An inode has no record of type ${type}.`);
  return payload;
}

function refuse(known: ReadonlyMap<number, Buffer>, types: readonly number[]): void {
  for (const type of types)
    if (known.has(type))
      throw new ClfsError('format', `An inode has a record of type ${type} that its type does not have.`);
}

function writeCounted(target: Buffer, at: number, type: number, bytes: Uint8Array): number {
  target.writeUInt32LE(bytes.length, at + RECORD_HEADER_BYTES);
  target.set(bytes, at + RECORD_HEADER_BYTES + 4);
  return writeRecordFrame(target, at, type, 4 + bytes.length);
}

function backPayloadBytes(backPointers: readonly Uint8Array[]): number {
  let bytes = 4;
  for (const id of backPointers) bytes += 2 + id.length;
  return bytes;
}

function writeBackPointers(target: Buffer, at: number, backPointers: readonly Uint8Array[]): number {
  target.writeUInt32LE(backPointers.length, at + RECORD_HEADER_BYTES);
  let p = at + RECORD_HEADER_BYTES + 4;
  for (const id of backPointers) p = writeId(target, p, id);
  return writeRecordFrame(target, at, RecordType.back, backPayloadBytes(backPointers));
}

function decodeBackPointers(payload: Buffer): readonly Buffer[] {
  const r = new PayloadReader(payload, 'BACK');
  const ids: Buffer[] = [];
  for (let left = r.count(2); left > 0; left--) ids.push(r.id());
  r.end();
  return ids;
}

import { ClfsError } from '../error.js';
import type { EntryType } from './ids.js';
import { PayloadReader, RECORD_HEADER_BYTES, RecordType, recordBytes, writeRecordFrame } from './records.js';

/** A time as the format stores it: u32 seconds since 1970 and u32 nanoseconds. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Attributes of an inode, as its VATTR record holds them. Source: docs/format.md 6.1 */
export interface Attributes {
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly type: EntryType;
  readonly flags: number;
  readonly uid: number;
  readonly gid: number;
  readonly lengthBytes: bigint;
  readonly dtime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  readonly atime: Timestamp;
  readonly usedBytes: bigint;
  readonly fsid: bigint;
  /** st_ino of the source. */
  readonly inodeNumber: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly linkCount: number;
  readonly containerId: bigint;
}

const NANOSECONDS = 1_000_000_000;
export const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };
const ATTRIBUTES_BYTES = 104;
const PAYLOAD_BYTES = 4 + ATTRIBUTES_BYTES;

/** Bytes of a VATTR record. */
export const VATTR_RECORD_BYTES = recordBytes(PAYLOAD_BYTES);

/**
 * A time with whole seconds of any range, moved to the nearest one the format can hold.
 *
 * Source: docs/format.md 6.1
 */
export function clampTimestamp(seconds: number, nanoseconds: number): Timestamp {
  if (seconds < 0) return EPOCH;
  if (seconds > 0xffffffff) return { seconds: 0xffffffff, nanoseconds: 0 };
  return { seconds, nanoseconds };
}

/**
 * Access and modification time, to be given to a file.
 *
 * @throws ClfsError `format` when one cannot be a time: some numbers of nanoseconds stand for something else when a
 *   time is set
 */
export function fileTimes({ atime, mtime }: Attributes): { readonly atime: Timestamp; readonly mtime: Timestamp } {
  for (const { nanoseconds } of [atime, mtime])
    if (nanoseconds >= NANOSECONDS) throw new ClfsError('format', `A time has ${nanoseconds} nanoseconds.`);
  return { atime, mtime };
}

/** Writes a whole VATTR record at `at` and returns the offset behind it. */
export function writeAttributes(target: Buffer, at: number, a: Attributes): number {
  let p = at + RECORD_HEADER_BYTES;
  target.writeUInt32LE(ATTRIBUTES_BYTES, p);
  p += 4;
  target.writeUInt16LE(a.mode, p);
  target[p + 2] = a.type;
  target[p + 3] = 0;
  target.writeUInt32LE(a.flags, p + 4);
  target.writeUInt32LE(a.uid, p + 8);
  target.writeUInt32LE(a.gid, p + 12);
  target.writeBigUInt64LE(a.lengthBytes, p + 16);
  writeTime(target, p + 24, a.dtime);
  writeTime(target, p + 32, a.mtime);
  writeTime(target, p + 40, a.ctime);
  writeTime(target, p + 48, a.atime);
  target.writeBigUInt64LE(a.usedBytes, p + 56);
  target.writeBigUInt64LE(a.fsid, p + 64);
  target.writeBigUInt64LE(a.inodeNumber, p + 72);
  target.writeUInt32LE(a.deviceMajor, p + 80);
  target.writeUInt32LE(a.deviceMinor, p + 84);
  target.writeUInt32LE(a.linkCount, p + 88);
  target.writeUInt32LE(0, p + 92);
  target.writeBigUInt64LE(a.containerId, p + 96);
  return writeRecordFrame(target, at, RecordType.vattr, PAYLOAD_BYTES);
}

/**
 * Decodes a VATTR payload.
 *
 * @throws ClfsError `format` on another length, an unknown object type, or a reserved field that is not 0
 */
export function decodeAttributes(payload: Buffer): Attributes {
  const r = new PayloadReader(payload, 'VATTR');
  const length = r.u32();
  if (length !== ATTRIBUTES_BYTES) throw new ClfsError('format', `A VATTR record holds 104 bytes, not ${length}.`);
  const mode = r.u16();
  const type = r.u8();
  const reserved = r.u8();
  if (type < 1 || type > 7) throw new ClfsError('format', `A VATTR record has the object type ${type}.`);
  // One literal: spreading parts of it into another one cost half of what decoding a small file's inode took.
  const attributes: Attributes = {
    mode,
    type: type as EntryType,
    flags: r.u32(),
    uid: r.u32(),
    gid: r.u32(),
    lengthBytes: r.u64(),
    dtime: time(r),
    mtime: time(r),
    ctime: time(r),
    atime: time(r),
    usedBytes: r.u64(),
    fsid: r.u64(),
    inodeNumber: r.u64(),
    deviceMajor: r.u32(),
    deviceMinor: r.u32(),
    linkCount: zeroWordBehind(r, r.u32(), reserved),
    containerId: r.u64(),
  };
  r.end();
  return attributes;
}

/** @returns `value`, when the word that follows it and `reserved` are 0. @throws ClfsError `format` */
function zeroWordBehind(r: PayloadReader, value: number, reserved: number): number {
  if (reserved !== 0 || r.u32() !== 0)
    throw new ClfsError('format', 'A VATTR record has a reserved field that is not 0.');
  return value;
}

function writeTime(target: Buffer, at: number, time: Timestamp): void {
  target.writeUInt32LE(time.seconds, at);
  target.writeUInt32LE(time.nanoseconds, at + 4);
}

function time(r: PayloadReader): Timestamp {
  return { seconds: r.u32(), nanoseconds: r.u32() };
}

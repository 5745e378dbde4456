import { ClfsError } from '../error.js';
import { fnv1 } from './hash.js';

/** Object types, as names and VATTR number them. Source: docs/format.md 3.2 */
export const ObjectType = {
  regular: 1,
  directory: 2,
  block: 3,
  char: 4,
  symlink: 5,
  socket: 6,
  fifo: 7,
  segment: 8,
  indirect: 9,
  tombstone: 10,
  special: 11,
  hardLink: 12,
} as const;
export type ObjectType = (typeof ObjectType)[keyof typeof ObjectType];

/** Object types that a file system entry can have. */
export type EntryType = 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** Names of the entry types, by object type. */
export const ENTRY_TYPE_NAMES = ['', 'regular', 'directory', 'block', 'char', 'symlink', 'socket', 'fifo'] as const;

/** Type bits of st_mode by object type. */
const MODE_TYPE_BITS = [0, 0o100000, 0o040000, 0o060000, 0o020000, 0o120000, 0o140000, 0o010000];

/** Type bits that st_mode of an entry of this type has. */
export function modeTypeBits(type: EntryType): number {
  return MODE_TYPE_BITS[type];
}

/** Handle byte 6 by object type: 1 directory, 2 regular, 3 symlink, 4 block, 5 char, 6 socket, 7 fifo. */
const HANDLE_TYPE_BY_OBJECT_TYPE = [0, 2, 1, 4, 5, 3, 6, 7];
/** Object type by handle byte 6. */
const OBJECT_TYPE_BY_HANDLE_TYPE: readonly EntryType[] = [1, 2, 1, 5, 3, 4, 6, 7];

/** Directory managers that the target counter cycles through. Source: docs/format.md 2 */
export const DIRECTORY_MANAGERS = 48;
/** Handles of a load count up from above this. Source: docs/format.md 2 */
export const RESERVED_SEQUENCES = 1000;

export const HANDLE_BYTES = 24;
export const BLOCK_ID_BYTES = 16;

function wellKnownId(last: number): Uint8Array {
  const id = new Uint8Array(BLOCK_ID_BYTES);
  id[15] = last;
  return id;
}

/** Well-known ids. Source: docs/format.md 1 */
export const NOT_FINAL_OWNER = wellKnownId(0x62);
export const BUCKET_ID = wellKnownId(0x63);
export const ROOT_ID = wellKnownId(0x64);
export const NULL_BLOCK_ID = wellKnownId(0);

/** The parts of a file handle. */
export interface FileHandle {
  /** The job's u32; the handle keeps 27 bits of it. */
  readonly containerId: number;
  readonly sourceManager: number;
  readonly targetManager: number;
  readonly type: EntryType;
  /** u64, above 1000. */
  readonly sequence: bigint;
  /** u64, 1 … 2^64-1. */
  readonly random: bigint;
}

/**
 * The 24-byte id of an inode.
 *
 * Source: docs/format.md 2
 */
export function encodeFileHandle(handle: FileHandle): Buffer {
  const bytes = Buffer.alloc(HANDLE_BYTES);
  bytes.writeUInt32LE((((handle.containerId & 0x07ffffff) << 5) | 0x11) >>> 0, 0);
  bytes[4] = handle.sourceManager;
  bytes[5] = handle.targetManager;
  bytes[6] = HANDLE_TYPE_BY_OBJECT_TYPE[handle.type];
  bytes.writeBigUInt64LE(handle.sequence, 8);
  bytes.writeBigUInt64LE(handle.random, 16);
  return bytes;
}

/**
 * Takes a handle apart; for tests and for people: a reader treats handles as opaque ids.
 *
 * @throws ClfsError `format` when the bytes are not a handle of this form
 */
export function decodeFileHandle(bytes: Uint8Array): FileHandle {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length !== HANDLE_BYTES) throw new ClfsError('format', `A file handle has 24 bytes, not ${view.length}.`);
  const first = view.readUInt32LE(0);
  if ((first & 0x1f) !== 0x11 || view[6] < 1 || view[6] > 7 || view[7] !== 0) {
    throw new ClfsError('format', `Not a file handle: ${view.toString('hex')}.`);
  }
  return {
    containerId: first >>> 5,
    sourceManager: view[4],
    targetManager: view[5],
    type: OBJECT_TYPE_BY_HANDLE_TYPE[view[6]],
    sequence: view.readBigUInt64LE(8),
    random: view.readBigUInt64LE(16),
  };
}

/** Directory manager of the entry itself: byte 5 of a handle, 0 for the root's 16-byte id. */
export function targetManagerOf(handle: Uint8Array): number {
  return handle.length === HANDLE_BYTES ? handle[5] : 0;
}

/** The entry type that an id hints at; undefined where it gives no hint. */
export function hintedType(id: Uint8Array): EntryType | undefined {
  if (id.length === HANDLE_BYTES) return id[6] >= 1 && id[6] <= 7 ? OBJECT_TYPE_BY_HANDLE_TYPE[id[6]] : undefined;
  return isRootId(id) ? ObjectType.directory : undefined;
}

/** Whether a handle may be used: those whose `fnv1` is 0 may not. */
export function isUsableHandle(handle: Uint8Array): boolean {
  return fnv1(handle) !== 0;
}

export function isRootId(id: Uint8Array): boolean {
  return bytesEqual(id, ROOT_ID);
}

export function isNullId(id: Uint8Array): boolean {
  return id.every((byte) => byte === 0);
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** An id as upper-case hex: the form that names use, and a key for maps. */
export function idHex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex').toUpperCase();
}

/** Makes 16 bytes a version 4 UUID, in place, and returns them. */
export function stampUuid<T extends Uint8Array>(bytes: T): T {
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes;
}

/** The dashed lower-case text of 16 bytes. */
export function uuidText(bytes: Uint8Array): string {
  const hex = idHex(bytes).toLowerCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

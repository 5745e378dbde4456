import { ClfsError } from '../error.js';
import type { Geometry } from './geometry.js';
import { BLOCK_ID_BYTES, HANDLE_BYTES } from './ids.js';
import { LONGEST_NAME_BYTES } from './limits.js';
import { PayloadReader, writeId } from './records.js';

/** One entry of a directory. */
export interface DirectoryEntry {
  /** Raw bytes, 1 … 255, no `/`, no NUL. */
  readonly name: Uint8Array;
  readonly handle: Uint8Array;
}

/** Payload bytes of an entry. */
export function directoryEntryBytes(nameBytes: number, handleBytes: number): number {
  return 4 + nameBytes + 2 + handleBytes;
}

/** Payload bytes that piece `block` of a directory may hold. Source: docs/format.md 6.4 */
export function directoryPieceCapacity(block: number, geometry: Geometry): number {
  return block === 0 ? geometry.firstSegmentBytes - geometry.directorySpareBytes : geometry.directorySegmentBytes;
}

/** Offset that the DATABACK of directory segment `block` (≥ 1) carries. Source: docs/format.md 6.7 */
export function directorySegmentOffset(block: number, geometry: Geometry): number {
  return geometry.firstSegmentBytes + geometry.directorySegmentBytes * (block - 1);
}

/** Writes one entry at `at` and returns the offset behind it. @throws RangeError when no entry can have such a name */
export function writeDirectoryEntry(target: Buffer, at: number, name: Uint8Array, handle: Uint8Array): number {
  if (name.length < 1 || name.length > LONGEST_NAME_BYTES) throw new RangeError(`A name has ${name.length} bytes.`);
  target.writeUInt32LE(name.length, at);
  target.set(name, at + 4);
  return writeId(target, at + 4 + name.length, handle);
}

/** The payload of a DIRENTS record. */
export function encodeDirents(entries: readonly DirectoryEntry[]): Buffer {
  let size = 0;
  for (const entry of entries) size += directoryEntryBytes(entry.name.length, entry.handle.length);
  const payload = Buffer.allocUnsafe(size);
  let at = 0;
  for (const entry of entries) at = writeDirectoryEntry(payload, at, entry.name, entry.handle);
  return payload;
}

/**
 * Decodes the payload of a DIRENTS record. The names are as they stand: a reader that goes by them checks them with
 * {@link isSafeName}.
 *
 * @throws ClfsError `format` on a broken entry, a name that is empty or over 255 bytes, or a handle that is neither 16
 * nor 24 bytes
 */
export function decodeDirents(payload: Buffer): readonly DirectoryEntry[] {
  const r = new PayloadReader(payload, 'DIRENTS');
  const entries: DirectoryEntry[] = [];
  while (r.remaining > 0) {
    const length = r.u32();
    if (length < 1 || length > LONGEST_NAME_BYTES)
      throw new ClfsError('format', `A directory entry has a name of ${length} bytes.`);
    const name = r.bytes(length);
    const handle = r.id();
    if (handle.length !== HANDLE_BYTES && handle.length !== BLOCK_ID_BYTES) {
      throw new ClfsError('format', `A directory entry has a handle of ${handle.length} bytes.`);
    }
    entries.push({ name, handle });
  }
  return entries;
}

/** Whether a name can be that of an entry: not empty, not `.` or `..`, no `/`, no NUL, at most 255 bytes. */
export function isSafeName(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > LONGEST_NAME_BYTES) return false;
  if (isDot(name) || isDotDot(name)) return false;
  return !name.includes(0x2f) && !name.includes(0);
}

export function isDot(name: Uint8Array): boolean {
  return name.length === 1 && name[0] === 0x2e;
}

export function isDotDot(name: Uint8Array): boolean {
  return name.length === 2 && name[0] === 0x2e && name[1] === 0x2e;
}

import { ClfsError } from '../error.js';
import { type Attributes, fileTimes } from '../format/attributes.js';
import { ObjectType } from '../format/ids.js';

/** Bytes of a block of a tar. */
export const TAR_BLOCK_BYTES = 512;

/** One entry of a tar. */
export interface TarEntry {
  readonly path: Buffer;
  readonly attributes: Attributes;
  /** Bytes of content that follow; 0 for all but regular files. */
  readonly sizeBytes: number;
  /** Target of a symlink, or path of the entry that this is a further link of. */
  readonly linkTarget: Buffer | undefined;
  readonly isHardLink: boolean;
}

/** Type flags by object type: regular, directory, block, char, symlink, (a tar has no sockets), fifo. */
const TYPE_FLAGS = ['', '0', '5', '4', '3', '2', '', '6'];
const LARGEST_OCTAL_7 = 0o7777777;
const LARGEST_OCTAL_11 = 0o77777777777;

/**
 * The header blocks of an entry in POSIX (pax) form: exact times, names of any bytes and length, sizes and owners of
 * any number.
 *
 * Source: POSIX.1-2017, pax, "pax Interchange Format"
 */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const { attributes: a, linkTarget } = entry;
  const path = a.type === ObjectType.directory ? Buffer.concat([entry.path, Buffer.from('/')]) : entry.path;
  const records = [paxRecord('mtime', timeText(a.mtime)), paxRecord('atime', timeText(a.atime))];
  const isText = isUtf8(path) && (!linkTarget || isUtf8(linkTarget));
  if (!isText) records.unshift(paxRecord('hdrcharset', Buffer.from('BINARY')));
  if (!fits(path)) records.push(paxRecord('path', path));
  if (linkTarget && !fits(linkTarget)) records.push(paxRecord('linkpath', linkTarget));
  if (entry.sizeBytes > LARGEST_OCTAL_11) records.push(paxRecord('size', Buffer.from(String(entry.sizeBytes))));
  if (a.uid > LARGEST_OCTAL_7) records.push(paxRecord('uid', Buffer.from(String(a.uid))));
  if (a.gid > LARGEST_OCTAL_7) records.push(paxRecord('gid', Buffer.from(String(a.gid))));
  const pax = Buffer.concat(records);
  return Buffer.concat([
    ustarHeader(Buffer.from('PaxHeader'), 'x', pax.length, entry),
    pad(pax),
    ustarHeader(path, entry.isHardLink ? '1' : TYPE_FLAGS[a.type], entry.sizeBytes, entry),
  ]);
}

/** Whether a tar can hold an entry of this type. */
export function isTarType(type: number): boolean {
  return TYPE_FLAGS[type] !== '';
}

/** @throws ClfsError `format` when a header has no room for a number that no loader writes, or a time is none */
export function requireTarAttributes(attributes: Attributes): void {
  fileTimes(attributes);
  const { deviceMajor, deviceMinor } = attributes;
  if (deviceMajor > LARGEST_OCTAL_7 || deviceMinor > LARGEST_OCTAL_7)
    throw new ClfsError('format', `No device has the number ${deviceMajor}:${deviceMinor}.`);
}

/** Zeros that fill the last block behind content of `sizeBytes`. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((TAR_BLOCK_BYTES - (sizeBytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
}

function ustarHeader(path: Buffer, type: string, sizeBytes: number, { attributes: a, linkTarget }: TarEntry): Buffer {
  const header = Buffer.alloc(TAR_BLOCK_BYTES);
  path.copy(header, 0, 0, 100);
  octal(header, 100, 8, a.mode & 0o7777);
  octal(header, 108, 8, Math.min(a.uid, LARGEST_OCTAL_7));
  octal(header, 116, 8, Math.min(a.gid, LARGEST_OCTAL_7));
  octal(header, 124, 12, Math.min(sizeBytes, LARGEST_OCTAL_11));
  octal(header, 136, 12, a.mtime.seconds);
  header.write(type, 156, 'latin1');
  if (type !== 'x') linkTarget?.copy(header, 157, 0, 100);
  header.write('ustar\u000000', 257, 'latin1');
  octal(header, 329, 8, a.deviceMajor);
  octal(header, 337, 8, a.deviceMinor);
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function octal(header: Buffer, at: number, length: number, value: number): void {
  header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
}

function fits(path: Buffer): boolean {
  return path.length <= 100 && path.every((byte) => byte < 0x80);
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes);
}

/** A record's length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function timeText({ seconds, nanoseconds }: { readonly seconds: number; readonly nanoseconds: number }): Buffer {
  return Buffer.from(`${seconds}.${String(nanoseconds).padStart(9, '0')}`);
}

function pad(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, tarPadding(bytes.length)]);
}

import { ClfsError, messageOf } from '../error.js';
import type { Attributes } from '../format/attributes.js';
import { ENTRY_TYPE_NAMES, type EntryType, idHex, ObjectType } from '../format/ids.js';
import { escapePath } from '../text/escape-path.js';

/** One line of a manifest. */
export interface ManifestEntry {
  /** Below the root, joined by `/`; `.` for the root. */
  readonly path: Uint8Array;
  readonly type: EntryType;
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly mtimeNs: bigint;
  readonly linkCount: number;
  /** Tells which lines are links of one file. */
  readonly linkGroup: string | undefined;
  readonly target: Uint8Array | undefined;
  readonly sha256: string | undefined;
}

/**
 * The line of an entry, without its end; `path` as it is shown, `path_hex` exactly. Times are strings: JSON's numbers
 * end at 2^53.
 */
export function formatManifestEntry(entry: ManifestEntry): string {
  const path = Buffer.from(entry.path);
  return JSON.stringify({
    path: escapePath(path),
    path_hex: path.toString('hex'),
    type: ENTRY_TYPE_NAMES[entry.type],
    mode: entry.mode,
    nlink: entry.linkCount,
    uid: entry.uid,
    gid: entry.gid,
    size: Number(entry.sizeBytes),
    rdev_major: entry.deviceMajor,
    rdev_minor: entry.deviceMinor,
    mtime_ns: entry.mtimeNs.toString(),
    link_group: entry.linkGroup,
    target_hex: entry.target && Buffer.from(entry.target).toString('hex'),
    sha256: entry.sha256,
  });
}

/**
 * Reads one line of a manifest. What is missing or cannot be read is compared with nothing: so such a line is refused.
 *
 * @throws ClfsError `usage`
 */
export function parseManifestEntry(line: string, number: number): ManifestEntry {
  try {
    return entryOf(new Fields(line));
  } catch (cause) {
    throw new ClfsError('usage', `Line ${number} of the manifest is not one of a manifest: ${messageOf(cause)}.`, {
      cause,
    });
  }
}

function entryOf(fields: Fields): ManifestEntry {
  const mode = fields.number('mode', 0xffff);
  const type = TYPE_BY_MODE[mode >> 12];
  if (type === undefined) throw new Error('its mode has no type');
  const named = fields.text('type') ?? ENTRY_TYPE_NAMES[type];
  if (named !== ENTRY_TYPE_NAMES[type])
    throw new Error(`its type is ${JSON.stringify(named)}, and its mode says ${ENTRY_TYPE_NAMES[type]}`);
  const linkCount = fields.text('nlink') === undefined ? 1 : fields.number('nlink', 0xffffffff);
  const device = type === ObjectType.block || type === ObjectType.char;
  const path = fields.bytes('path_hex');
  if (path.length === 0) throw new Error('its path_hex is empty');
  return {
    path,
    type,
    mode,
    uid: fields.number('uid', 0xffffffff),
    gid: fields.number('gid', 0xffffffff),
    sizeBytes: type === ObjectType.regular || fields.text('size') !== undefined ? fields.integer('size') : 0n,
    deviceMajor: device ? fields.number('rdev_major', 0xffffffff) : 0,
    deviceMinor: device ? fields.number('rdev_minor', 0xffffffff) : 0,
    mtimeNs: fields.integer('mtime_ns'),
    linkCount,
    linkGroup:
      linkCount > 1 && type !== ObjectType.directory ? (fields.text('link_group') ?? fields.text('ino')) : undefined,
    target: type === ObjectType.symlink ? fields.bytes('target_hex') : undefined,
    sha256: type === ObjectType.regular ? fields.sum('sha256') : undefined,
  };
}

const INTEGER = /^-?\d{1,20}$/;
const HEX = /^(?:[0-9a-f]{2})*$/i;
const SHA256 = /^[0-9a-f]{64}$/i;

/** The fields of a line. What is null is missing. */
class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(line: string) {
    // Numbers of 19 digits are exact as strings only.
    this.#fields = JSON.parse(line.replace(/"(ino|size|[a-z]+_ns)": ?(-?\d+)/g, '"$1":"$2"')) as Record<
      string,
      unknown
    >;
  }

  text(key: string): string | undefined {
    const value = this.#fields[key];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  }

  integer(key: string): bigint {
    const text = this.#needed(key);
    if (!INTEGER.test(text)) throw new Error(`its ${key} is no whole number`);
    return BigInt(text);
  }

  /** From 0 to `most`. */
  number(key: string, most: number): number {
    const value = Number(this.integer(key));
    if (value < 0 || value > most) throw new Error(`its ${key} is not a number from 0 to ${most}`);
    return value;
  }

  bytes(key: string): Buffer {
    const text = this.#needed(key);
    if (!HEX.test(text)) throw new Error(`its ${key} is not in hexadecimal digits`);
    return Buffer.from(text, 'hex');
  }

  /** A SHA-256 in small letters, however it is written. */
  sum(key: string): string | undefined {
    const text = this.text(key);
    if (text !== undefined && !SHA256.test(text)) throw new Error(`its ${key} is no SHA-256 in hexadecimal digits`);
    return text?.toLowerCase();
  }

  #needed(key: string): string {
    const text = this.text(key);
    if (text === undefined) throw new Error(`it has no ${key}`);
    return text;
  }
}

const TYPE_BY_MODE: Record<number, EntryType | undefined> = { 8: 1, 4: 2, 6: 3, 2: 4, 10: 5, 12: 6, 1: 7 };

/** What a manifest says of an inode beside its attributes. */
export interface ManifestFacts {
  readonly handle: Uint8Array;
  /** Of symlinks. */
  readonly target?: Uint8Array;
  /** Of regular files, when they were hashed. */
  readonly sha256?: string;
}

/** The entry of an inode at `path`; empty for the root. */
export function toManifestEntry(
  path: Uint8Array,
  a: Attributes,
  { handle, target, sha256 }: ManifestFacts,
): ManifestEntry {
  return {
    path: path.length === 0 ? ROOT_PATH : path,
    type: a.type,
    mode: a.mode,
    uid: a.uid,
    gid: a.gid,
    sizeBytes: a.type === ObjectType.regular ? a.lengthBytes : BigInt(target?.length ?? 0),
    deviceMajor: a.deviceMajor,
    deviceMinor: a.deviceMinor,
    mtimeNs: BigInt(a.mtime.seconds) * 1_000_000_000n + BigInt(a.mtime.nanoseconds),
    linkCount: a.linkCount,
    linkGroup: a.type !== ObjectType.directory && a.linkCount > 1 ? idHex(handle) : undefined,
    target,
    sha256,
  };
}

const ROOT_PATH = Buffer.from('.');

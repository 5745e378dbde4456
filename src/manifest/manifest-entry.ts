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

/** Reads one line of a manifest. @throws ClfsError `usage` */
export function parseManifestEntry(line: string, number: number): ManifestEntry {
  try {
    // Numbers of 19 digits are exact as strings only.
    const fields = JSON.parse(line.replace(/"(ino|size|[a-z]+_ns)": ?(-?\d+)/g, '"$1":"$2"')) as Record<
      string,
      string | number | undefined
    >;
    const mode = Number(fields.mode);
    const type = TYPE_BY_MODE[mode >> 12];
    if (type === undefined || typeof fields.path_hex !== 'string')
      throw new Error('it has no path_hex, or no mode with a type');
    const linkCount = Number(fields.nlink ?? 1);
    const device = type === ObjectType.block || type === ObjectType.char;
    const text = (key: string) => (fields[key] === undefined ? undefined : String(fields[key]));
    const target = text('target_hex');
    return {
      path: Buffer.from(fields.path_hex, 'hex'),
      type,
      mode,
      uid: Number(fields.uid),
      gid: Number(fields.gid),
      sizeBytes: BigInt(fields.size ?? 0),
      deviceMajor: device ? Number(fields.rdev_major) : 0,
      deviceMinor: device ? Number(fields.rdev_minor) : 0,
      mtimeNs: BigInt(fields.mtime_ns ?? 0),
      linkCount,
      linkGroup: linkCount > 1 && type !== ObjectType.directory ? (text('link_group') ?? text('ino')) : undefined,
      target: target === undefined ? undefined : Buffer.from(target, 'hex'),
      sha256: text('sha256'),
    };
  } catch (cause) {
    throw new ClfsError('usage', `Line ${number} of the manifest is not one of a manifest: ${messageOf(cause)}.`, {
      cause,
    });
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

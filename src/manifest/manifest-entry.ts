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

/** The line of an entry, without its end; `path` as it is shown, `path_hex` exactly. Times are strings: JSON's numbers end at 2^53. */
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

/** What a manifest says of an inode beside its attributes. */
export interface ManifestFacts {
  readonly handle: Uint8Array;
  /** Of symlinks. */
  readonly target?: Uint8Array;
  /** Of regular files, when they were hashed. */
  readonly sha256?: string;
}

/** The entry of an inode at `path`; empty for the root. */
export function toManifestEntry(path: Uint8Array, a: Attributes, { handle, target, sha256 }: ManifestFacts): ManifestEntry {
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

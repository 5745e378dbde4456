import {
  type Attributes,
  counted,
  ENTRY_TYPE_NAMES,
  escapePath,
  type FoundInode,
  idHex,
  ObjectType,
  type Timestamp,
} from '../../index.js';

const TYPE_LETTERS = ['?', '-', 'd', 'b', 'c', 'l', 's', 'p'];

/** Mode as `ls -l` shows it, such as `drwxr-sr-t`. */
export function modeText({ mode, type }: Pick<Attributes, 'mode' | 'type'>): string {
  const bits = (shift: number, special: number, letter: string) => {
    const execute = (mode >> shift) & 1;
    const last = mode & special ? (execute ? letter : letter.toUpperCase()) : execute ? 'x' : '-';
    return `${(mode >> shift) & 4 ? 'r' : '-'}${(mode >> shift) & 2 ? 'w' : '-'}${last}`;
  };
  return `${TYPE_LETTERS[type]}${bits(6, 0o4000, 's')}${bits(3, 0o2000, 's')}${bits(0, 0o1000, 't')}`;
}

/** What several of a kind are called, where it is not the kind's name and an s. */
const PLURALS: Readonly<Record<string, string>> = {
  regular: 'regular files',
  directory: 'directories',
  block: 'block devices',
  char: 'character devices',
};

/** How many entries or objects there are of each kind, in words: `1 directory, 2 regular files`. */
export function kindCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([kind, count]) => counted(count, PLURALS[kind] ?? `${kind}s`))
    .join(', ');
}

/** A path in a container as it is shown; `.` for the root. */
export function shownPath(path: Uint8Array): string {
  return escapePath(path) || '.';
}

/** A time in UTC with nanoseconds. */
export function timeText(time: Timestamp): string {
  const date = new Date(time.seconds * 1000).toISOString().slice(0, 19);
  return `${date.replace('T', ' ')}.${String(time.nanoseconds).padStart(9, '0')}`;
}

/** Nanoseconds since 1970, as text. */
function timeNs(time: Timestamp): string {
  return (BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds)).toString();
}

/** Length of what the entry holds: a symlink's target, a file's bytes. */
export function contentBytes({ inode }: FoundInode): bigint {
  return inode.attributes.type === ObjectType.symlink ? BigInt(inode.data?.length ?? 0) : inode.attributes.lengthBytes;
}

/** Attributes as JSON fields; 64-bit values are strings. */
export function attributeFields(found: FoundInode): Record<string, unknown> {
  const a = found.inode.attributes;
  return {
    type: ENTRY_TYPE_NAMES[a.type],
    mode: a.mode,
    mode_text: modeText(a),
    nlink: a.linkCount,
    uid: a.uid,
    gid: a.gid,
    size: Number(contentBytes(found)),
    rdev_major: a.deviceMajor,
    rdev_minor: a.deviceMinor,
    mtime_ns: timeNs(a.mtime),
    ctime_ns: timeNs(a.ctime),
    atime_ns: timeNs(a.atime),
    inode: a.inodeNumber.toString(),
    handle: idHex(found.id),
    target_hex: a.type === ObjectType.symlink ? found.inode.data?.toString('hex') : undefined,
  };
}

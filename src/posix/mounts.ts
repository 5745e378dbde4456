import { koffi } from './koffi.js';
import { CURRENT_DIRECTORY, cString, statAt } from './libc.js';
import { readMountTable } from './mount-table.js';

const statfs = koffi.load(null as unknown as string).func('int statfs64(const void *, void *)');

/** File systems whose id the kernel makes from their UUID: the same over reboots, and whatever device they are on. */
const TYPES_WITH_ID = new Set(['ext2', 'ext3', 'ext4', 'btrfs']);
/** File systems of this machine, of which the root of a mount can be looked at without waiting for anybody. */
const LOCAL_TYPES = new Set([...TYPES_WITH_ID, 'xfs', 'tmpfs', 'zfs', 'f2fs', 'bcachefs', 'jfs']);
/** The kernel's own, which answer at once: what is of no other type may be another machine's, or another process'. */
const KERNEL_TYPES = new Set([
  ...LOCAL_TYPES,
  ...[
    'overlay',
    'ramfs',
    'squashfs',
    'erofs',
    'iso9660',
    'udf',
    'vfat',
    'exfat',
    'ntfs3',
    'hfsplus',
    'nilfs2',
    'reiserfs',
  ],
  ...['proc', 'sysfs', 'devtmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2', 'pstore', 'bpf', 'tracefs', 'debugfs'],
  ...['securityfs', 'configfs', 'fusectl', 'hugetlbfs', 'efivarfs', 'binfmt_misc', 'nsfs', 'rpc_pipefs', 'selinuxfs'],
]);
/** What is mounted where something is to be mounted when it is wanted. */
const WANTED = 'autofs';
/** Where `f_fsid` is, and how long; source: statfs(2). */
const ID_AT = 56;
const ID_END = 64;

const statfsBuffer = Buffer.from(new ArrayBuffer(256));

/** A file system that is mounted. */
export interface Mount {
  /** Absolute path, without symlinks. */
  readonly point: Buffer;
  /** Number of the file system's device. */
  readonly device: string;
  /** What of the file system is mounted: a path in it. */
  readonly root: string;
  readonly type: string;
  /** Device or server that it comes from, or a word without meaning. */
  readonly source: string;
  /** Number of this mount: that of no other one as long as it is there. */
  readonly id: string;
  /** Number of the one that it is mounted in; of one that is mounted over others at the same path, where those are. */
  readonly parent: string;
}

/** What is mounted below a directory. */
export interface MountBelow {
  /** Below the directory; empty: the directory itself, below which something is to be mounted when it is wanted. */
  readonly path: Buffer;
  /** As {@link Mount.id}. */
  readonly id: string;
  /** Nothing is mounted there yet: it is when it is wanted, there or below. */
  readonly isLater: boolean;
  /** The system mounts it by itself where a server goes from one file system to another. */
  readonly isAutomatic: boolean;
}

let latest: { readonly text: string; readonly unmounted: boolean; readonly mounts: readonly Mount[] } = {
  text: '',
  unmounted: false,
  mounts: [],
};

/** Id of a file system, the same over reboots; undefined where there is none. */
export function fileSystemId({ point, type }: Mount): string | undefined {
  // Nothing is asked of a file system of another machine, which may not answer.
  if (!TYPES_WITH_ID.has(type) || statfs(cString(point), statfsBuffer) !== 0) return undefined;
  return `${type} ${statfsBuffer.toString('hex', ID_AT, ID_END)}`;
}

/** Whether a mounted file system may not answer for long, since it is not the kernel's alone. */
export function isRemoteMount({ type }: Mount): boolean {
  return !KERNEL_TYPES.has(type);
}

/** Whether nothing is mounted there yet: something is when it is wanted, there or below. */
export function isMountedWhenWanted({ type }: Mount): boolean {
  return type === WANTED;
}

/**
 * What tells a mounted file system from another one in its place; undefined while it cannot be looked at, since it is
 * below a directory that may not be searched: what is said of it must not depend on that.
 */
export function mountKey(mount: Mount): string | undefined {
  const { point, root, type, source } = mount;
  if (TYPES_WITH_ID.has(type)) {
    const id = fileSystemId(mount);
    return id && `${root} ${id}`;
  }
  // Names of devices change at a reboot; a word such as tmpfs says nothing.
  if (LOCAL_TYPES.has(type)) {
    try {
      const { inode, bornNs } = statAt(CURRENT_DIRECTORY, point);
      if (bornNs !== 0n) return `${root} ${type} ${inode} ${bornNs}`;
    } catch {
      return undefined;
    }
  }
  return `${root} ${type} ${source}`;
}

/** Whether a {@link mountKey} is more than the name of a device or server, which can get another one. */
export function tellsApart(key: string): boolean {
  const [, type, ...rest] = key.split(' ');
  return TYPES_WITH_ID.has(type) || (LOCAL_TYPES.has(type) && rest.length > 1);
}

/**
 * The file systems that are mounted, the uppermost at each path; undefined where the kernel does not tell.
 *
 * @param of `unmounted`: also where something is to be mounted when it is wanted; `below`: as for
 *   {@link readMountTable}
 */
export function readMounts({
  unmounted = false,
  below,
}: {
  unmounted?: boolean;
  below?: Buffer;
} = {}): readonly Mount[] | undefined {
  try {
    const text = readMountTable(below);
    if (text !== latest.text || unmounted !== latest.unmounted)
      latest = { text, unmounted, mounts: parseMounts(text, unmounted) };
    return latest.mounts;
  } catch {
    return undefined;
  }
}

/** What is mounted below a directory now. Nothing is asked of it. */
export function mountsBelow(path: Buffer): readonly MountBelow[] {
  const mounts = readMounts({ unmounted: true, below: path }) ?? [];
  if (latestBelow?.mounts !== mounts || !latestBelow.path.equals(path))
    latestBelow = { mounts, path, below: describeMountsBelow(mounts, path) };
  return latestBelow.below;
}

let latestBelow:
  | { readonly mounts: readonly Mount[]; readonly path: Buffer; readonly below: readonly MountBelow[] }
  | undefined;

/** {@link mountsBelow} of what {@link readMounts} tells. */
export function describeMountsBelow(mounts: readonly Mount[], path: Buffer): readonly MountBelow[] {
  // A machine with many containers has thousands of others.
  const near = mounts.filter(({ point }) => point.equals(path) || pathBelow(point, path) || pathBelow(path, point));
  const byId = new Map(near.map((mount) => [mount.id, mount]));
  return notCovered(near).flatMap((mount) => {
    const { point, id } = mount;
    if (isOfItself(mount, byId.get(mount.parent))) return [];
    const isLater = isMountedWhenWanted(mount);
    if (point.equals(path)) return isLater ? [{ path: Buffer.alloc(0), id, isLater, isAutomatic: false }] : [];
    const below = pathBelow(point, path);
    return below ? [{ path: below, id, isLater, isAutomatic: isOfServerAbove(mount, near) }] : [];
  });
}

/** Those that a path leads to: others are in what something else has been mounted over. */
function notCovered(mounts: readonly Mount[]): readonly Mount[] {
  const shown: Mount[] = [];
  for (const mount of [...mounts].sort((a, b) => a.point.length - b.point.length)) {
    const above = shown.findLast(({ point }) => pathBelow(mount.point, point) !== undefined);
    if (!above || mount.parent === above.id) shown.push(mount);
  }
  return shown;
}

/** Whether this shows what is there without it, as a directory does that is mounted on itself with other flags. */
function isOfItself({ point, device, root }: Mount, above: Mount | undefined): boolean {
  const below = above?.device === device && pathBelow(point, above.point);
  return below
    ? `${above.root === '/' ? '' : unescaped(above.root)}/${below.toString('latin1')}` === unescaped(root)
    : false;
}

/** Whether a server gives this at its path below what is mounted above it. */
function isOfServerAbove({ point, type, source }: Mount, mounts: readonly Mount[]): boolean {
  if (!source.includes(':')) return false;
  const [next] = mounts
    .filter((mount) => pathBelow(point, mount.point) !== undefined)
    .sort((a, b) => b.point.length - a.point.length);
  if (next?.type !== type) return false;
  const above = `${unescaped(next.source)}/${unescaped(next.root)}/${pathBelow(point, next.point)?.toString('latin1')}`;
  return above.replace(/\/+/g, '/') === unescaped(source).replace(/\/+/g, '/');
}

/** @returns undefined where it is not below */
function pathBelow(point: Buffer, path: Buffer): Buffer | undefined {
  const prefix = path.length === 1 ? path : Buffer.concat([path, SLASH]);
  const isBelow = point.length > prefix.length && point.subarray(0, prefix.length).equals(prefix);
  return isBelow ? point.subarray(prefix.length) : undefined;
}

const SLASH = Buffer.from('/');

/** Source: proc(5), `/proc/pid/mountinfo`: fields up to ` - `, then type and source; spaces and such are `\ooo`. */
export function parseMounts(text: string, unmounted = false): readonly Mount[] {
  const mounts = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    if (after === undefined) continue;
    const [id, parent, device, root, point] = before.split(' ');
    const [type, source] = after.split(' ');
    if (type === WANTED && !unmounted) continue;
    const beneath = mounts.get(point);
    const within = beneath?.id === parent ? beneath.parent : parent;
    mounts.set(point, { point: unescapeField(point), device, root, type, source, id, parent: within });
  }
  return [...mounts.values()];
}

function unescapeField(field: string): Buffer {
  return Buffer.from(unescaped(field), 'latin1');
}

function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

import { pathOfOpen } from '../posix/libc.js';
import { fileSystemId, isRemoteMount, type Mount, mountKey, readMounts } from '../posix/mounts.js';

/** What tells the root of a source from others. Plain JSON. */
export interface RootPlace {
  /** Inode number; missing where the file system makes them up at each mount. */
  readonly inode?: string;
  /** When it was made, in nanoseconds since 1970; missing where that is not known, or changes. */
  readonly bornNs?: string;
  /** Id of its file system; missing where there is none. */
  readonly id?: string;
  /** Type and source of its file system: a device or a server, of which both can get another name. */
  readonly source: string;
}

/** What tells a source from another tree that has its path: the same over reboots. Plain JSON. */
export interface SourcePlace {
  readonly root: RootPlace;
  /** What is mounted below the root, as far as it could be looked at, by paths below it in hex. */
  readonly mounts: Readonly<Record<string, string>>;
}

/**
 * Looks where a directory is that is open. Nothing is asked of its file system, which may not answer: the kernel knows
 * the path, and number and time of what is open do not change.
 *
 * @returns undefined where it cannot be told from another tree at that path
 */
export function placeOf(open: {
  readonly descriptor: number;
  readonly inode: bigint;
  readonly bornNs: bigint;
}): SourcePlace | undefined {
  const mounts = readMounts();
  const path = pathOfOpen(open.descriptor);
  return mounts && path && describePlace(mounts, path, open);
}

/** Whether a file system of another machine or process is, or will be, mounted below a directory that is open. */
export function hasRemoteBelow(descriptor: number): boolean {
  const path = pathOfOpen(descriptor);
  if (!path) return false;
  return (readMounts({ unmounted: true }) ?? []).some((mount) => isBelow(mount.point, path) && isRemoteMount(mount));
}

/**
 * @param bornNs when the root was made, as `FileStatus.bornNs`
 * @param looks `fileSystemId` and `mountKey`
 */
export function describePlace(
  mounts: readonly Mount[],
  root: Buffer,
  { inode, bornNs }: { readonly inode: bigint; readonly bornNs: bigint },
  looks: { id(mount: Mount): string | undefined; key(mount: Mount): string | undefined } = {
    id: fileSystemId,
    key: mountKey,
  },
): SourcePlace | undefined {
  let own: Mount | undefined;
  const below: Record<string, string> = {};
  for (const mount of mounts) {
    const { point } = mount;
    if (isBelow(point, root)) {
      const key = looks.key(mount);
      if (key !== undefined) below[point.subarray(root.length === 1 ? 1 : root.length + 1).toString('hex')] = key;
    } else if (isAtOrAbove(point, root) && point.length >= (own?.point.length ?? 0)) own = mount;
  }
  if (!own) return undefined;
  const { type, source } = own;
  const id = looks.id(own);
  const place: RootPlace = {
    ...(type.startsWith('fuse') ? {} : { inode: String(inode) }),
    // An overlay makes its directories anew when they change.
    ...(bornNs === 0n || type === 'overlay' ? {} : { bornNs: String(bornNs) }),
    ...(id === undefined ? {} : { id }),
    source: `${type} ${source}`,
  };
  // Without any of these, one file system in memory is like another.
  const isKnown = place.bornNs !== undefined || id !== undefined || /[/:]/.test(source);
  return isKnown ? { root: place, mounts: below } : undefined;
}

function isBelow(point: Buffer, root: Buffer): boolean {
  return point.length > root.length && isAtOrAbove(root, point);
}

function isAtOrAbove(point: Buffer, path: Buffer): boolean {
  if (point.length === 1) return true;
  return path.subarray(0, point.length).equals(point) && (path.length === point.length || path[point.length] === 0x2f);
}

/** What never changes of a root. */
type Lasting = 'inode' | 'bornNs' | 'id';

function isKnownOfBoth(before: RootPlace, now: RootPlace, what: Lasting): boolean {
  return before[what] !== undefined && now[what] !== undefined;
}

function differs(before: RootPlace, now: RootPlace, what: Lasting): boolean {
  return isKnownOfBoth(before, now, what) && before[what] !== now[what];
}

/**
 * Whether the root is certainly another one than it was: by what never changes. Names of devices and servers do.
 */
export function isOtherRoot(before: SourcePlace | undefined, now: SourcePlace | undefined): boolean {
  if (!before || !now) return false;
  const { root: was } = before;
  return differs(was, now.root, 'inode') || differs(was, now.root, 'bornNs') || differs(was, now.root, 'id');
}

/** Whether the root is certainly the same: something that tells roots apart is known of both, and nothing differs. */
export function isSameRoot(before: SourcePlace, now: SourcePlace): boolean {
  if (isOtherRoot(before, now)) return false;
  const [was, is] = [before.root, now.root];
  return was.source === is.source || isKnownOfBoth(was, is, 'bornNs') || isKnownOfBoth(was, is, 'id');
}

/**
 * Whether what is at a path of the source now has the place of what was there: the same root, with the same file
 * systems mounted on the way to it.
 *
 * @param path below the root
 */
export function isSamePlace(before: SourcePlace | undefined, now: SourcePlace | undefined, path: Uint8Array): boolean {
  if (!before || !now || !isSameRoot(before, now)) return false;
  const hex = Buffer.from(path).toString('hex');
  const onTheWay = (mount: string) => hex === mount || hex.startsWith(`${mount}2f`);
  const mounts = new Set([...Object.keys(before.mounts), ...Object.keys(now.mounts)]);
  for (const mount of mounts) if (onTheWay(mount) && before.mounts[mount] !== now.mounts[mount]) return false;
  return true;
}

/**
 * A recorded place, with the file systems that have been mounted since; one that is another now stays as recorded.
 *
 * @param wasThere tells of the path of a mount whether nothing was recorded of it before, or what is recorded of it is
 *   what is mounted: what is mounted over something else is no part of the source
 */
export function withMounts(
  before: SourcePlace | undefined,
  now: SourcePlace | undefined,
  wasThere: (path: Buffer) => boolean,
): SourcePlace | undefined {
  if (!before || !now) return before ?? now;
  if (!isSameRoot(before, now)) return before;
  const mounts: Record<string, string> = { ...before.mounts };
  for (const [path, mount] of Object.entries(now.mounts))
    if (mounts[path] === undefined && wasThere(Buffer.from(path, 'hex'))) mounts[path] = mount;
  return { ...before, mounts };
}

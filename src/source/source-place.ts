import { isAtOrBelow, isBelow } from '../paths/is-below.js';
import { pathOfOpen } from '../posix/libc.js';
import {
  fileSystemId,
  isMountedWhenWanted,
  isRemoteMount,
  type Mount,
  mountKey,
  readMounts,
  tellsApart,
} from '../posix/mounts.js';

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

/** Stands for what is mounted where the system mounts something when it is wanted, while nothing is mounted there. */
export const WHEN_WANTED = 'when it is wanted';

/** What tells a source from another tree that has its path: the same over reboots. Plain JSON. */
export interface SourcePlace {
  readonly root: RootPlace;
  /** What is mounted below the root, as far as it could be looked at, or {@link WHEN_WANTED}; by paths below it in hex. */
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
  const path = pathOfOpen(open.descriptor);
  const mounts = readMounts({ unmounted: true, below: path });
  return mounts && path && describePlace(mounts, path, open);
}

/** Whether a file system of another machine or process is, or will be, mounted below a directory that is open. */
export function hasRemoteBelow(descriptor: number): boolean {
  const path = pathOfOpen(descriptor);
  if (!path) return false;
  return (readMounts({ unmounted: true, below: path }) ?? []).some(
    (mount) => isBelow(mount.point, path) && isRemoteMount(mount),
  );
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
      const key = isMountedWhenWanted(mount) ? WHEN_WANTED : looks.key(mount);
      if (key !== undefined) below[point.subarray(root.length === 1 ? 1 : root.length + 1).toString('hex')] = key;
    } else if (!isMountedWhenWanted(mount) && isAtOrBelow(root, point) && point.length >= (own?.point.length ?? 0))
      own = mount;
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
  for (const mount of mounts)
    if (onTheWay(mount) && !isSameMount(before.mounts[mount], now.mounts[mount])) return false;
  return true;
}

/** What is mounted now where something is recorded: that, or nothing was; nothing any more; or another file system. */
export type MountNow = 'same' | 'away' | 'other';

/**
 * What is mounted at the very path of a name of which nothing is recorded, or only that it has failed. What has been
 * mounted there since is part of the source.
 *
 * @param path below the root, in hex
 */
export function mountNow(before: SourcePlace, now: SourcePlace, path: string): MountNow {
  const [was, is] = [before.mounts[path], now.mounts[path]];
  // A look mounts what is mounted when it is wanted.
  if (was === undefined || is === WHEN_WANTED || isSameMount(was, is)) return 'same';
  return is === undefined ? 'away' : 'other';
}

/** Whatever is mounted where nothing was yet, since nobody had wanted it, is what was to be mounted. */
function isSameMount(before: string | undefined, now: string | undefined): boolean {
  return before === now || (before === WHEN_WANTED && now !== undefined);
}

/** Names, one character a byte, at which file systems are recorded in a directory of the source. */
export function mountNamesIn(place: SourcePlace, directory: Uint8Array): readonly string[] {
  let names = namesOfPlaces.get(place);
  if (!names) {
    names = new Map();
    for (const hex of Object.keys(place.mounts)) {
      const path = Buffer.from(hex, 'hex').toString('latin1');
      const slash = path.lastIndexOf('/');
      const parent = path.slice(0, Math.max(0, slash));
      const siblings = names.get(parent);
      if (siblings) siblings.push(path.slice(slash + 1));
      else names.set(parent, [path.slice(slash + 1)]);
    }
    namesOfPlaces.set(place, names);
  }
  return names.size === 0 ? [] : (names.get(Buffer.from(directory).toString('latin1')) ?? []);
}

/** A place is asked for each listing and each chunk, and a machine with many containers has thousands of mounts. */
const namesOfPlaces = new WeakMap<SourcePlace, Map<string, string[]>>();

/**
 * What is recorded of the path of a mount: nothing but failures; the directory that is mounted there, which is certain
 * or as far as numbers tell; or something else.
 */
export type RecordedThere = 'nothing' | 'certain' | 'same' | 'other';

/**
 * A recorded place, with the file systems that have been mounted since; one that is another now stays as recorded, but
 * where that is certainly the same by another name.
 *
 * @param recorded of the path of a mount: what is mounted over something else is no part of the source
 */
export function withMounts(
  before: SourcePlace | undefined,
  now: SourcePlace | undefined,
  recorded: (path: Buffer) => RecordedThere,
): SourcePlace | undefined {
  if (!before || !now) return before ?? now;
  if (!isSameRoot(before, now)) return before;
  const found = changedMounts(before, now);
  if (found.length === 0) return before;
  const mounts: Record<string, string> = { ...before.mounts };
  for (const path of found) {
    const there = recorded(Buffer.from(path, 'hex'));
    const was = mounts[path];
    // As long as nothing is loaded of what is mounted when it is wanted, it may be another one each time.
    const isTaken =
      was === undefined ? there !== 'other' : there === 'certain' || (there === 'same' && was === WHEN_WANTED);
    if (isTaken) mounts[path] = now.mounts[path];
  }
  return { ...before, mounts };
}

/**
 * A recorded place, with what is mounted now at paths where nothing else is recorded.
 *
 * @param paths in hex; what is mounted there takes the place of what was
 */
export function takeMounts(before: SourcePlace, now: SourcePlace, paths: readonly string[]): SourcePlace {
  if (!isSameRoot(before, now)) return before;
  const isTaken = (path: string) => {
    const mount = now.mounts[path];
    return mount !== undefined && mount !== before.mounts[path] && mount !== WHEN_WANTED;
  };
  const taken = paths.filter(isTaken).map((path) => [path, now.mounts[path]]);
  return taken.length === 0 ? before : { ...before, mounts: { ...before.mounts, ...Object.fromEntries(taken) } };
}

/**
 * Paths, in hex, of what is mounted now and was not, or only when it was wanted, or by what may be but another name of
 * the same.
 */
export function changedMounts(before: SourcePlace, now: SourcePlace): readonly string[] {
  return Object.entries(now.mounts)
    .filter(([path, mount]) => {
      const was = before.mounts[path];
      if (was === undefined) return true;
      return mount !== WHEN_WANTED && mount !== was && (was === WHEN_WANTED || !tellsApart(was) || !tellsApart(mount));
    })
    .map(([path]) => path);
}

import { realpathSync } from 'node:fs';
import { statFd } from '../posix/libc.js';
import { fileSystemKey, type Mount, readMounts } from '../posix/mounts.js';

/** What tells a source from another tree that has its path: the same over reboots. Plain JSON. */
export interface SourcePlace {
  /** What tells the root from others: its file system, its inode, and when it was made. */
  readonly root: string;
  /** What is mounted below the root, by paths below it in hex. */
  readonly mounts: Readonly<Record<string, string>>;
}

/**
 * Looks where a source is.
 *
 * @param fd the root, open
 * @returns undefined where it cannot be told from another tree at that path
 */
export function placeOf(root: Uint8Array, fd: number): SourcePlace | undefined {
  const mounts = readMounts();
  if (!mounts) return undefined;
  try {
    return describePlace(mounts, realpathSync(Buffer.from(root), { encoding: 'buffer' }), statFd(fd));
  } catch {
    return undefined;
  }
}

/**
 * @param bornNs when the root was made, as `FileStatus.bornNs`
 * @param keyOf {@link fileSystemKey}
 */
export function describePlace(
  mounts: readonly Mount[],
  root: Buffer,
  { inode, bornNs }: { readonly inode: bigint; readonly bornNs: bigint },
  keyOf: (mount: Mount) => string | undefined = fileSystemKey,
): SourcePlace | undefined {
  const prefix = root.length === 1 ? root : Buffer.concat([root, Buffer.from('/')]);
  let own: Mount | undefined;
  const below: Record<string, string> = {};
  for (const mount of mounts) {
    const { point } = mount;
    if (point.length > root.length && point.subarray(0, prefix.length).equals(prefix))
      below[point.subarray(prefix.length).toString('hex')] = `${mount.root} ${keyOf(mount) ?? deviceKey(mount)}`;
    else if (isAtOrAbove(point, root) && point.length >= (own?.point.length ?? 0)) own = mount;
  }
  if (!own) return undefined;
  // Names of devices change at a reboot; the time of making tells enough without them.
  const key = keyOf(own) ?? (bornNs === 0n ? deviceKey(own) : own.type);
  // Without any of these, one file system in memory is like another.
  return bornNs === 0n && key === own.type ? undefined : { root: `${key} ${inode} ${bornNs}`, mounts: below };
}

function deviceKey({ type, source }: Mount): string {
  return source.startsWith('/') ? `${type} ${source}` : type;
}

function isAtOrAbove(point: Buffer, path: Buffer): boolean {
  if (point.length === 1) return true;
  return path.subarray(0, point.length).equals(point) && (path.length === point.length || path[point.length] === 0x2f);
}

/** Whether the root is certainly another one than it was. */
export function isOtherRoot(before: SourcePlace | undefined, now: SourcePlace | undefined): boolean {
  return before?.root !== undefined && now !== undefined && before.root !== now.root;
}

/**
 * Whether what is at a path of the source now has the place of what was there: the same root, with the same file
 * systems mounted on the way to it.
 *
 * @param path below the root
 */
export function isSamePlace(before: SourcePlace | undefined, now: SourcePlace | undefined, path: Uint8Array): boolean {
  if (!before || !now || before.root !== now.root) return false;
  const hex = Buffer.from(path).toString('hex');
  const onTheWay = (mount: string) => hex === mount || hex.startsWith(`${mount}2f`);
  const mounts = new Set([...Object.keys(before.mounts), ...Object.keys(now.mounts)]);
  for (const mount of mounts) if (onTheWay(mount) && before.mounts[mount] !== now.mounts[mount]) return false;
  return true;
}

/** A recorded place, with the file systems that have been mounted since; one that is another now stays as recorded. */
export function withMounts(before: SourcePlace | undefined, now: SourcePlace | undefined): SourcePlace | undefined {
  if (!before || !now || before.root !== now.root) return before;
  return { ...before, mounts: { ...now.mounts, ...before.mounts } };
}

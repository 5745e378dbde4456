import { fstatSync, realpathSync } from 'node:fs';
import { type Mount, readMounts } from '../posix/mounts.js';

/** What tells a source from another tree that has its path: the same over reboots. Plain JSON. */
export interface SourcePlace {
  /** Of the root: the file system that it is on, and when it was made. */
  readonly identity: string;
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
    const path = realpathSync(Buffer.from(root), { encoding: 'buffer' });
    const { birthtimeNs, ino } = fstatSync(fd, { bigint: true });
    return describePlace(mounts, path, ino, birthtimeNs);
  } catch {
    return undefined;
  }
}

/** @param bornNs when the root was made, in nanoseconds since 1970; 0 where that is not known */
export function describePlace(
  mounts: readonly Mount[],
  root: Buffer,
  inode: bigint,
  bornNs: bigint,
): SourcePlace | undefined {
  const prefix = root.length === 1 ? root : Buffer.concat([root, Buffer.from('/')]);
  let own: Mount | undefined;
  const below: Record<string, string> = {};
  for (const mount of mounts) {
    const { point } = mount;
    if (point.length > root.length && point.subarray(0, prefix.length).equals(prefix))
      below[point.subarray(prefix.length).toString('hex')] = mount.what;
    else if (isAtOrAbove(point, root) && point.length >= (own?.point.length ?? 0)) own = mount;
  }
  // Without a time of its making, one file system in memory is like another.
  if (!own || (bornNs === 0n && !/[/:]/.test(own.source))) return undefined;
  return { identity: `${own.what} ${inode} ${bornNs}`, mounts: below };
}

function isAtOrAbove(point: Buffer, path: Buffer): boolean {
  if (point.length === 1) return true;
  return path.subarray(0, point.length).equals(point) && (path.length === point.length || path[point.length] === 0x2f);
}

/**
 * Whether what is at a path of the source now has the place of what was there: the same root, with the same file
 * systems mounted on the way to it.
 *
 * @param path below the root
 */
export function isSamePlace(before: SourcePlace | undefined, now: SourcePlace | undefined, path: Uint8Array): boolean {
  if (!before || !now || before.identity !== now.identity) return false;
  const hex = Buffer.from(path).toString('hex');
  const onTheWay = (mount: string) => hex === mount || hex.startsWith(`${mount}2f`);
  const mounts = new Set([...Object.keys(before.mounts), ...Object.keys(now.mounts)]);
  for (const mount of mounts) if (onTheWay(mount) && before.mounts[mount] !== now.mounts[mount]) return false;
  return true;
}

/** A recorded place, with the file systems that have been mounted since; one that is another now stays as recorded. */
export function withMounts(before: SourcePlace | undefined, now: SourcePlace | undefined): SourcePlace | undefined {
  if (!before || !now || before.identity !== now.identity) return before;
  return { ...before, mounts: { ...now.mounts, ...before.mounts } };
}

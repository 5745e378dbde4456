import { isClfsError } from '../error.js';
import { isAtOrBelow } from '../paths/is-below.js';
import type { MountBelow } from '../posix/mounts.js';
import { quotePath } from '../text/escape-path.js';
import { leftOutBy, type Selection } from './selection.js';
import type { SourceAttributes, SourceTree } from './source-tree.js';

/*
 * Where one machine has a file system mounted below a tree and another has not, they see different trees at that path: an
 * empty directory in its place, or what a disk of its own holds. So what is mounted must be the same on both.
 */

/** What is mounted below a tree, as far as that is wanted. Plain data. */
export interface MountEvidence {
  readonly points: readonly MountPoint[];
  /** Where something is to be mounted when it is wanted, there or below. */
  readonly later: readonly Uint8Array[];
}

interface MountPoint {
  /** Below the root. */
  readonly path: Uint8Array;
  /** Of the root of what is mounted there; 0: it is not looked at, since nothing of it is wanted. */
  readonly inode: bigint;
  readonly bornNs: bigint;
}

/** What is mounted below a tree now. @throws ClfsError as looks at the source do */
export function mountEvidenceOf(source: SourceTree, selection: Selection): MountEvidence {
  const isLeftOut = leftOutBy(selection);
  const points: MountPoint[] = [];
  const later: Uint8Array[] = [];
  for (const { path, isLater } of source.mounts?.() ?? []) {
    if (isLater && !selection.oneFileSystem) later.push(path);
    else if (path.length > 0 && !isLeftOut(path)) {
      const found = selection.oneFileSystem ? { inode: 0n, bornNs: 0n } : attributesAt(source, path);
      if (found) points.push({ path, inode: found.inode, bornNs: found.bornNs });
    }
  }
  return { points, later };
}

/** Why what is mounted below a tree is not what somebody else has mounted there; undefined: it is. */
export function mountDifference(evidence: MountEvidence, source: SourceTree, selection: Selection): string | undefined {
  for (const { path: bytes, inode, bornNs } of evidence.points) {
    const path = Buffer.from(bytes);
    if (isThere(source, path, inode, bornNs)) continue;
    return `its source lacks what is mounted at ${quotePath(path)} on the driver's machine: mount it, or leave it out everywhere`;
  }
  const further = source.mounts?.().find((mount) => !mayBeMounted(evidence, selection, mount));
  if (further)
    return `its source has something mounted at ${quotePath(further.path)} that is not mounted there on the driver's machine: unmount it here, mount it there too, or leave it out everywhere`;
  return undefined;
}

/** Whether something may be mounted at one machine, by what is mounted at another one. */
export function mayBeMounted(
  { points, later }: MountEvidence,
  selection: Selection,
  { path, isLater, isAutomatic }: MountBelow,
): boolean {
  // What will be mounted there is seen when it is; but one that is not entered is left empty at once.
  if (path.length === 0 || (isLater && !selection.oneFileSystem)) return true;
  if (isAutomatic && !selection.oneFileSystem) return true;
  return (
    points.some((point) => path.equals(point.path)) ||
    later.some((above) => isAtOrBelow(path, above)) ||
    leftOutBy(selection)(path)
  );
}

/**
 * Attributes of what a path leads to; what is mounted there when it is wanted is mounted then.
 *
 * @returns undefined when there is nothing
 */
export function attributesAt(
  source: SourceTree,
  path: Buffer,
): Pick<SourceAttributes, 'device' | 'inode' | 'bornNs'> | undefined {
  return unlessMissing(() => directoryAt(source, path)) ?? unlessMissing(() => entryAt(source, path));
}

function isThere(source: SourceTree, path: Buffer, inode: bigint, bornNs: bigint): boolean {
  if (inode === 0n) return source.mounts?.().some((mount) => mount.path.equals(path)) === true;
  const here = attributesAt(source, path);
  return here?.inode === inode && (bornNs === 0n || here.bornNs === 0n || here.bornNs === bornNs);
}

function directoryAt(source: SourceTree, path: Buffer): SourceAttributes {
  const directory = source.openDirectory(path);
  try {
    return directory.attributes();
  } finally {
    directory.close();
  }
}

/** A file can be mounted, too. */
function entryAt(source: SourceTree, path: Buffer): SourceAttributes {
  const slash = path.lastIndexOf(SLASH);
  const directory = source.openDirectory(path.subarray(0, Math.max(0, slash)));
  try {
    return directory.attributesOf(path.subarray(slash + 1));
  } finally {
    directory.close();
  }
}

function unlessMissing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isClfsError(error, 'entry')) return undefined;
    throw error;
  }
}

const SLASH = 0x2f;

import { ClfsError, isClfsError } from '../error.js';
import { quotePath } from '../text/escape-path.js';
import { EVERYTHING, type Selection, type SelectionRule, selectionRules } from './selection.js';
import type { SourceDirectory, SourceTree } from './source-tree.js';

/** What another machine must find if it sees the same tree. Plain data. */
export interface TreeEvidence {
  readonly device: string;
  readonly inode: bigint;
  /** When the root was made; 0 where that is not known. */
  readonly bornNs: bigint;
  /** Some entries of the root. */
  readonly samples: readonly Sample[];
  /** What is mounted below it: another machine that lacks it would see an empty directory in its place. */
  readonly mounts: readonly MountPoint[];
}

interface MountPoint {
  /** Below the root. */
  readonly path: Uint8Array;
  /** Of the root of what is mounted there. */
  readonly inode: bigint;
  readonly bornNs: bigint;
}

interface Sample {
  readonly name: Uint8Array;
  readonly type: number;
  readonly inode: bigint;
  /** Its ctime: as long as that is the same, so is the next. */
  readonly changed: string;
  /** Owner, group and mode. */
  readonly owned: string;
  /** Whether it can be opened and read, if it is a directory or a regular file; else undefined. */
  readonly readable: boolean | undefined;
}

const MOST_SAMPLES = 16;
const DIRECTORY = 2;
const REGULAR = 1;

/**
 * Looks at a tree, so that another machine can tell whether it sees the same.
 *
 * @param selection what of it is wanted
 * @throws ClfsError `entry`
 */
export function evidenceOf(source: SourceTree, selection: Selection = EVERYTHING): TreeEvidence {
  const root = source.openDirectory(Buffer.alloc(0));
  try {
    const { device, inode, bornNs } = root.attributes();
    const samples: Sample[] = [];
    for (const batch of root.list()) {
      for (const { name, excluded } of batch) {
        if (excluded || samples.length === MOST_SAMPLES) continue;
        const sample = sampleOf(source, root, name);
        if (sample) samples.push(sample);
      }
      if (samples.length === MOST_SAMPLES) break;
    }
    return { device, inode, bornNs, samples, mounts: mountsOf(source, selection) };
  } finally {
    root.close();
  }
}

/**
 * Makes sure that a tree is the one that somebody else has looked at, and can be read like that; else closes it.
 *
 * @throws ClfsError `source`
 */
export function requireSameTree(evidence: TreeEvidence, source: SourceTree): void {
  try {
    const difference = differenceFrom(evidence, source);
    if (difference !== undefined) throw new ClfsError('source', `${difference}.`);
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * Why a tree is not the one that somebody else has looked at, or cannot be read like that.
 *
 * @returns undefined when nothing speaks against it
 */
export function differenceFrom(evidence: TreeEvidence, source: SourceTree): string | undefined {
  const root = source.openDirectory(Buffer.alloc(0));
  try {
    const { inode, bornNs } = root.attributes();
    if (inode !== evidence.inode)
      return `its source is another tree: the root has inode ${inode}, not ${evidence.inode}`;
    if (bornNs !== 0n && evidence.bornNs !== 0n && bornNs !== evidence.bornNs)
      return 'its source is another tree: the root was made at another time';
    const different = sampleDifference(evidence.samples, source, root) ?? mountDifference(evidence.mounts, source);
    if (different !== undefined) return different;
    return undefined;
  } finally {
    root.close();
  }
}

/** Entries come and go while a job runs, or are written anew: it is another tree where most of them are not the same. */
function sampleDifference(wanted: readonly Sample[], source: SourceTree, root: SourceDirectory): string | undefined {
  let same = 0;
  let other = '';
  for (const { name: bytes, inode, type, changed, owned, readable } of wanted) {
    const name = Buffer.from(bytes);
    const sample = sampleOf(source, root, name);
    if (sample?.inode !== inode || sample.type !== type)
      other = `${quotePath(name)} is ${sample ? 'another entry' : 'not'} there`;
    else if (sample.changed === changed && sample.owned !== owned)
      return `its source shows ${quotePath(name)} with owner, group and mode ${sample.owned}, the driver's with ${owned} (does NFS map users alike on both?)`;
    else if (readable && !sample.readable)
      return `it may not read ${quotePath(name)} of the source, which the driver may: run it as the same user, with the same rights`;
    else same++;
  }
  return same * 2 < wanted.length ? `its source is another tree: ${other}` : undefined;
}

function mountsOf(source: SourceTree, selection: Selection): readonly MountPoint[] {
  if (selection.oneFileSystem) return [];
  const rules = selectionRules(selection);
  return Object.keys(source.place?.()?.mounts ?? {}).flatMap((hex) => {
    const path = Buffer.from(hex, 'hex');
    const identity = isLeftOut(path, rules) ? undefined : identityAt(source, path);
    return identity ? [{ path, ...identity }] : [];
  });
}

function mountDifference(wanted: readonly MountPoint[], source: SourceTree): string | undefined {
  for (const { path: bytes, inode, bornNs } of wanted) {
    const path = Buffer.from(bytes);
    const here = identityAt(source, path);
    if (here?.inode !== inode || (bornNs !== 0n && here.bornNs !== 0n && here.bornNs !== bornNs))
      return `its source lacks what is mounted at ${quotePath(path)} on the driver's machine: mount it, or leave it out everywhere`;
  }
  return undefined;
}

/** @returns undefined when there is no directory that can be opened */
function identityAt(source: SourceTree, path: Buffer): Pick<MountPoint, 'inode' | 'bornNs'> | undefined {
  try {
    const directory = source.openDirectory(path);
    try {
      const { inode, bornNs } = directory.attributes();
      return { inode, bornNs };
    } finally {
      directory.close();
    }
  } catch (error) {
    if (isClfsError(error, 'entry')) return undefined;
    throw error;
  }
}

function isLeftOut(path: Buffer, rules: readonly SelectionRule[]): boolean {
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf(SLASH, at);
    const end = slash < 0 ? path.length : slash;
    const name = path.subarray(at, end);
    if (rules.some(({ matches }) => matches(path.subarray(0, Math.max(0, at - 1)), name))) return true;
    at = end + 1;
  }
  return false;
}

const SLASH = 0x2f;

function sampleOf(source: SourceTree, root: SourceDirectory, name: Buffer): Sample | undefined {
  try {
    const { type, inode, uid, gid, mode, ctimeSeconds, ctimeNanoseconds } = root.attributesOf(name);
    const changed = `${ctimeSeconds}.${ctimeNanoseconds}`;
    const owned = `${uid}:${gid} ${mode.toString(8)}`;
    return { name, type, inode, changed, owned, readable: isReadable(source, root, name, type) };
  } catch (error) {
    if (isClfsError(error, 'entry')) return undefined;
    throw error;
  }
}

function isReadable(source: SourceTree, root: SourceDirectory, name: Buffer, type: number): boolean | undefined {
  if (type !== DIRECTORY && type !== REGULAR) return undefined;
  try {
    if (type === DIRECTORY) source.openDirectory(name).close();
    else root.openFile(name).close();
    return true;
  } catch (error) {
    if (isClfsError(error, 'entry')) return false;
    throw error;
  }
}

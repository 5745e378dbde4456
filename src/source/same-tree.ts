import { ClfsError, isClfsError } from '../error.js';
import { quotePath } from '../text/escape-path.js';
import { type MountEvidence, mountDifference, mountEvidenceOf } from './same-mounts.js';
import { EVERYTHING, type Selection } from './selection.js';
import { type ChangeTime, isOlder, isSameTime } from './settled.js';
import type { SourceDirectory, SourceTree } from './source-tree.js';

/** What another machine must find if it sees the same tree. Plain data. */
export interface TreeEvidence {
  readonly device: string;
  readonly inode: bigint;
  /** When the root was made; 0 where that is not known. */
  readonly bornNs: bigint;
  /** When the root was last changed. */
  readonly changed: ChangeTime;
  /** Some entries of the root. */
  readonly samples: readonly Sample[];
  readonly mounts: MountEvidence;
}

interface Sample {
  readonly name: Uint8Array;
  readonly type: number;
  readonly inode: bigint;
  /** As long as that is the same, so is the next. */
  readonly changed: ChangeTime;
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
    const { device, inode, bornNs, ...times } = root.attributes(true);
    const samples: Sample[] = [];
    for (const batch of root.list()) {
      for (const { name, excluded } of batch) {
        if (excluded || samples.length === MOST_SAMPLES) continue;
        const sample = sampleOf(source, root, name);
        if (sample) samples.push(sample);
      }
      if (samples.length === MOST_SAMPLES) break;
    }
    const changed = changeTimeOf(times);
    return { device, inode, bornNs, changed, samples, mounts: mountEvidenceOf(source, selection) };
  } finally {
    root.close();
  }
}

/**
 * Makes sure that a tree is the one that somebody else has looked at, and can be read like that; else closes it.
 *
 * @param selection what of it is wanted
 * @throws ClfsError `source`
 */
export function requireSameTree(evidence: TreeEvidence, source: SourceTree, selection: Selection): void {
  try {
    const difference = differenceFrom(evidence, source, selection);
    if (difference !== undefined) throw new ClfsError('source', `${difference}.`);
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * Why a tree is not the one that somebody else has looked at, or cannot be read like that.
 *
 * @param selection what of it is wanted
 * @returns undefined when nothing speaks against it
 */
export function differenceFrom(
  evidence: TreeEvidence,
  source: SourceTree,
  selection: Selection = EVERYTHING,
): string | undefined {
  const root = source.openDirectory(Buffer.alloc(0));
  try {
    const { inode, bornNs, ...times } = root.attributes(true);
    if (inode !== evidence.inode)
      return `its source is another tree: the root has inode ${inode}, not ${evidence.inode}`;
    if (bornNs !== 0n && evidence.bornNs !== 0n && bornNs !== evidence.bornNs)
      return 'its source is another tree: the root was made at another time';
    if (isOlder(times, evidence.changed)) return olderText('its root');
    const different =
      mountDifference(evidence.mounts, source, selection) ?? sampleDifference(evidence.samples, source, root);
    if (different !== undefined) return different;
    return undefined;
  } finally {
    root.close();
  }
}

/**
 * A copy of a file system, block by block, has the inode numbers and the times of making of what it is a copy of; what was
 * changed since tells one from the other.
 */
function olderText(what: string): string {
  return `its source is another tree, or an older state of it (a clone, a snapshot, a replica; or its server's clock was set back): the driver has seen a later change of ${what}`;
}

/**
 * Entries come and go while a job runs, or are written anew: it is another tree where most of them are not the same, and
 * where one of them is older than the driver has seen it.
 */
function sampleDifference(wanted: readonly Sample[], source: SourceTree, root: SourceDirectory): string | undefined {
  let same = 0;
  let other = '';
  for (const { name: bytes, inode, type, changed, owned, readable } of wanted) {
    const name = Buffer.from(bytes);
    const sample = sampleOf(source, root, name);
    if (sample?.inode !== inode || sample.type !== type)
      other = `${quotePath(name)} is ${sample ? 'another entry' : 'not'} there`;
    else if (isOlder(sample.changed, changed) && isOlder(changedNow(source, root, name, sample) ?? changed, changed))
      return olderText(quotePath(name));
    else if (isSameTime(sample.changed, changed) && sample.owned !== owned)
      return `its source shows ${quotePath(name)} with owner, group and mode ${sample.owned}, the driver's with ${owned} (does NFS map users alike on both?)`;
    else if (readable && !sample.readable)
      return `it may not read ${quotePath(name)} of the source, which the driver may: run it as the same user, with the same rights`;
    else same++;
  }
  return same * 2 < wanted.length ? `its source is another tree: ${other}` : undefined;
}

function sampleOf(source: SourceTree, root: SourceDirectory, name: Buffer): Sample | undefined {
  try {
    const { type, inode, uid, gid, mode, ...times } = root.attributesOf(name);
    const changed = changeTimeOf(times);
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

/**
 * When an entry was last changed, as its server has it where it can be opened: a client may remember an older time.
 * Undefined where it is gone by now.
 */
function changedNow(
  source: SourceTree,
  root: SourceDirectory,
  name: Buffer,
  { type, changed, readable }: Sample,
): ChangeTime | undefined {
  if (!readable) return changed;
  try {
    const opened = type === DIRECTORY ? source.openDirectory(name) : root.openFile(name);
    try {
      return opened.attributes(true);
    } finally {
      opened.close();
    }
  } catch (error) {
    if (isClfsError(error, 'entry')) return undefined;
    throw error;
  }
}

function changeTimeOf({ ctimeSeconds, ctimeNanoseconds }: ChangeTime): ChangeTime {
  return { ctimeSeconds, ctimeNanoseconds };
}

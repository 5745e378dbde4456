import { isClfsError } from '../error.js';
import { quotePath } from '../text/escape-path.js';
import type { SourceDirectory, SourceTree } from './source-tree.js';

/** What another machine must find if it sees the same tree. Plain data. */
export interface TreeEvidence {
  readonly device: string;
  readonly inode: bigint;
  /** When the root was made; 0 where that is not known. */
  readonly bornNs: bigint;
  /** Some entries of the root. */
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly name: Uint8Array;
  readonly type: number;
  readonly inode: bigint;
  /** Whether it can be opened and read, if it is a directory or a regular file; else undefined. */
  readonly readable: boolean | undefined;
}

const MOST_SAMPLES = 16;
const DIRECTORY = 2;
const REGULAR = 1;

/** Looks at a tree, so that another machine can tell whether it sees the same. @throws ClfsError `entry` */
export function evidenceOf(source: SourceTree): TreeEvidence {
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
    return { device, inode, bornNs, samples };
  } finally {
    root.close();
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
    let found = 0;
    for (const wanted of evidence.samples) {
      const name = Buffer.from(wanted.name);
      const sample = sampleOf(source, root, name);
      if (!sample) continue;
      found++;
      if (sample.inode !== wanted.inode || sample.type !== wanted.type)
        return `its source is another tree: ${quotePath(name)} is another entry there`;
      if (wanted.readable && !sample.readable)
        return `it may not read ${quotePath(name)} of the source, which the driver may: run it as the same user, with the same rights`;
    }
    if (evidence.samples.length > 0 && found === 0)
      return `its source is another tree: ${quotePath(evidence.samples[0].name)} is not there`;
    return undefined;
  } finally {
    root.close();
  }
}

function sampleOf(source: SourceTree, root: SourceDirectory, name: Buffer): Sample | undefined {
  try {
    const { type, inode } = root.attributesOf(name);
    return { name, type, inode, readable: isReadable(source, root, name, type) };
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

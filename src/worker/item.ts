import type { EntryType } from '../format/ids.js';
import type { InodeIdentity } from '../format/object-layout.js';
import { entryFailure, type SourceAttributes } from '../source/source-tree.js';
import { isUnchanged } from '../source/unchanged.js';
import type { EntryProblem } from './tasks.js';

/** How many times an entry that changes while it is read is tried before it fails. */
export const MOST_ATTEMPTS = 3;

/** An entry to be read, and the names that its objects get. */
export interface Item extends InodeIdentity {
  readonly sequence: number;
  readonly type: EntryType;
  readonly handle: Buffer;
  readonly sourceName: Buffer;
  /** Path of the directory that it is read in. */
  readonly sourcePath: Uint8Array;
  readonly objectName: string;
  readonly generation: number;
  /** Inode that it must be; undefined: any. */
  readonly expectedInode?: bigint;
  /** What all its names were found to lead to, which must not have changed since. */
  readonly confirmed?: SourceAttributes;
  /** For the manifest: all its paths. */
  readonly paths?: readonly Uint8Array[];
}

/** @throws ClfsError `entry` when it is not what it was listed as */
export function checked(
  attributes: SourceAttributes,
  item: Pick<Item, 'type' | 'expectedInode' | 'confirmed'>,
): SourceAttributes {
  if (attributes.type !== item.type) {
    throw entryFailure('entry-type-changed', 'its type is not the one that it was listed with');
  }
  if (item.expectedInode !== undefined && attributes.inode !== item.expectedInode) {
    throw entryFailure('entry-changed', 'another file has taken its place since it was listed');
  }
  if (item.confirmed && !isUnchanged(item.confirmed, attributes))
    throw entryFailure('entry-changed', 'it changed after its names had been looked at');
  return attributes;
}

export function changedEachTime(): Error {
  return entryFailure('entry-changed', `it changed each of the ${MOST_ATTEMPTS} times that it was read`);
}

/** The failure of a large file that is not as it was recorded, or ends before that. */
export function changedWhileRead(): Error {
  return entryFailure('entry-changed', 'it changed while it was read');
}

/** The failure of an entry that could not be read. */
export function entryProblem(reason: EntryProblem['reason'], message: string): EntryProblem {
  return { reason, message, attempts: reason === 'entry-changed' ? MOST_ATTEMPTS : 1 };
}

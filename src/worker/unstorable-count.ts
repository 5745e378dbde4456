import { isDot } from '../format/dirents.js';
import { joinPath } from '../paths/join-path.js';
import type { SourceDirectory, Unstorable } from '../source/source-tree.js';

/** How many entries have something, and the path of the first. */
interface EntryTally {
  readonly entries: number;
  /** Below the root, components joined by `/`; empty for the root itself; undefined where there is none. */
  readonly first: Uint8Array | undefined;
}

/** What of a tree the format cannot hold, or what a load would do to it. */
export interface UnstorableCount {
  /** Entries with POSIX ACLs, access or default. */
  readonly acls: EntryTally;
  /** Entries with other extended attributes. */
  readonly attributes: EntryTally;
  /** Lustre files that HSM has released: to read one recalls it. */
  readonly released: EntryTally;
}

const KINDS = { acls: 'acl', attributes: 'attributes', released: 'released' } as const satisfies Record<
  keyof UnstorableCount,
  keyof Unstorable
>;

/** A count of nothing. */
export const NOTHING_UNSTORABLE: UnstorableCount = {
  acls: { entries: 0, first: undefined },
  attributes: { entries: 0, first: undefined },
  released: { entries: 0, first: undefined },
};

/**
 * Adds what one entry has.
 *
 * @param directory the directory that it is in
 * @returns a new count, or the old one; undefined where the source cannot tell
 */
export function countUnstorable(
  count: UnstorableCount,
  directory: SourceDirectory,
  path: Uint8Array,
  name: Buffer,
): UnstorableCount | undefined {
  return addEntry(count, directory.unstorableOf?.(name), path, name);
}

/** {@link countUnstorable} of what is known of an entry; undefined: the source cannot tell. */
export function addEntry(
  count: UnstorableCount,
  unstorable: Unstorable | undefined,
  path: Uint8Array,
  name: Buffer,
): UnstorableCount | undefined {
  if (!unstorable) return undefined;
  let counted = count;
  for (const kind of Object.keys(KINDS) as (keyof UnstorableCount)[]) {
    if (!unstorable[KINDS[kind]]) continue;
    const { entries, first } = counted[kind];
    counted = { ...counted, [kind]: { entries: entries + 1, first: first ?? pathOf(path, name) } };
  }
  return counted;
}

/** The sum of two counts; the first paths are those of `one`, where it has any. */
export function addUnstorable(one: UnstorableCount, other: UnstorableCount): UnstorableCount {
  const sum = (kind: keyof UnstorableCount): EntryTally => ({
    entries: one[kind].entries + other[kind].entries,
    first: one[kind].first ?? other[kind].first,
  });
  return { acls: sum('acls'), attributes: sum('attributes'), released: sum('released') };
}

function pathOf(directory: Uint8Array, name: Buffer): Uint8Array {
  return isDot(name) ? directory : joinPath(directory, name);
}

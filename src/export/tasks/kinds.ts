import type { EntryCounts } from '../../books/entry-counts.js';
import type { Breakage } from '../../engine/breakage.js';
import type { Kind } from '../../engine/kinds.js';
import type { Geometry } from '../../format/geometry.js';
import type { EntryType } from '../../format/ids.js';
import type { Choice } from '../choice.js';
import type { Overwrite } from '../options.js';
import type { KeptAttributes } from '../target/kept-attributes.js';
import type { NameFolding } from '../target/name-folding.js';
import type { TargetPlace } from '../target/target-tree.js';

/** What is the same for every task of an export; plain data. */
export interface ExportConstants {
  readonly overwrite: Overwrite;
  readonly sparse: boolean;
  readonly choice: Choice;
  /** Whether a tree is written, or one file, of which it is of no account how many names it has. */
  readonly isTree: boolean;
  /**
   * Whether lanes on other machines write too. One that was given up may go on later: what it does then must hit nothing
   * that another try has made, so each try has temporary names of its own, and gives a name only to what is whole.
   */
  readonly isShared: boolean;
  /** Whether an earlier session may have left temporary files. */
  readonly isResumed: boolean;
  /** Beginning of the job's temporary names; nobody else has it. */
  readonly temporaryPrefix: string;
  readonly geometry: Geometry;
  /** What the target keeps of attributes. */
  readonly kept: KeptAttributes;
  /** Names that the target's root takes for one. */
  readonly folding: NameFolding;
}

/** Why an entry could not be written. `docs/errors.md` says what each means. */
type FailureReason =
  | 'object-missing'
  | 'object-damaged'
  | 'name-unusable'
  | 'name-repeated'
  | 'directory-repeated'
  | 'in-the-way'
  | 'target-refuses'
  | 'target-changed';

/** Why one entry could not be written. */
export interface EntryProblem {
  readonly reason: FailureReason;
  readonly message: string;
}

/** A name in a directory. */
export interface TargetName extends TargetPlace {
  readonly name: Uint8Array;
}

/** Counts of what was done. */
interface DoneCounts {
  readonly written: number;
  readonly replaced: number;
  readonly left: number;
  readonly bytes: number;
}

/** Makes a directory, and reads what is in it. */
export interface ListTask extends TargetPlace {
  readonly handle: Uint8Array;
  /** Entries that have been taken before, in the container's order. */
  readonly listed: number;
  /** Names that are taken for one in the directory above. */
  readonly folding: NameFolding;
  /** Names the try: never that of another one. */
  readonly attempt: string;
}

/** Entries of a directory, in the container's order. */
export interface ListPart {
  /** Entries that have been taken now, those of the parts before included. */
  readonly listed: number;
  /** Names that are taken for one in it. */
  readonly folding: NameFolding;
  readonly chunks: readonly { readonly count: number; readonly entries: Uint8Array }[];
  readonly directories: readonly { readonly name: Uint8Array; readonly handle: Uint8Array }[];
  readonly failures: readonly (EntryProblem & { readonly name: Uint8Array })[];
  readonly excluded: number;
}

export interface ListResult {
  /**
   * VATTR record; undefined when its inode could not be read, and without a problem when it is no directory, whatever
   * its id says.
   */
  readonly attributes: Uint8Array | undefined;
  /** Why not all of it could be read, or it could not be made. */
  readonly problem: EntryProblem | undefined;
  /** Whether it may have left a file for a while in the directory. */
  readonly leaves: boolean;
  /** It was stopped before its end: what is left is read by the next session. */
  readonly stopped: boolean;
}

/** Writes the entries of a chunk that are not settled. */
export interface FilesTask extends TargetPlace {
  readonly count: number;
  readonly entries: Uint8Array;
  /** Bits of the entries that are settled. */
  readonly settled: Uint8Array;
  /** Names the try: never that of another one. */
  readonly attempt: string;
}

export interface FilesPart extends DoneCounts {
  /** Bits of the entries that were written, replaced or left since the part before. */
  readonly done: Uint8Array;
  /** What they are. */
  readonly counts: EntryCounts;
  /** Bytes of file data of those of them whose content was there already; missing: none. */
  readonly passedBytes?: number;
}

export interface FilesResult extends FilesPart {
  readonly failures: readonly (EntryProblem & { readonly index: number })[];
  /** Entries that turned out to be directories. */
  readonly directories: readonly number[];
  /** Entries of which the files have further names. */
  readonly links: readonly number[];
  readonly large: readonly { readonly index: number; readonly sizeBytes: number; readonly blocks: number }[];
  /** Entries that were not chosen, since they are no directories. */
  readonly excluded: readonly number[];
  readonly broken: Breakage | undefined;
}

/** Deals with names of a file that has several. */
export interface LinkedTask {
  readonly group: number;
  readonly handle: Uint8Array;
  readonly names: readonly TargetName[];
  /** Further names of it, which later tasks deal with. */
  readonly further: readonly TargetName[];
  /** A name that was written whole in an earlier task, or its temporary file, and is known by its inode number. */
  readonly origin: (TargetName & { readonly inode: bigint }) | undefined;
  /** Whether these are the last names: its temporary file goes. */
  readonly last: boolean;
  /** Whether it was tried before: what that has left is removed. */
  readonly again: boolean;
}

export interface LinkedResult {
  /** What became of the names, in order; fewer than were given when something stopped it. */
  readonly outcomes: readonly ('written' | 'replaced' | 'left' | EntryProblem)[];
  /** Of them, by their places, those that became files of their own, since they could not be linked. */
  readonly copies: readonly number[];
  readonly bytes: number;
  /** Bytes of file data where the content was there already; missing: none. */
  readonly passedBytes?: number;
  /** Type of what has the names; undefined when it could not be read. */
  readonly type: EntryType | undefined;
  /** The name that others can be linked to, by its place, with its inode number. */
  readonly origin: { readonly index: number; readonly inode: bigint } | undefined;
  /** `LinkedTask.origin` is not there any more, and nothing was made in its place; see {@link BeginLargeResult}. */
  readonly originGone: boolean;
  /** The content is to be written in parts before its next name can be. */
  readonly large: { readonly sizeBytes: number; readonly blocks: number } | undefined;
  readonly broken: Breakage | undefined;
}

/** A large file, as tasks need it: in the directory in which its temporary file is. */
export interface LargeFile extends TargetPlace {
  /** Its name, in the same directory; undefined: the temporary file stays, for others to be linked to. */
  readonly name: Uint8Array | undefined;
  readonly temporary: Uint8Array;
  readonly handle: Uint8Array;
}

/** Makes the temporary file of a large file, or finds that it is there. */
export interface BeginLargeTask {
  readonly file: LargeFile;
  /** Inode number that it is recorded with; undefined: it is made, whatever is there. */
  readonly inode: bigint | undefined;
}

/**
 * `gone`: what is recorded is not there any more, and nothing was made in its place: an inode number that is recorded
 * could be given again.
 */
export type BeginLargeResult =
  | { readonly outcome: 'begun'; readonly inode: bigint }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'failed'; readonly problem: EntryProblem };

/** Writes blocks of a large file. */
export interface RangeTask {
  readonly file: LargeFile;
  readonly inode: bigint;
  readonly first: number;
  readonly end: number;
}

export interface RangePart {
  /** The blocks from the task's first up to this one, which is left out, are written. */
  readonly end: number;
}

export interface RangeResult extends RangePart {
  readonly problem: EntryProblem | undefined;
  readonly broken: Breakage | undefined;
}

/** Gives a large file its length, attributes and name; or gives it up. */
export interface EndLargeTask {
  readonly file: LargeFile;
  readonly inode: bigint | undefined;
  readonly giveUp: boolean;
}

export interface EndLargeResult {
  readonly outcome: 'written' | 'replaced' | 'left' | 'gone' | EntryProblem;
}

/** Gives directories their attributes. */
export interface RestoreTask {
  readonly directories: readonly (TargetName & {
    readonly attributes: Uint8Array;
    /** Whether something in it is recorded as done. */
    readonly isFilled: boolean;
  })[];
}

export interface RestoreResult {
  /** In the order of the directories; fewer when it was stopped. */
  readonly outcomes: readonly (EntryProblem | undefined)[];
  readonly broken: Breakage | undefined;
}

/** Removes the job's temporary files from a directory. */
export type SweepTask = Pick<TargetPlace, 'path'>;

export interface SweepResult {
  readonly broken: Breakage | undefined;
}

/** The kinds of work of an export. */
export interface ExportKinds {
  readonly list: Kind<ListTask, ListResult, ListPart>;
  readonly files: Kind<FilesTask, FilesResult, FilesPart>;
  readonly linked: Kind<LinkedTask, LinkedResult>;
  readonly beginLarge: Kind<BeginLargeTask, BeginLargeResult>;
  readonly range: Kind<RangeTask, RangeResult, RangePart>;
  readonly endLarge: Kind<EndLargeTask, EndLargeResult>;
  readonly restore: Kind<RestoreTask, RestoreResult>;
  readonly sweep: Kind<SweepTask, SweepResult>;
}

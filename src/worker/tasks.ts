import type { EntryCounts } from '../books/entry-counts.js';
import type { Breakage } from '../engine/breakage.js';
import type { Kind } from '../engine/kinds.js';
import type { ExtendedAttributes } from '../format/extattrs.js';
import type { Geometry } from '../format/geometry.js';
import type { EntryType } from '../format/ids.js';
import type { LoadSpec } from '../job/load-spec.js';
import type { FailureReason, SourceAttributes } from '../source/source-tree.js';
import type { UnstorableCount } from './unstorable-count.js';

/** What is the same for every task of a job. */
export interface JobConstants {
  readonly spec: LoadSpec;
  /** Key of the job's ids; see `job-ids.ts`. */
  readonly secret: Uint8Array;
  readonly containerId: number;
  readonly fsid: number;
  readonly geometry: Geometry;
}

/** A directory of the source: its path below the root and what must be found there. */
export interface DirectoryPlace {
  readonly path: Uint8Array;
  /** Device it must be on; undefined where that cannot be told (a file system mounted anew). */
  readonly device: string | undefined;
  readonly inode: bigint;
  /** When it was made; 0 where that is not known. */
  readonly bornNs: bigint;
}

/** Why one entry failed. */
export interface EntryProblem {
  readonly reason: FailureReason;
  readonly message: string;
  readonly attempts: number;
}

/** Lists a directory. Its parts come through the sink, then a {@link ListResult}. */
export interface ListTask {
  readonly place: DirectoryPlace;
  /** Count what of its entries the format cannot hold: one more system call an entry. */
  readonly countUnstorable: boolean;
}

/** Looks at entries that failed before as a listing would. Parts as for {@link ListTask}, then a {@link LookResult}. */
export interface LookTask {
  readonly place: DirectoryPlace;
  readonly names: readonly Uint8Array[];
}

/** Some of a directory's entries. */
export interface ListPart {
  /** Earlier parts of this listing are void: the directory changed while it was listed. */
  readonly restart: boolean;
  /** Entries that the user's choice leaves out. */
  readonly excluded: number;
  /** What of the entries the format cannot hold; undefined when it was not asked for, or cannot be told. */
  readonly unstorable: UnstorableCount | undefined;
  readonly chunks: readonly { readonly count: number; readonly entries: Uint8Array }[];
  readonly directories: readonly ({ readonly name: Uint8Array } & Pick<
    SourceAttributes,
    'device' | 'inode' | 'bornNs'
  >)[];
  /** Entries with several links, when those are preserved. */
  readonly links: readonly {
    readonly name: Uint8Array;
    readonly type: EntryType;
    readonly device: string;
    readonly inode: bigint;
  }[];
  readonly failures: readonly {
    readonly name: Uint8Array;
    readonly type: EntryType;
    readonly reason: FailureReason;
    readonly message: string;
  }[];
}

export interface ListResult {
  /** VATTR record of the directory; length and link count are filled in when it is written. */
  readonly attributes: Uint8Array;
  /** Device that it is on. */
  readonly device: string;
  /** When it was made; 0 where that is not known. */
  readonly bornNs: bigint;
  readonly clampedTimes: boolean;
  readonly failure: EntryProblem | undefined;
}

export interface LookResult {
  /** Positions in {@link LookTask.names} of those that are not there any more. */
  readonly vanished: readonly number[];
  /** The directory cannot be used: nothing in it was looked at. */
  readonly failure: EntryProblem | undefined;
}

/** Loads entries of one directory, directories and preserved links excepted. */
export interface FilesTask {
  readonly place: DirectoryPlace;
  readonly directoryHandle: Uint8Array;
  /** Sequence number of the first entry; the others count on. */
  readonly firstSequence: number;
  readonly count: number;
  readonly entries: Uint8Array;
}

/** Entries that are at the service and were not reported before. */
export interface FilesPart {
  /** Their bits: see `BitSet`. */
  readonly acknowledged: Uint8Array;
  readonly done: number;
  /** Bytes of file data. */
  readonly bytes: number;
  /** Of their objects, `Tally.encode`'s. */
  readonly tally: Uint8Array;
  /** Lines of the manifest. */
  readonly manifest: readonly string[];
  /** What they are. */
  readonly counts: EntryCounts;
}

/** What became of a chunk; what its parts told is not repeated. */
export interface FilesResult extends FilesPart {
  readonly failures: readonly ({ readonly index: number } & EntryProblem)[];
  /** Entries that turned out to be large: nothing of them has been put. */
  readonly large: readonly ({ readonly index: number } & LargeFileFacts)[];
  readonly warnings: readonly { readonly index: number; readonly text: string }[];
  /** Entries from this one on have not been begun. */
  readonly begun: number;
  /** Set when something that was begun was not acknowledged. */
  readonly broken: Breakage | undefined;
}

/** What was found out about a file that turned out to be large. */
interface LargeFileFacts {
  /** VATTR record. */
  readonly attributes: Uint8Array;
  readonly sizeBytes: number;
}

/** A regular file of several segments, to be loaded piece by piece. */
export interface LargeFile {
  readonly place: DirectoryPlace;
  /** Name to read it by. */
  readonly sourceName: Uint8Array;
  readonly sequence: number;
  readonly handle: Uint8Array;
  readonly backPointers: readonly Uint8Array[];
  /** Name to record. */
  readonly name: Uint8Array;
  readonly version: number;
  readonly generation: number;
  /** VATTR record with the attributes that the file must keep. */
  readonly attributes: Uint8Array;
  /** All its paths below the root. */
  readonly paths: readonly Uint8Array[];
}

/** Loads one inode that has several links. */
export interface LinkedTask {
  readonly sequence: number;
  readonly type: EntryType;
  readonly handle: Uint8Array;
  readonly backPointers: readonly Uint8Array[];
  readonly name: Uint8Array;
  readonly version: number;
  readonly generation: number;
  /** Its names: each must lead to the inode now, and the first one that can be opened is read. */
  readonly candidates: readonly {
    readonly place: DirectoryPlace;
    readonly name: Uint8Array;
    /** Whether the inode that counts in the container has it already. */
    readonly written: boolean;
  }[];
  /** The inode that all of them must be. */
  readonly inode: bigint;
}

/** What became of a linked inode. Only with `written` has anything been put that counts. */
export type LinkedResult =
  | {
      readonly outcome: 'written';
      readonly bytes: number;
      readonly blocks: number;
      readonly tally: Uint8Array;
      readonly warnings: readonly string[];
      readonly manifest: readonly string[];
    }
  | ({ readonly outcome: 'large'; readonly candidate: number; readonly warnings: readonly string[] } & LargeFileFacts)
  /** These of its names do not lead to it any more; nothing has been put. */
  | { readonly outcome: 'names'; readonly problems: readonly ({ readonly candidate: number } & EntryProblem)[] }
  /** Names that count do not lead to it any more: the further ones cannot be shown to be the same file. */
  | { readonly outcome: 'apart' }
  | { readonly outcome: 'failed'; readonly problem: EntryProblem }
  | { readonly outcome: 'broken'; readonly broken: Breakage };

/** Sends blocks `first` … `last` (1 is the first segment) of a large file. */
export interface SegmentsTask {
  readonly file: LargeFile;
  readonly first: number;
  readonly last: number;
}

/** Segments that are at the service and were not reported before. */
export interface SegmentsPart {
  readonly blocks: readonly { readonly block: number; readonly tally: Uint8Array }[];
}

export interface SegmentsResult extends SegmentsPart {
  readonly failure: EntryProblem | undefined;
  readonly broken: Breakage | undefined;
}

/** Sends the indirect blocks and the inode of a large file, all its segments being there. */
export interface FinishLargeTask {
  readonly file: LargeFile;
}

export interface FinishLargeResult {
  readonly failure: EntryProblem | undefined;
  readonly broken: Breakage | undefined;
  readonly bytes: number;
  readonly tally: Uint8Array;
  readonly manifest: readonly string[];
}

/** Writes part of a directory's entries, and with `last` the directory. */
export interface DirectoryTask {
  /** Below the root. */
  readonly path: Uint8Array;
  readonly sequence: number;
  readonly handle: Uint8Array;
  readonly parentHandle: Uint8Array;
  readonly name: Uint8Array;
  readonly attributes: Uint8Array;
  readonly version: number;
  readonly generation: number;
  /**
   * Those of the root; undefined for others. The root's inode is not put: it comes back as {@link
   * DirectoryResult.inode}.
   */
  readonly extendedAttributes: ExtendedAttributes | undefined;
  /** Sub-directories that it links to, those of other parts included; counted with the last part. */
  readonly subdirectoryCount: number;
  readonly from: DirectoryFill;
  readonly files: readonly {
    readonly firstSequence: number;
    readonly entries: Uint8Array;
    readonly leftOut: Uint8Array | undefined;
  }[];
  readonly directories: readonly { readonly name: Uint8Array; readonly sequence: number; readonly manager: number }[];
  readonly links: readonly { readonly name: Uint8Array; readonly handle: Uint8Array }[];
  readonly last: boolean;
}

/** How far the pieces of a directory are filled. */
export interface DirectoryFill {
  /** Block that is being filled. */
  readonly block: number;
  /** What is in it already. */
  readonly piece: Uint8Array;
  /** The inode's own piece once it is full. */
  readonly firstPiece: Uint8Array | undefined;
  /** Sum of 4 + payload over the full pieces. */
  readonly lengthBytes: number;
}

export interface DirectoryResult {
  readonly fill: DirectoryFill;
  readonly manifest: readonly string[];
  /** Of what this task put, `Tally.encode`'s. */
  readonly tally: Uint8Array;
  /** The root's inode, not compressed, without an envelope. */
  readonly inode: Uint8Array | undefined;
}

/** Lists the part of the container whose names begin with a prefix. */
export interface SurveyTask {
  readonly prefix: string;
  /** A name that is told apart and not tallied. */
  readonly apart: string;
}

/** What is in a part of the container. */
export interface SurveyResult {
  /** Of the objects, `Tally.encode`'s. */
  readonly tally: Uint8Array;
  /** Names of version 1 and such that are not those of objects; the first so many. */
  readonly others: readonly string[];
  readonly apartFound: boolean;
}

/** The kinds of work that a load is made of. */
export interface LoadKinds {
  readonly list: Kind<ListTask, ListResult, ListPart>;
  readonly look: Kind<LookTask, LookResult, ListPart>;
  readonly files: Kind<FilesTask, FilesResult, FilesPart>;
  readonly linked: Kind<LinkedTask, LinkedResult>;
  readonly segments: Kind<SegmentsTask, SegmentsResult, SegmentsPart>;
  readonly finishLarge: Kind<FinishLargeTask, FinishLargeResult>;
  readonly directory: Kind<DirectoryTask, DirectoryResult>;
  readonly survey: Kind<SurveyTask, SurveyResult>;
}

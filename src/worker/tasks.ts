import type { ExtendedAttributes } from '../format/extattrs.js';
import type { Geometry } from '../format/geometry.js';
import type { EntryType } from '../format/ids.js';
import type { FailureReason } from '../source/source-tree.js';

/** What is the same for every task of a job. */
export interface JobConstants {
  /** Key of the job's ids; see `job-ids.ts`. */
  readonly secret: Uint8Array;
  readonly containerId: number;
  readonly fsid: number;
  readonly compress: boolean;
  readonly preserveHardLinks: boolean;
  /** Whether every entry gets a line of a manifest, with the hash of its bytes. */
  readonly manifest: boolean;
  readonly geometry: Geometry;
}

/** A directory of the source: its path below the root and what must be found there. */
export interface DirectoryPlace {
  readonly path: Uint8Array;
  /** Device it must be on; undefined where that cannot be told (a file system mounted anew). */
  readonly device: string | undefined;
  readonly inode: bigint;
}

/** Lists a directory. Its parts come through {@link TaskSink.part}, then a {@link ListResult}. */
export interface ListTask {
  readonly kind: 'list';
  readonly place: DirectoryPlace;
}

/** Some of a directory's entries. */
export interface ListPart {
  /** Earlier parts of this listing are void: the directory changed while it was listed. */
  readonly restart: boolean;
  /** Entries that the user's choice leaves out. */
  readonly excluded: number;
  readonly chunks: readonly { readonly count: number; readonly entries: Uint8Array }[];
  readonly directories: readonly { readonly name: Uint8Array; readonly device: string; readonly inode: bigint }[];
  /** Entries with several links, when those are preserved. */
  readonly links: readonly {
    readonly name: Uint8Array;
    readonly type: EntryType;
    readonly device: string;
    readonly inode: bigint;
    readonly linkCount: number;
  }[];
  readonly failures: readonly { readonly name: Uint8Array; readonly type: EntryType; readonly reason: FailureReason; readonly message: string }[];
}

export interface ListResult {
  readonly kind: 'list';
  /** VATTR record of the directory; length and link count are filled in when it is written. */
  readonly attributes: Uint8Array;
  /** Device that it is on. */
  readonly device: string;
  readonly clampedTimes: boolean;
  readonly failure: EntryProblem | undefined;
}

/** Why an entry failed. */
export interface EntryProblem {
  readonly reason: FailureReason;
  readonly message: string;
  readonly attempts: number;
}

/** Loads entries of one directory, directories and preserved links excepted. */
export interface FilesTask {
  readonly kind: 'files';
  readonly place: DirectoryPlace;
  readonly directoryHandle: Uint8Array;
  /** Sequence number of the first entry; the others count on. */
  readonly firstSequence: number;
  readonly entries: Uint8Array;
  /** A process that died may have written some of them already, from other content. */
  readonly suspect: boolean;
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

/** What was found out about a file that turned out to be large. */
interface LargeFinding {
  readonly index: number;
  readonly attributes: Uint8Array;
  readonly sizeBytes: number;
  /** Which of a group's paths it can be read by. */
  readonly candidate: number;
}

export interface FilesResult {
  readonly kind: 'files';
  readonly done: number;
  /** Bytes of file data. */
  readonly bytes: number;
  readonly failures: readonly ({ readonly index: number } & EntryProblem)[];
  readonly large: readonly LargeFinding[];
  readonly warnings: readonly { readonly index: number; readonly text: string }[];
  /** Blobs that a process which died may have left, and that nothing refers to now. */
  readonly leftovers: readonly string[];
  /** Lines of the manifest. */
  readonly manifest: readonly string[];
}

/** Loads one inode that has several links. Answers with a {@link FilesResult} whose only index is 0. */
export interface LinkedTask {
  readonly kind: 'linked';
  readonly sequence: number;
  readonly type: EntryType;
  readonly handle: Uint8Array;
  readonly backPointers: readonly Uint8Array[];
  readonly name: Uint8Array;
  readonly version: number;
  readonly generation: number;
  /** The paths to read it by, tried in order. */
  readonly candidates: readonly { readonly place: DirectoryPlace; readonly name: Uint8Array }[];
  /** The inode that all of them must be. */
  readonly inode: bigint;
  readonly suspect: boolean;
}

/** Sends blocks `first` … `last` (1 is the first segment) of a large file. */
export interface SegmentsTask {
  readonly kind: 'segments';
  readonly file: LargeFile;
  readonly first: number;
  readonly last: number;
}

/** Sends the indirect blocks and the inode of a large file, all its segments being there. */
export interface FinishLargeTask {
  readonly kind: 'finish-large';
  readonly file: LargeFile;
}

export interface LargeResult {
  readonly kind: 'large';
  readonly failure: EntryProblem | undefined;
  readonly bytes: number;
  readonly manifest: readonly string[];
}

/** Writes part of a directory's entries, and with `last` the directory. */
export interface DirectoryTask {
  readonly kind: 'directory';
  /** Below the root. */
  readonly path: Uint8Array;
  readonly sequence: number;
  readonly handle: Uint8Array;
  readonly parentHandle: Uint8Array;
  readonly name: Uint8Array;
  readonly attributes: Uint8Array;
  readonly version: number;
  readonly generation: number;
  readonly extendedAttributes: ExtendedAttributes | undefined;
  /** Only if no blob has the inode's name: how a job commits. */
  readonly onlyNew: boolean;
  /** Sub-directories that it links to, those of other parts included; counted with the last part. */
  readonly subdirectoryCount: number;
  readonly from: DirectoryFill;
  readonly files: readonly { readonly firstSequence: number; readonly entries: Uint8Array; readonly excluded: readonly number[] }[];
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
  readonly kind: 'directory';
  readonly fill: DirectoryFill;
  readonly manifest: readonly string[];
}

/** Removes blobs. */
export interface DeleteTask {
  readonly kind: 'delete';
  readonly names: readonly string[];
}

export interface DeleteResult {
  readonly kind: 'delete';
}

export type Task = ListTask | FilesTask | LinkedTask | SegmentsTask | FinishLargeTask | DirectoryTask | DeleteTask;
export type TaskResult = ListResult | FilesResult | LargeResult | DirectoryResult | DeleteResult;

/** Takes what a task says before its result. */
export interface TaskSink {
  part(part: ListPart): void;
}

import type { Breakage } from '../../engine/breakage.js';
import type { Kind } from '../../engine/kinds.js';
import type { Geometry } from '../../format/geometry.js';
import type { ExpectedEntry } from '../expectation.js';
import type { Severity } from '../findings.js';

/** An attribute that a comparison may pass over: owner and group, permission bits, or modification time. */
export type PassedOver = 'owner' | 'mode' | 'mtime';

/** Which attributes are compared, and how closely. */
export interface AttributeComparison {
  /** Nanoseconds that modification times may differ by. */
  readonly timeToleranceNs: bigint;
  /** Attributes that may differ; by default none. */
  readonly ignored?: readonly PassedOver[];
}

/** How a container is compared with what it should hold. */
export interface CompareConstants extends AttributeComparison {
  /** Compare every byte of regular files. */
  readonly content: boolean;
  /** Share of the regular files whose bytes are compared, 0 … 1, chosen by their paths; with `content`. */
  readonly sample: number;
}

/** What is the same for every task; plain data. */
export interface AuditConstants {
  readonly geometry: Geometry;
  /** undefined where nothing is compared. */
  readonly compare: CompareConstants | undefined;
}

/** Takes the SHA-256 of a regular file. */
export interface HashTask {
  readonly handle: Uint8Array;
}

/** Its sum; or what is wrong with the container: an error of code `format` or `not-found`. */
export type HashResult =
  | { readonly sha256: string; readonly damage?: undefined }
  | { readonly damage: Breakage; readonly sha256?: undefined };

/** Reads segments of a regular file. */
export interface SegmentsTask {
  readonly owner: Uint8Array;
  readonly sizeBytes: number;
  readonly ctimeSeconds: number;
  readonly blocks: readonly { readonly block: number; readonly id: Uint8Array }[];
}

export interface SegmentsResult {
  readonly findings: readonly {
    readonly severity: Severity;
    readonly code: string;
    /** undefined: the inode's blob. */
    readonly object: string | undefined;
    readonly message: string;
  }[];
}

/** Compares a directory, without its entries, and says what they are. */
export interface DirectoryTask {
  /** Below the root, components joined by `/`. */
  readonly path: Uint8Array;
  readonly handle: Uint8Array;
}

export interface DirectoryPart {
  /** Entries that are on both sides, some at a time: name and handle of each in turn, each behind its length. */
  readonly chunks: readonly Uint8Array[];
  /** Names that only the expectation has. */
  readonly missing: readonly Uint8Array[];
  /** Names that only the container has. */
  readonly extra: readonly Uint8Array[];
}

/** What differs between an entry and what it should be. */
export interface Differences {
  readonly texts: readonly string[];
  /** Whether all of them are of times below a microsecond: the reference loader's rounding. */
  readonly onlyRounding: boolean;
}

export interface DirectoryResult {
  readonly differences: Differences | undefined;
  /** Why not all of it could be checked. */
  readonly unchecked: string | undefined;
}

/** What an entry should be, where lanes cannot find it out by themselves. */
export interface GivenEntry {
  readonly entry: ExpectedEntry;
  readonly sha256: string | undefined;
}

/** Compares entries of one directory. */
export interface EntriesTask {
  readonly path: Uint8Array;
  /** As {@link DirectoryPart.chunks} has them. */
  readonly entries: Uint8Array;
  /** One for each entry; undefined: each lane has the expectation. */
  readonly given: readonly GivenEntry[] | undefined;
}

/** What became of an entry; nothing of it is set where it is the same, and linked with nothing. */
export interface EntryOutcome {
  readonly differences?: Differences;
  /** Why it could not be checked. */
  readonly unchecked?: string;
  /** A directory on both sides: it is compared by a task of its own. */
  readonly isDirectory?: boolean;
  /** The file has several links on either side: the other ones are not known here. */
  readonly link?: EntryLink;
  /** So many bytes are still to be compared. */
  readonly largeBytes?: number;
}

export interface EntryLink {
  readonly id: Uint8Array;
  readonly linkCount: number;
  /** Tells which names are links of one file on the expected side; undefined: it has one link. */
  readonly key: string | undefined;
}

export interface EntriesResult {
  /** One for each entry. */
  readonly outcomes: readonly EntryOutcome[];
  /** Files whose bytes were compared. */
  readonly contents: number;
  readonly bytes: number;
}

/** Compares bytes of a large file. */
export interface RangeTask {
  readonly path: Uint8Array;
  readonly name: Uint8Array;
  readonly handle: Uint8Array;
  readonly firstByte: number;
  readonly endByte: number;
  /** Its end is the end of the file. */
  readonly isLast: boolean;
  /** Of the whole file; undefined: each lane has the expectation. */
  readonly sha256: string | undefined;
}

export interface RangeResult {
  readonly difference: string | undefined;
  readonly unchecked: string | undefined;
  readonly bytes: number;
}

/** The kinds of work of what reads a container whole. */
export interface AuditKinds {
  readonly hash: Kind<HashTask, HashResult>;
  readonly segments: Kind<SegmentsTask, SegmentsResult>;
  readonly directory: Kind<DirectoryTask, DirectoryResult, DirectoryPart>;
  readonly entries: Kind<EntriesTask, EntriesResult>;
  readonly range: Kind<RangeTask, RangeResult>;
}

import type { ReaderOverlay } from '../namespace/reader.js';

/** What a salvage has found. */
export interface SalvageCounts {
  /** Inodes that can be read. */
  readonly inodes: number;
  /** Inodes of which no directory tells, placed by what they say of themselves. */
  readonly unlisted: number;
  /** Directories whose own inodes are missing or cannot be read, and that were made for what belongs to them. */
  readonly rebuilt: number;
  /** Directories of which some entries cannot be read: those whose inodes are there are found all the same. */
  readonly partial: number;
  /** Files of which segments or indirect blocks are missing. */
  readonly incomplete: number;
  /** Versions that another one supersedes. */
  readonly versions: number;
  /** Inodes and superseded versions that cannot be read. */
  readonly unreadable: number;
}

/** The tree of what can be reached in a container. To be closed. */
export interface Salvage {
  /** What makes a reader read that tree. */
  readonly overlay: ReaderOverlay;
  readonly counts: SalvageCounts;
  /** Hash of the names and lengths of all objects: the tree follows from them and from what they hold. */
  readonly listingHash: string;
  close(): void;
}

/** How a salvage is gone about. */
export interface SalvageOptions {
  readonly signal?: AbortSignal;
  /** Told now and then how many inodes have been looked at. */
  readonly onProgress?: (inodes: number) => void;
}

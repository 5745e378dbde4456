import { isClfsError, messageOf } from '../error.js';
import type { ContainerIndex, ObjectBlob } from '../namespace/object-finder.js';
import type { ContainerReader } from '../namespace/reader.js';
import type { Severity } from './findings.js';
import type { Turns } from './fsck-turns.js';

/** State of one check. */
export interface FsckContext {
  readonly reader: ContainerReader;
  readonly index: ContainerIndex;
  readonly content: boolean;
  readonly turns: Turns;
  /** Blobs that something refers to. */
  readonly used: Set<ObjectBlob>;
  /** Directories, by id as hex, of whose entries it has been said that some cannot be read. */
  readonly damagedDirectories: Set<string>;
  /** Inodes with several links, or whose links are not as they should be: who refers to them. */
  readonly links: Map<string, LinkTally>;
  /** Whether an inode with one link was met before; remembers that it was. */
  linkedOnce(blob: ObjectBlob): boolean;
  /** Ids of the load that the root was written by. */
  load: LoadIds | undefined;
  /** Set while a container is checked whose root cannot be read. */
  withoutRoot: RootlessContext | undefined;
  report(severity: Severity, code: string, path: Uint8Array | undefined, object: string | undefined, message: string): void;
}

/** What the inodes of one load have in common. */
export interface LoadIds {
  readonly fsid: bigint;
  readonly containerId: bigint;
}

/** What is known beside, where there is no root to begin with. */
interface RootlessContext {
  /** Whether the entries of a directory, by its id as hex, are all known. */
  isRead(directory: string): boolean;
  /** Takes down which load an inode says it is of. */
  countLoad(ids: LoadIds, name: string): void;
}

/** The links of an inode, as its directories and as it itself have them. */
interface LinkTally {
  readonly path: Uint8Array;
  readonly name: string;
  readonly backPointers: readonly string[];
  /** NAME of the inode matched one of the entries. */
  named: boolean;
  readonly referrers: string[];
}

/** Reports what a check threw about the container's bytes. @throws what it threw for other reasons */
export function reportDamage(context: FsckContext, path: Uint8Array | undefined, object: string, error: unknown): void {
  if (!isClfsError(error, 'format', 'not-found')) throw error;
  context.report('error', error.code === 'not-found' ? 'missing-object' : 'damaged-object', path, object, messageOf(error));
}

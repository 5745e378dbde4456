import { isClfsError, messageOf } from '../error.js';
import type { IndexedIds } from '../namespace/indexed-ids.js';
import type { ObjectIndex } from '../namespace/object-index.js';
import type { ContainerReader } from '../namespace/reader.js';
import type { ByteSet } from '../spill/spilled-set.js';
import type { ContentCheck } from './content-check.js';
import type { Report } from './findings.js';
import type { Turns } from './fsck-turns.js';
import type { LinkBook } from './link-book.js';

/** State of one check. */
export interface FsckContext {
  readonly reader: ContainerReader;
  readonly index: ObjectIndex;
  /** Undefined where the segments of files are not read. */
  readonly content: ContentCheck | undefined;
  readonly turns: Turns;
  /** Objects that something refers to. */
  readonly used: IndexedIds;
  /** Directories of whose entries it has been said that some cannot be read. */
  readonly damagedDirectories: ByteSet;
  /** Inodes with several links, or whose links are not as they should be: who refers to them. */
  readonly links: LinkBook;
  /** Inodes with one link that were met. */
  readonly linkedOnce: ByteSet;
  /** Ids of the load that the root was written by. */
  load: LoadIds | undefined;
  /** Set while a container is checked whose root cannot be read. */
  withoutRoot: RootlessContext | undefined;
  readonly report: Report;
}

/** What the inodes of one load have in common. */
export interface LoadIds {
  readonly fsid: bigint;
  readonly containerId: bigint;
}

/** What is known beside, where there is no root to begin with. */
interface RootlessContext {
  /** Whether the entries of a directory are all known. */
  isRead(directory: Uint8Array): Promise<boolean>;
  /** Takes down which load an inode says it is of. */
  countLoad(ids: LoadIds, name: string): void;
  close(): void;
}

/** Reports what a check threw about the container's bytes. @throws what it threw for other reasons */
export function reportDamage(context: FsckContext, path: Uint8Array | undefined, object: string, error: unknown): void {
  if (!isClfsError(error, 'format', 'not-found')) throw error;
  context.report(
    'error',
    error.code === 'not-found' ? 'missing-object' : 'damaged-object',
    path,
    object,
    messageOf(error),
  );
}

import { ByteBudget } from '../../namespace/byte-budget.js';
import type { ContainerReader, FoundInode } from '../../namespace/reader.js';
import { DescriptorPlaces, descriptorPlaces } from '../../posix/descriptors.js';
import type { Clock } from '../../time/clock.js';
import { type Chooser, chooserOf } from '../choice.js';
import { TargetTree } from '../target/target-tree.js';
import type { WaysParts } from '../target/target-ways.js';
import type { ExportConstants } from './kinds.js';

/** Entries of one lane that are under way at once: most of them wait for the service. */
const MOST_ENTRIES = 128;
/** Stored bytes of inodes, and bytes of segments, that one lane has in memory at once. */
const INODE_BYTES = 32 * 1048576;
const CONTENT_BYTES = 32 * 1048576;
/** Directories of the target that tasks of one lane have open at once, with one more on the way to it and a file. */
const MOST_DIRECTORIES = 16;
const DESCRIPTORS_A_DIRECTORY = 3;
/** Files that one lane has open while their segments are waited for. */
const MOST_FILES = 64;
/** Inodes of large files that are kept: their ranges come one after another. */
const CACHED_INODES = 16;

/** What the tasks of one lane share. */
export interface ExportContext {
  readonly constants: ExportConstants;
  readonly reader: ContainerReader;
  readonly target: TargetTree;
  readonly chooser: Chooser;
  readonly clock: Clock;
  /*
   * Who takes several of these takes them in this order: a directory, an entry, bytes of its inode, a file, bytes of
   * its content. So nobody waits for somebody who waits for him.
   */
  readonly directories: DescriptorPlaces;
  /** A place is taken for each entry under way. */
  readonly entries: DescriptorPlaces;
  readonly inodeBudget: ByteBudget;
  readonly files: DescriptorPlaces;
  readonly contentBudget: ByteBudget;
  /** Whether the reader finds objects without asking the service. */
  readonly isListed: boolean;
  readonly largeInodes: Map<string, Promise<FoundInode>>;
  readonly stop: {
    /** Tasks end what is under way and begin nothing new. */
    asked: boolean;
    /** Tasks do not wait for what is under way any more. */
    abandoned: boolean;
  };
}

/** What {@link createExportContext} works with. */
export interface ExportContextParts {
  readonly constants: ExportConstants;
  readonly reader: ContainerReader;
  /** Whether the reader finds objects without asking the service. */
  readonly isListed: boolean;
  readonly ways: Omit<WaysParts, 'changing'>;
  /** Descriptor of the target's root, and where other file systems are mounted below it; see `TargetTree`. */
  readonly root: number;
  readonly mounted: readonly Uint8Array[];
  /** Lanes that share the descriptors of the process. */
  readonly lanes: number;
  readonly clock: Clock;
}

export function createExportContext({
  constants,
  reader,
  isListed,
  ways,
  root,
  mounted,
  lanes,
  clock,
}: ExportContextParts): ExportContext {
  return {
    constants,
    reader,
    target: new TargetTree(ways, root, constants, mounted),
    chooser: chooserOf(constants.choice),
    clock,
    // Half of what the process may open is for the target; the rest for connections, blobs and the state.
    directories: descriptorPlaces(MOST_DIRECTORIES, { sharers: 4 * lanes, each: DESCRIPTORS_A_DIRECTORY }),
    entries: new DescriptorPlaces(MOST_ENTRIES),
    inodeBudget: new ByteBudget(INODE_BYTES),
    files: descriptorPlaces(MOST_FILES, { sharers: 4 * lanes }),
    contentBudget: new ByteBudget(CONTENT_BYTES),
    isListed,
    largeInodes: new Map(),
    stop: { asked: false, abandoned: false },
  };
}

/** Inode of a large file; those of the latest few are kept. @throws as `ContainerReader.inode` */
export function largeInode({ largeInodes, reader }: ExportContext, handle: Uint8Array): Promise<FoundInode> {
  const key = Buffer.from(handle).toString('latin1');
  const kept = largeInodes.get(key);
  if (kept) return kept;
  const found = reader.inode(Buffer.from(handle));
  found.catch(() => largeInodes.delete(key));
  if (largeInodes.size >= CACHED_INODES) for (const oldest of largeInodes.keys()) if (largeInodes.delete(oldest)) break;
  largeInodes.set(key, found);
  return found;
}

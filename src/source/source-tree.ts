import { ClfsError } from '../error.js';
import type { EntryType } from '../format/ids.js';
import type { FileStatus } from '../posix/file-status.js';
import type { MountBelow } from '../posix/mounts.js';
import type { SourcePlace } from './source-place.js';

/** Attributes of an entry of the source, as lstat gives them. */
export interface SourceAttributes extends FileStatus {
  readonly type: EntryType;
}

/** Which directory a path must lead to. */
export interface DirectoryIdentity {
  /** undefined: any file system. */
  readonly device: string | undefined;
  readonly inode: bigint;
  /** When it was made, as `FileStatus.bornNs`: an inode number is given to another directory soon; 0: any. */
  readonly bornNs: bigint;
}

/** One entry as a directory lists it. */
export interface ListedEntry {
  readonly name: Buffer;
  /** undefined: the file system does not tell; ask {@link SourceDirectory.attributesOf}. */
  readonly type: EntryType | undefined;
  /** Left out by the user's choice. */
  readonly excluded?: boolean;
}

/**
 * A rooted POSIX tree, read only; symlinks are never followed, not even by a path that changes under the reader.
 *
 * Calls are synchronous, which is what costs least where they are answered at once; beside them are those that leave the
 * thread free while they wait ({@link AsyncSourceTree}), many at once. Both mean the same. Paths are relative to the
 * root, components joined by `/`; the root's is empty.
 */
export interface SourceTree {
  /**
   * Opens a directory for listing and for access to its entries.
   *
   * @throws ClfsError `entry`: `directory-unreadable` when it cannot be opened or searched, `directory-changed` when it
   * is no directory or not the expected one
   */
  openDirectory(path: Buffer, expected?: DirectoryIdentity): SourceDirectory;
  /** The root, as long as the tree is open: for other threads of the process. Undefined where there is none. */
  readonly root?: OpenRoot;
  /** What tells this tree from another one at its path; undefined where that cannot be told. */
  place?(): SourcePlace | undefined;
  /** What is mounted below the root now: nothing is asked of it. Undefined: that is not known. */
  mounts?(): readonly MountBelow[];
  /** The calls that leave the thread free; undefined where there are none. */
  readonly async?: AsyncSourceTree;
  /** Whether it is on a file system that may not answer for long, since another machine or process has it. */
  readonly isRemote?: boolean;
  /** Whether a call may not be answered for long: that is so of its own file system, or of one that is mounted below. */
  readonly mayHang?: boolean;
  /** Closes the root, once no call uses it. */
  close(): void;
}

/** The root of a tree, open in this process; plain data that can be handed to a thread. */
export interface OpenRoot {
  readonly descriptor: number;
  readonly inode: bigint;
  /** As `FileStatus.bornNs`. */
  readonly bornNs: bigint;
  /** See {@link SourceTree.isRemote}. */
  readonly isRemote: boolean;
  /** See {@link SourceTree.mayHang}. */
  readonly mayHang: boolean;
}

/** The calls of a {@link SourceTree} that leave the thread free while they wait. They throw the same errors. */
interface AsyncSourceTree {
  /** {@link SourceTree.openDirectory} */
  openDirectory(path: Buffer, expected?: DirectoryIdentity): Promise<SourceDirectory>;
}

/** An open directory. To be closed. */
export interface SourceDirectory {
  /**
   * Attributes now.
   *
   * @param fresh as its server has them: a client may remember older ones for a while
   * @throws ClfsError `entry`: `directory-unreadable`
   */
  attributes(fresh?: boolean): SourceAttributes;
  /**
   * The entries in the order of the file system, some at a time; each call begins anew.
   *
   * @throws ClfsError `entry`: `directory-unreadable`
   */
  list(): Iterable<readonly ListedEntry[]>;
  /** lstat of an entry. @throws ClfsError `entry`: `entry-vanished`, `entry-unreadable` */
  attributesOf(name: Buffer): SourceAttributes;
  /** Target of a symlink. @throws ClfsError `entry`: `entry-vanished`, `entry-type-changed`, `entry-unreadable` */
  readLink(name: Buffer): Buffer;
  /** Opens a regular file. @throws ClfsError `entry`: `entry-vanished`, `entry-type-changed`, `entry-unreadable` */
  openFile(name: Buffer): SourceFile;
  /**
   * What of an entry the format cannot hold, `.` being the directory itself; undefined where this source cannot tell.
   * Never throws.
   */
  unstorableOf?(name: Buffer): Unstorable | undefined;
  /** The calls that leave the thread free; undefined where there are none. */
  readonly async?: AsyncSourceDirectory;
  /** Closes it: at once, or when the last of its calls that is under way has ended. */
  close(): void;
}

/** The calls of a {@link SourceDirectory} that leave the thread free while they wait. They throw the same errors. */
export interface AsyncSourceDirectory {
  attributes(fresh?: boolean): Promise<SourceAttributes>;
  list(): AsyncIterable<readonly ListedEntry[]>;
  attributesOf(name: Buffer): Promise<SourceAttributes>;
  readLink(name: Buffer): Promise<Buffer>;
  openFile(name: Buffer): Promise<AsyncSourceFile>;
  unstorableOf?(name: Buffer): Promise<Unstorable | undefined>;
}

/** Whether an entry has what the format has no place for. */
export interface Unstorable {
  /** A POSIX ACL, or a default one. */
  readonly acl: boolean;
  /** Extended attributes beside ACLs, those left out that file systems keep for themselves. */
  readonly attributes: boolean;
  /** Its data is in an archive only: to read it recalls it. */
  readonly released: boolean;
}

/** An open regular file. To be closed. */
export interface SourceFile {
  /** fstat. @param fresh as for {@link SourceDirectory.attributes} @throws ClfsError `entry`: `entry-unreadable` */
  attributes(fresh?: boolean): SourceAttributes;
  /**
   * Whether inode, size, modification and change time are still those of `before`, as its server has them.
   *
   * @throws ClfsError `entry`: `entry-unreadable`
   */
  isUnchanged(before: SourceAttributes): boolean;
  /**
   * Reads from `position` until `target` is full or the file ends.
   *
   * @param enoughBytes stop when so many are there: a target with room for more tells a file that has grown, at no cost
   * @returns bytes read @throws ClfsError `entry`: `entry-unreadable`
   */
  read(target: Buffer, position: number, enoughBytes?: number): number;
  close(): void;
}

/** The calls of a {@link SourceFile} that leave the thread free while they wait. They throw the same errors. */
export interface AsyncSourceFile {
  /**
   * What the system has in memory of it: nothing is waited for, and it may be of before. Undefined where a server would be
   * asked.
   *
   * @throws ClfsError `entry`: `entry-unreadable`
   */
  knownAttributes?(): SourceAttributes | undefined;
  attributes(fresh?: boolean): Promise<SourceAttributes>;
  isUnchanged(before: SourceAttributes): Promise<boolean>;
  /** `target` belongs to the call until it has ended. */
  read(target: Buffer, position: number, enoughBytes?: number): Promise<number>;
  /** Closes it: at once, or when the last of its calls that is under way has ended. Resolves then, and never rejects. */
  close(): Promise<void>;
}

/** Why one entry could not be loaded. `docs/errors.md` explains each. */
export type FailureReason =
  | 'entry-unreadable'
  | 'entry-vanished'
  | 'entry-changed'
  | 'entry-type-changed'
  | 'entry-too-large'
  | 'name-too-long'
  | 'directory-unreadable'
  | 'directory-changed'
  | 'directory-reached-twice'
  | 'other-file-system';

/** The error of one entry that cannot be read: a failure of that entry, never of the job. */
export function entryFailure(reason: FailureReason, message: string, cause?: unknown): ClfsError {
  return new ClfsError('entry', message, { reason, cause });
}

import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { Attributes } from '../format/attributes.js';
import { isDot, isDotDot, isSafeName } from '../format/dirents.js';
import { idHex, ObjectType } from '../format/ids.js';
import { fileSize } from '../namespace/content.js';
import { PendingDirectories } from '../namespace/pending-directories.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { sideBySide } from '../namespace/side-by-side.js';
import { descriptorPlaces, patiently } from '../posix/descriptors.js';
import {
  CURRENT_DIRECTORY,
  close,
  type FileStatus,
  makeDirectory,
  makeLink,
  makeNode,
  makeSymlink,
  Open,
  openAt,
  PosixError,
  removeAt,
  statAt,
} from '../posix/libc.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { quotePath } from '../text/escape-path.js';
import { openFinishedDirectories } from './finished-directories.js';
import { identityOf, isWritten, LinkGroups, type WrittenFile } from './link-groups.js';
import { restoreAttributes } from './restore-attributes.js';
import { openBelow, openParent, statOrUndefined } from './target-directory.js';
import { targetError } from './target-error.js';
import { writeFile } from './write-file.js';

/** What happens to what is there already. */
type Overwrite = 'never' | 'if-different' | 'always';

/** How a tree is written to disk. */
export interface ExportOptions {
  readonly overwrite: Overwrite;
  /** Leave holes where files have runs of zeros. */
  readonly sparse: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (entries: number, bytes: number) => void;
  /** Told of each entry that could not be written. */
  readonly onFailure: (path: Buffer, error: Error) => void;
}

/** How an export ended. */
export interface ExportSummary {
  readonly written: number;
  /** Entries that were there already. */
  readonly skipped: number;
  readonly failed: number;
  readonly bytes: number;
}

const FILES_AT_ONCE = 16;
/** Descriptors that an entry has open at most: its file, and two of directories on the way to a file that it is linked to. */
const DESCRIPTORS_AN_ENTRY = 3;
const PRIVATE_DIRECTORY = 0o700;

/**
 * Writes the tree below `start` into `directory`, a path as text or as bytes, which is made if its parent exists.
 *
 * Nothing is written outside of it, whatever the container holds and whatever lies there: no symlink below it is followed.
 *
 * @throws ClfsError `usage` when `directory` cannot be used; `target` when its disk is full or cannot be written; whatever the container
 *   throws beside `format` and `not-found`
 */
export async function exportTree(reader: ContainerReader, start: FoundInode, directory: string | Uint8Array, options: ExportOptions): Promise<ExportSummary> {
  const run = new Export(reader, options);
  const path = Buffer.from(directory);
  if (start.inode.attributes.type !== ObjectType.directory)
    throw new ClfsError('usage', 'Only a directory can be exported; use "cat" for the bytes of a file.');
  let root: number;
  try {
    try {
      makeDirectory(CURRENT_DIRECTORY, path, PRIVATE_DIRECTORY);
    } catch (error) {
      if (!(error instanceof PosixError && error.errno === 'EEXIST')) throw error;
    }
    root = openAt(CURRENT_DIRECTORY, path, Open.readOnly | Open.directory);
  } catch (error) {
    throw new ClfsError('usage', `Cannot write to ${quotePath(path)}: ${messageOf(error)}.`, { cause: error });
  }
  try {
    await run.tree(start, root);
  } finally {
    run.close();
    close(root);
  }
  return run.summary;
}

interface Reference {
  readonly name: Buffer;
  readonly handle: Uint8Array;
  readonly path: Buffer;
}

class Export {
  readonly summary = { written: 0, skipped: 0, failed: 0, bytes: 0 };
  readonly #reader: ContainerReader;
  readonly #options: ExportOptions;
  readonly #links = new LinkGroups();
  readonly #entered: ByteSet;
  readonly #pending: PendingDirectories;
  readonly #finished = openFinishedDirectories();
  readonly #entriesAtOnce = descriptorPlaces(FILES_AT_ONCE, { each: DESCRIPTORS_AN_ENTRY }).count;
  #root = -1;

  constructor(reader: ContainerReader, options: ExportOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#entered = reader.finder.idSet();
    this.#pending = new PendingDirectories(reader);
  }

  close(): void {
    for (const each of [this.#links, this.#entered, this.#pending, this.#finished]) each.close();
  }

  async tree(start: FoundInode, root: number): Promise<void> {
    this.#root = root;
    this.#pending.push(Buffer.alloc(0), start);
    for (let next = this.#pending.pop(); next; next = this.#pending.pop()) {
      const { path } = next;
      try {
        const found = await next.read();
        this.#once(found, path);
        const fd = await openBelow(root, path);
        try {
          await this.#directory(found, path, fd);
        } finally {
          close(fd);
        }
        this.#finished.push({ path, attributes: found.inode.attributes });
      } catch (error) {
        this.#fail(path, error);
      }
    }
    // Writing into a directory changes its times, and its mode may forbid it: from the deepest up, at the very end.
    for (let next = this.#finished.pop(); next; next = this.#finished.pop()) {
      const { path, attributes } = next;
      await this.#pause();
      try {
        const parent = await openParent(root, path);
        try {
          await this.#restore(parent.fd, parent.name, attributes);
        } finally {
          parent.release();
        }
        this.summary.written++;
      } catch (error) {
        this.#fail(path, error);
      }
    }
  }

  #once(found: FoundInode, path: Buffer): void {
    if (this.#entered.add(found.id)) return;
    throw new ClfsError('format', `the directory ${idHex(found.id)} is in the tree more than once, here as ${quotePath(path)}`);
  }

  async #directory(directory: FoundInode, path: Buffer, fd: number): Promise<void> {
    const seen = new SpilledSet();
    try {
      await sideBySide(this.#references(directory, path, seen), this.#entriesAtOnce, (reference) => this.#entry(fd, reference));
    } finally {
      seen.close();
    }
  }

  /** Entries of a directory that can be written; the others are told. @param seen takes their names */
  async *#references(directory: FoundInode, path: Buffer, seen: ByteSet): AsyncGenerator<Reference> {
    for await (const piece of this.#reader.entries(directory)) {
      for (const { name, handle } of piece) {
        if (isDot(name) || isDotDot(name)) continue;
        this.#options.signal?.throwIfAborted();
        const entryPath = path.length === 0 ? Buffer.from(name) : Buffer.concat([path, Buffer.from('/'), name]);
        const isSafe = isSafeName(name);
        if (!isSafe || !seen.add(name)) {
          this.#fail(entryPath, new ClfsError('format', isSafe ? 'the name is in the directory twice' : 'the name cannot be one'));
          continue;
        }
        yield { name: Buffer.from(name), handle, path: entryPath };
      }
    }
  }

  async #entry(fd: number, { name, handle, path }: Reference): Promise<void> {
    try {
      const found = await this.#reader.inode(handle);
      const { attributes } = found.inode;
      if (attributes.type === ObjectType.directory) {
        this.#makeDirectory(fd, name);
        this.#pending.push(path, found);
      } else if (attributes.linkCount > 1) await this.#links.take(found.id, (origin) => this.#oneOfSeveral(fd, name, found, path, origin));
      else if (this.#keeps(fd, name, found)) this.summary.skipped++;
      else await this.#write(fd, name, found);
    } catch (error) {
      this.#fail(path, error);
    }
  }

  /** @returns the file that the next name can be linked to */
  async #oneOfSeveral(fd: number, name: Buffer, found: FoundInode, path: Buffer, origin: WrittenFile | undefined): Promise<WrittenFile | undefined> {
    const there = statOrUndefined(fd, name);
    if (isWritten(there, origin) || (there && origin && this.#options.overwrite === 'never') || (!origin && this.#keeps(fd, name, found))) {
      this.summary.skipped++;
      return origin;
    }
    if (there && origin) removeAt(fd, name);
    if (origin && (await this.#link(origin, fd, name))) {
      this.#countWritten();
      return origin;
    }
    return { path, identity: identityOf(await this.#write(fd, name, found)) };
  }

  /** @returns false when there is no way to link: the file is not there any more, or can have no further name */
  async #link(origin: WrittenFile, fd: number, name: Buffer): Promise<boolean> {
    try {
      const from = await openParent(this.#root, origin.path);
      try {
        if (!isWritten(statAt(from.fd, from.name), origin)) return false;
        makeLink(from.fd, from.name, fd, name);
        return true;
      } finally {
        from.release();
      }
    } catch (error) {
      if (error instanceof PosixError && NOT_LINKABLE.has(error.errno)) return false;
      throw error;
    }
  }

  async #write(fd: number, name: Buffer, found: FoundInode): Promise<FileStatus> {
    await this.#create(fd, name, found);
    await this.#restore(fd, name, found.inode.attributes);
    const status = statAt(fd, name);
    this.#countWritten();
    return status;
  }

  async #create(fd: number, name: Buffer, found: FoundInode): Promise<void> {
    const { attributes, data } = found.inode;
    if (attributes.type === ObjectType.regular) {
      fileSize(found);
      await writeFile(this.#reader, found, fd, name, this.#options.sparse, (bytes) => {
        this.summary.bytes += bytes;
        this.#options.onProgress?.(this.summary.written, this.summary.bytes);
      });
    } else if (attributes.type === ObjectType.symlink) {
      if (!data || data.length === 0 || data.includes(0)) throw new ClfsError('format', 'its link target cannot be one');
      makeSymlink(data, fd, name);
    } else makeNode(fd, name, attributes.mode & 0o170777, attributes.deviceMajor, attributes.deviceMinor);
  }

  #restore(fd: number, name: Buffer, attributes: Attributes): Promise<void> {
    return patiently(name, () => restoreAttributes(fd, name, attributes));
  }

  #countWritten(): void {
    this.summary.written++;
    this.#options.onProgress?.(this.summary.written, this.summary.bytes);
  }

  /** @returns whether what is there stays; what does not stay is removed */
  #keeps(fd: number, name: Buffer, found: FoundInode): boolean {
    const there = statOrUndefined(fd, name);
    if (!there) return false;
    if (this.#options.overwrite === 'never') return true;
    const { attributes } = found.inode;
    if (this.#options.overwrite === 'if-different') {
      const same =
        (there.mode & 0o170000) === (attributes.mode & 0o170000) &&
        there.mtimeSeconds === attributes.mtime.seconds &&
        there.mtimeNanoseconds === attributes.mtime.nanoseconds &&
        (attributes.type !== ObjectType.regular || there.sizeBytes === attributes.lengthBytes) &&
        // Names that an interrupted export had not come to are linked only to what this one writes.
        (attributes.linkCount === 1 || there.linkCount === attributes.linkCount);
      if (same) return true;
    }
    removeAt(fd, name);
    return false;
  }

  #makeDirectory(fd: number, name: Buffer): void {
    const there = statOrUndefined(fd, name);
    if (there && (there.mode & 0o170000) === 0o040000) return;
    if (there && this.#options.overwrite === 'never') throw new ClfsError('usage', 'something that is no directory is there already');
    if (there) removeAt(fd, name);
    makeDirectory(fd, name, PRIVATE_DIRECTORY);
  }

  async #pause(): Promise<void> {
    this.#options.signal?.throwIfAborted();
    await this.#reader.pause();
  }

  #fail(path: Buffer, error: unknown): void {
    const ofAll = targetError(path, error);
    const ours = ofAll instanceof PosixError || isClfsError(ofAll, 'format', 'not-found', 'usage');
    if (!ours) throw ofAll;
    this.summary.failed++;
    this.#options.onFailure(path, ofAll);
  }
}

/** A file system without hard links, or a file that has as many as it can have. */
const NOT_LINKABLE = new Set(['EMLINK', 'EPERM', 'EXDEV', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'ENOENT', 'ENOTDIR', 'ELOOP']);

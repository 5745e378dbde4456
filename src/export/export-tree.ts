import { ClfsError, isClfsError, messageOf } from '../error.js';
import { isDot, isDotDot, isSafeName } from '../format/dirents.js';
import { idHex, ObjectType } from '../format/ids.js';
import { fileSize } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { CURRENT_DIRECTORY, close, makeDirectory, makeLink, makeNode, makeSymlink, Open, openAt, PosixError, removeAt, statAt } from '../posix/libc.js';
import { restoreAttributes } from './restore-attributes.js';
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
const DIRECTORY_FLAGS = Open.readOnly | Open.directory | Open.noFollow;
const PRIVATE_DIRECTORY = 0o700;

/**
 * Writes the tree below `start` into `directory`, which is made if its parent exists.
 *
 * Nothing is written outside of it, whatever the container holds and whatever lies there: no symlink below it is followed.
 *
 * @throws ClfsError `usage` when `directory` cannot be used; whatever the container throws beside `format` and `not-found`
 */
export async function exportTree(reader: ContainerReader, start: FoundInode, directory: string, options: ExportOptions): Promise<ExportSummary> {
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
    throw new ClfsError('usage', `Cannot write to ${JSON.stringify(directory)}: ${messageOf(error)}.`, { cause: error });
  }
  try {
    await run.tree(start, root);
  } finally {
    close(root);
  }
  return run.summary;
}

interface Pending {
  readonly found: FoundInode;
  readonly path: Buffer;
}

class Export {
  readonly summary = { written: 0, skipped: 0, failed: 0, bytes: 0 };
  readonly #reader: ContainerReader;
  readonly #options: ExportOptions;
  /** First path of each inode that has several links. */
  readonly #linked = new Map<string, Buffer>();
  readonly #entered = new Set<string>();
  #root = -1;

  constructor(reader: ContainerReader, options: ExportOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  async tree(start: FoundInode, root: number): Promise<void> {
    this.#root = root;
    const pending: Pending[] = [{ found: start, path: Buffer.alloc(0) }];
    const finished: Pending[] = [];
    for (let next = pending.pop(); next; next = pending.pop()) {
      const { found, path } = next;
      try {
        this.#once(found, path);
        const fd = this.#open(path);
        try {
          await this.#directory(found, path, fd, pending);
        } finally {
          close(fd);
        }
        finished.push(next);
      } catch (error) {
        this.#fail(path, error);
      }
    }
    // Writing into a directory changes its times, and its mode may forbid it: from the deepest up, at the very end.
    for (const { found, path } of finished.reverse()) {
      try {
        const parent = path.length === 0 ? { fd: this.#root, name: Buffer.from('.'), release: () => undefined } : this.#parentOf(path);
        try {
          restoreAttributes(parent.fd, parent.name, found.inode.attributes);
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
    const id = idHex(found.id);
    if (this.#entered.has(id)) throw new ClfsError('format', `the directory ${id} is in the tree more than once, here as ${JSON.stringify(path.toString())}`);
    this.#entered.add(id);
  }

  async #directory(directory: FoundInode, path: Buffer, fd: number, pending: Pending[]): Promise<void> {
    let running: Promise<void>[] = [];
    const seen = new Set<string>();
    for await (const piece of this.#reader.entries(directory)) {
      for (const { name, handle } of piece) {
        if (isDot(name) || isDotDot(name)) continue;
        this.#options.signal?.throwIfAborted();
        const entryPath = path.length === 0 ? Buffer.from(name) : Buffer.concat([path, Buffer.from('/'), name]);
        const key = Buffer.from(name).toString('latin1');
        if (!isSafeName(name) || seen.has(key)) {
          this.#fail(entryPath, new ClfsError('format', seen.has(key) ? 'the name is in the directory twice' : 'the name cannot be one'));
          continue;
        }
        seen.add(key);
        running.push(this.#entry(fd, Buffer.from(name), handle, entryPath, pending));
        if (running.length < FILES_AT_ONCE) continue;
        await Promise.all(running);
        running = [];
      }
    }
    await Promise.all(running);
  }

  async #entry(fd: number, name: Buffer, handle: Uint8Array, path: Buffer, pending: Pending[]): Promise<void> {
    try {
      const found = await this.#reader.inode(handle);
      const { attributes } = found.inode;
      if (attributes.type === ObjectType.directory) {
        this.#makeDirectory(fd, name);
        pending.push({ found, path });
        return;
      }
      if (this.#link(fd, name, found, path)) return;
      if (this.#keeps(fd, name, found)) {
        this.summary.skipped++;
        return;
      }
      await this.#create(fd, name, found);
      restoreAttributes(fd, name, attributes);
      this.summary.written++;
      this.#options.onProgress?.(this.summary.written, this.summary.bytes);
    } catch (error) {
      this.#fail(path, error);
    }
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

  /** @returns whether the entry is a further link of one that has been written, and is linked now */
  #link(fd: number, name: Buffer, found: FoundInode, path: Buffer): boolean {
    if (found.inode.attributes.linkCount <= 1) return false;
    const id = idHex(found.id);
    const first = this.#linked.get(id);
    if (!first) {
      this.#linked.set(id, path);
      return false;
    }
    const from = this.#parentOf(first);
    try {
      const there = statOrUndefined(fd, name);
      const origin = statAt(from.fd, from.name);
      if (there && there.inode === origin.inode && there.device === origin.device) {
        this.summary.skipped++;
        return true;
      }
      if (there && !this.#makeRoom(fd, name)) return true;
      makeLink(from.fd, from.name, fd, name);
      this.summary.written++;
      return true;
    } finally {
      from.release();
    }
  }

  /** @returns whether what is there stays; what does not stay is removed */
  #keeps(fd: number, name: Buffer, found: FoundInode): boolean {
    const there = statOrUndefined(fd, name);
    if (!there) return false;
    const { attributes } = found.inode;
    if (this.#options.overwrite === 'if-different') {
      const same =
        (there.mode & 0o170000) === (attributes.mode & 0o170000) &&
        there.mtimeSeconds === attributes.mtime.seconds &&
        there.mtimeNanoseconds === attributes.mtime.nanoseconds &&
        (attributes.type !== ObjectType.regular || there.sizeBytes === attributes.lengthBytes);
      if (same) return true;
    }
    return !this.#makeRoom(fd, name);
  }

  #makeRoom(fd: number, name: Buffer): boolean {
    if (this.#options.overwrite === 'never') {
      this.summary.skipped++;
      return false;
    }
    removeAt(fd, name);
    return true;
  }

  #makeDirectory(fd: number, name: Buffer): void {
    const there = statOrUndefined(fd, name);
    if (there && (there.mode & 0o170000) === 0o040000) return;
    if (there && this.#options.overwrite === 'never') throw new ClfsError('usage', 'something that is no directory is there already');
    if (there) removeAt(fd, name);
    makeDirectory(fd, name, PRIVATE_DIRECTORY);
  }

  /** Opens a directory below the root, component by component: no symlink is followed. */
  #open(path: Buffer): number {
    let fd = openAt(this.#root, Buffer.from('.'), DIRECTORY_FLAGS);
    if (path.length === 0) return fd;
    for (let at = 0; at < path.length; ) {
      const slash = path.indexOf(0x2f, at);
      const end = slash < 0 ? path.length : slash;
      try {
        const next = openAt(fd, path.subarray(at, end), DIRECTORY_FLAGS);
        close(fd);
        fd = next;
      } catch (error) {
        close(fd);
        throw error;
      }
      at = end + 1;
    }
    return fd;
  }

  #parentOf(path: Buffer): { readonly fd: number; readonly name: Buffer; release(): void } {
    const slash = path.lastIndexOf(0x2f);
    const fd = this.#open(path.subarray(0, Math.max(0, slash)));
    return { fd, name: path.subarray(slash + 1), release: () => close(fd) };
  }

  #fail(path: Buffer, error: unknown): void {
    const ours = error instanceof PosixError || isClfsError(error, 'format', 'not-found', 'usage');
    if (!ours) throw error;
    this.summary.failed++;
    this.#options.onFailure(path, error as Error);
  }
}

function statOrUndefined(fd: number, name: Buffer) {
  try {
    return statAt(fd, name);
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'ENOENT') return undefined;
    throw error;
  }
}

import { ObjectType } from '../format/ids.js';
import { lookUp } from '../namespace/lookup.js';
import type { ContainerReader } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import { isAtOrBelow } from '../paths/is-below.js';
import { type FileStatus, S_IFMT } from '../posix/file-status.js';
import { CURRENT_DIRECTORY, close, Open, openAt, readLinkAt, statAt } from '../posix/libc.js';
import { PosixError } from '../posix/posix-error.js';
import { ALL, type Chooser, chooserOf } from './choice.js';
import type { ExportJobOptions } from './options.js';
import { KEPT_WHOLE } from './target/kept-attributes.js';
import { fileNameOf, requirePlace, targetPath } from './target-path.js';
import { fateOf } from './tasks/write-entry.js';

const S_IFDIR = 0o040000;

/** What an export would do. Directories count as written. */
export interface ExportDryRun {
  readonly written: number;
  readonly replaced: number;
  readonly left: number;
  /**
   * Entries of which the container does not have what it should (more may show when they are read), or for which
   * something stands in the way that is not replaced.
   */
  readonly failed: number;
  readonly excluded: number;
  /** Bytes of file data that would be written. */
  readonly bytes: number;
}

/** What is to be told of it as it goes. */
export interface ExportDryRunOptions
  extends Pick<ExportJobOptions, 'path' | 'target' | 'overwrite' | 'choice' | 'signal'> {
  readonly onProgress?: (entries: number) => void;
}

/**
 * Goes over a tree and its target, and tells what an export would do. Nothing is written, and nothing made. Where some
 * names of a file with several are missing, it is not foretold which of those that are there the others become links of:
 * then more may be told as written than is.
 *
 * @param reader by a listing of the container
 * @throws ClfsError `not-found`, `usage`; whatever the container throws beside
 */
export async function exportDryRun(reader: ContainerReader, options: ExportDryRunOptions): Promise<ExportDryRun> {
  const { path = new Uint8Array(0), target, overwrite = 'if-different', choice = ALL, onProgress, signal } = options;
  const start = await lookUp(reader, path);
  const isTree = start.found.inode.attributes.type === ObjectType.directory;
  const where = await targetPath(target, isTree ? undefined : fileNameOf(start.path));
  await requirePlace(where, start.found.inode.attributes.type);
  const chooser = chooserOf(choice);
  const counts = { written: 0, replaced: 0, left: 0, failed: 0, excluded: 0, bytes: 0 };
  const names = new TargetNames(where.directory);
  const linked = new Set<string>();
  try {
    let entries = 0;
    /** A directory that cannot be made, with what is below it. */
    let blocked: Buffer | undefined;
    for await (const { path: below, name, found } of walk(reader, start.found.id)) {
      signal?.throwIfAborted();
      await reader.pause();
      onProgress?.(++entries);
      if (blocked && isAtOrBelow(below, blocked)) continue;
      const isDirectory = found?.inode.attributes.type === ObjectType.directory;
      const choices = chosen(chooser, below, isDirectory || !found);
      if (choices === 'below') continue;
      if (choices === 'left out') counts.excluded++;
      else if (!found) {
        counts.failed++;
        // The rest of a directory cannot be read: then the directory has failed.
        if (name.length === 0) counts.written--;
      } else {
        const { attributes } = found.inode;
        const there = names.look(where.name ?? below);
        const isDirectoryThere = there !== undefined && (there.mode & S_IFMT) === S_IFDIR;
        if (isDirectory && there && !isDirectoryThere && overwrite === 'never') {
          counts.failed++;
          blocked = below;
        } else if (isDirectory) counts.written++;
        else if (isDirectoryThere && overwrite !== 'never') counts.failed++;
        else {
          const readLink = () => names.readLink(where.name ?? below);
          // Which names a file that is there has is not looked at: as many as it should have are taken for the right ones.
          const fate = await fateOf(
            { overwrite, kept: KEPT_WHOLE },
            there,
            found,
            readLink,
            isTree ? () => attributes.linkCount : undefined,
          );
          counts[fate === 'stays' ? 'left' : there ? 'replaced' : 'written']++;
          if (fate !== 'written') continue;
          const key = Buffer.from(found.id).toString('latin1');
          const isFurtherName = isTree && attributes.linkCount > 1 && linked.has(key);
          if (isTree && attributes.linkCount > 1) linked.add(key);
          if (attributes.type === ObjectType.regular && !isFurtherName) counts.bytes += Number(attributes.lengthBytes);
        }
      }
    }
  } finally {
    names.close();
  }
  return counts;
}

/** Whether an entry is exported; `below`: it is in a directory that is left out, and not counted. */
function chosen(chooser: Chooser, path: Buffer, isDirectory: boolean): 'taken' | 'left out' | 'below' {
  if (path.length === 0) return 'taken';
  let prefix = '';
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf(0x2f, at);
    const end = slash < 0 ? path.length : slash;
    const name = path.subarray(at, end);
    if (!chooser.takes(prefix, name)) return end === path.length ? 'left out' : 'below';
    prefix += `${name.toString('latin1')}/`;
    if (end === path.length && !isDirectory && !chooser.takesFile(name)) return 'left out';
    at = end + 1;
  }
  return 'taken';
}

/** What is there in a target, without following a symlink below it. */
class TargetNames {
  readonly #root: number | undefined;
  #latest: { readonly path: Buffer; readonly fd: number | undefined } | undefined;

  constructor(directory: Buffer) {
    this.#root = openQuietly(CURRENT_DIRECTORY, directory, 0);
  }

  /** lstat of an entry; undefined when it is not there. */
  look(path: Buffer): FileStatus | undefined {
    const slash = path.lastIndexOf(0x2f);
    const fd = this.#directory(path.subarray(0, Math.max(0, slash)));
    if (fd === undefined) return undefined;
    try {
      return statAt(fd, path.length === 0 ? Buffer.from('.') : path.subarray(slash + 1));
    } catch (error) {
      if (error instanceof PosixError) return undefined;
      throw error;
    }
  }

  /** Text of a symlink that is there; empty when it is not any more. */
  readLink(path: Buffer): Buffer {
    const slash = path.lastIndexOf(0x2f);
    const fd = this.#directory(path.subarray(0, Math.max(0, slash)));
    try {
      return fd === undefined ? Buffer.alloc(0) : readLinkAt(fd, path.subarray(slash + 1));
    } catch (error) {
      if (error instanceof PosixError) return Buffer.alloc(0);
      throw error;
    }
  }

  close(): void {
    if (this.#latest?.fd !== undefined) close(this.#latest.fd);
    if (this.#root !== undefined) close(this.#root);
  }

  #directory(path: Buffer): number | undefined {
    if (this.#latest?.path.equals(path)) return this.#latest.fd;
    if (this.#latest?.fd !== undefined) close(this.#latest.fd);
    let fd = this.#root === undefined ? undefined : openQuietly(this.#root, Buffer.from('.'), Open.noFollow);
    for (let at = 0; at < path.length && fd !== undefined; ) {
      const slash = path.indexOf(0x2f, at);
      const end = slash < 0 ? path.length : slash;
      const next = openQuietly(fd, path.subarray(at, end), Open.noFollow);
      close(fd);
      fd = next;
      at = end + 1;
    }
    this.#latest = { path: Buffer.from(path), fd };
    return fd;
  }
}

function openQuietly(at: number, name: Uint8Array, flags: number): number | undefined {
  try {
    return openAt(at, name, Open.path | Open.directory | flags);
  } catch (error) {
    if (error instanceof PosixError) return undefined;
    throw error;
  }
}

import { isClfsError, messageOf } from '../error.js';
import { decodeDirents, isDotDot } from '../format/dirents.js';
import { hash64Hex } from '../format/hash.js';
import { bytesEqual, ENTRY_TYPE_NAMES, idHex, isRootId, ObjectType, ROOT_ID } from '../format/ids.js';
import type { ObjectBlob } from '../namespace/object-blob.js';
import type { FoundInode } from '../namespace/reader.js';
import { type WalkedEntry, walk } from '../namespace/walk.js';
import { joinPath } from '../paths/join-path.js';
import { SpilledMap } from '../spill/spilled-map.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { checkEntry, isEnteredTwice } from './check-entry.js';
import { hashBytes } from './check-references.js';
import type { FsckContext } from './fsck-context.js';
import { countLoads } from './fsck-loads.js';

/** Inodes that are fetched at once. */
const FETCH_AHEAD = 64;
const ROOT_HASH = hashOf(ROOT_ID);

/** Inodes that no directory lists because the directory itself is not there: no fault of theirs. */
export interface WithoutRoot {
  /** Inodes that belong to the root. */
  readonly rootEntries: number;
  /** Directories whose inodes are not in the container, though inodes belong to them. */
  readonly missingDirectories: number;
  /** Inodes that belong to these. */
  readonly missingDirectoryEntries: number;
  /** Inodes that belong to directories which cannot be read as a whole: an error tells of each of these. */
  readonly unreadDirectoryEntries: number;
}

/**
 * Checks a container whose root cannot be read: each tree below a directory whose parent is not there, and each inode
 * that no directory lists.
 *
 * Which directory an inode belongs to is told by the owner in its name. Source: docs/format.md 3.2
 */
export async function checkWithoutRoot(context: FsckContext, onEntry: () => void): Promise<WithoutRoot> {
  const check = new RootlessCheck(context, onEntry);
  await check.findDirectories();
  await check.walkDirectories();
  await check.checkOthers();
  return check.finish();
}

class RootlessCheck {
  readonly #context: FsckContext;
  readonly #onEntry: () => void;
  /** Ids of directories by their hashes. */
  readonly #directories = new SpilledMap();
  /** Hashes of directories whose entries are not all known. */
  readonly #unread = new SpilledSet();
  /** Directories entered by any walk. */
  readonly #entered: ByteSet;
  /** Directories that a walk began with, and that no directory was seen to list. */
  readonly #tops: ByteSet;
  /** Numbers of inodes by the hash of a directory that is not in the container. */
  readonly #missing = new SpilledMap();
  readonly #loads = countLoads();
  #unreadEntries = 0;

  constructor(context: FsckContext, onEntry: () => void) {
    this.#context = context;
    this.#onEntry = onEntry;
    this.#entered = context.index.idSet();
    this.#tops = context.index.idSet();
    context.withoutRoot = {
      isRead: async (directory) =>
        !isRootId(directory) &&
        !this.#unread.has(hashOf(directory)) &&
        (await context.index.find(directory)) !== undefined,
      countLoad: (ids, name) => this.#loads.count(ids, name),
      close: () => {
        for (const each of [this.#directories, this.#unread, this.#entered, this.#tops, this.#missing]) each.close();
      },
    };
  }

  async findDirectories(): Promise<void> {
    for await (const { key } of this.#directoryBlobs()) this.#directories.set(hashOf(key.id), key.id);
  }

  async *#directoryBlobs(): AsyncGenerator<ObjectBlob> {
    const { index, turns } = this.#context;
    for await (const page of index.all()) {
      for (const blob of page) {
        await turns.next();
        if (blob.key.type === ObjectType.directory && !isRootId(blob.key.id)) yield blob;
      }
    }
  }

  async walkDirectories(): Promise<void> {
    const { used } = this.#context;
    for await (const blob of this.#directoryBlobs()) {
      if (this.#directories.has(hashBytes(blob.key.ownerHash)) || used.has(blob.key.id)) continue;
      await this.#walkFrom(blob, this.#countUnlisted(blob));
    }
    for await (const blob of this.#directoryBlobs()) {
      while (!used.has(blob.key.id)) {
        const top = await this.#topAbove(blob);
        await this.#walkFrom(top, this.#countUnlisted(top));
      }
    }
  }

  /** Inodes that are no directories and that no directory lists. */
  async checkOthers(): Promise<void> {
    const { index, used, turns } = this.#context;
    const ahead: Promise<WalkedEntry>[] = [];
    for await (const page of index.all()) {
      for (const blob of page) {
        await turns.next();
        const { id, nameVersion, type } = blob.key;
        if (nameVersion === 1 || type >= ENTRY_TYPE_NAMES.length || type === ObjectType.directory || used.has(id))
          continue;
        if (!this.#countUnlisted(blob)) continue;
        if (ahead.length >= FETCH_AHEAD) await this.#check(await (ahead.shift() as Promise<WalkedEntry>));
        const entry = this.#read(blob);
        entry.catch(() => undefined);
        ahead.push(entry);
      }
    }
    for (const entry of ahead) await this.#check(await entry);
  }

  finish(): WithoutRoot {
    const { report } = this.#context;
    this.#loads.report(report);
    const rootEntries = numberOf(this.#missing.get(ROOT_HASH));
    this.#missing.delete(ROOT_HASH);
    const missingDirectories = this.#missing.size;
    let missingDirectoryEntries = 0;
    const shown: string[] = [];
    for (const [hash, count] of this.#missing.entries()) {
      missingDirectoryEntries += numberOf(count);
      if (shown.length < HASHES_SHOWN) shown.push(idHex(hash));
    }
    if (missingDirectories > 0) {
      report(
        'warning',
        'missing-directory',
        undefined,
        undefined,
        `${missingDirectoryEntries} inodes belong to ${missingDirectories} directories whose inodes are not in the container: not written before the load stopped, or lost. ` +
          `Where the load had written everything but the root, each of them is lost. The hashes of their ids: ${shown.join(', ')}${missingDirectories > HASHES_SHOWN ? ', …' : ''}.`,
      );
    }
    return { rootEntries, missingDirectories, missingDirectoryEntries, unreadDirectoryEntries: this.#unreadEntries };
  }

  /** @returns false for an orphan: its directory is there, can be read, and does not list it */
  #countUnlisted(blob: ObjectBlob): boolean {
    const { type } = blob.key;
    const owner = hashBytes(blob.key.ownerHash);
    if (!this.#directories.has(owner)) this.#missing.set(owner, numberBytes(numberOf(this.#missing.get(owner)) + 1));
    else if (this.#unread.has(owner)) this.#unreadEntries++;
    else {
      if (type === ObjectType.directory) {
        const message =
          'Its directory is in the container and does not list this directory inode. What is below it is not named again.';
        this.#context.report('error', 'orphan', undefined, blob.name, message);
      }
      return false;
    }
    return true;
  }

  /** The topmost directory above one that no walk has come to, by the owners in names. */
  async #topAbove(blob: ObjectBlob): Promise<ObjectBlob> {
    const climbed = new SpilledSet();
    try {
      let top = blob;
      for (;;) {
        climbed.add(top.key.id);
        const above = this.#directories.get(hashBytes(top.key.ownerHash));
        if (!above || climbed.has(above) || this.#context.used.has(above)) return top;
        top = (await this.#context.index.find(above)) as ObjectBlob;
      }
    } finally {
      climbed.close();
    }
  }

  async #walkFrom(top: ObjectBlob, isWanted: boolean): Promise<void> {
    const context = this.#context;
    let prefix = Buffer.alloc(0);
    this.#tops.add(top.key.id);
    for await (const walked of walk(context.reader, top.key.id, this.#entered)) {
      await context.turns.next();
      this.#onEntry();
      const isTop = bytesEqual(walked.handle, top.key.id) && !context.used.has(top.key.id);
      if (isTop && walked.found) prefix = Buffer.from(walked.found.inode.name);
      const entry =
        isTop && walked.found ? this.#unlisted(walked.found) : { ...walked, path: joinPath(prefix, walked.path) };
      if (isEnteredTwice(entry)) {
        if (isWanted) await this.#reportTwice(entry);
      } else if (isWanted || !this.#belongsElsewhere(entry)) {
        this.#noteUnread(entry);
        await checkEntry(context, entry);
      }
    }
    context.used.add(top.key.id);
  }

  /** An inode as the entry that its own records say it is. */
  #unlisted(found: FoundInode): WalkedEntry {
    const { name } = found.inode;
    const parent = found.inode.backPointers?.[0] ?? dotDotOf(found) ?? found.id;
    return { path: Buffer.from(name), name, handle: found.id, parent, found, error: undefined };
  }

  /** Whether an entry of an orphan is that of another directory: the orphan is at fault, not the entry. */
  #belongsElsewhere({ found, parent }: WalkedEntry): boolean {
    if (!found || !this.#context.used.has(found.id)) return false;
    const { inode, blob } = found;
    return inode.backPointers
      ? !inode.backPointers.some((id) => bytesEqual(id, parent))
      : blob.key.ownerHash !== hash64Hex(parent);
  }

  /** A directory that is listed by one that its name does not give as its owner, or by two. */
  async #reportTwice(entry: WalkedEntry): Promise<void> {
    const { index, report } = this.#context;
    const blob = await index.find(entry.handle);
    if (blob && this.#tops.delete(entry.handle))
      report('error', 'owner', entry.path, blob.name, 'The name has another owner than the parent directory.');
    else report('error', 'directory-cycle', entry.path, blob?.name ?? idHex(entry.handle), messageOf(entry.error));
  }

  #noteUnread({ error, handle }: WalkedEntry): void {
    if (error) this.#unread.add(hashOf(handle));
  }

  async #read(blob: ObjectBlob): Promise<WalkedEntry> {
    const { id } = blob.key;
    try {
      return this.#unlisted(await this.#context.reader.inode(id));
    } catch (error) {
      if (!isClfsError(error, 'format', 'not-found')) throw error;
      return { path: Buffer.alloc(0), name: Buffer.alloc(0), handle: id, parent: id, found: undefined, error };
    }
  }

  async #check(entry: WalkedEntry): Promise<void> {
    this.#onEntry();
    await checkEntry(this.#context, entry);
  }
}

const HASHES_SHOWN = 5;

function hashOf(id: Uint8Array): Buffer {
  return hashBytes(hash64Hex(id));
}

function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** The number in a map, 0 where there is none. */
function numberOf(bytes: Uint8Array | undefined): number {
  return bytes ? Buffer.from(bytes).readDoubleLE() : 0;
}

function dotDotOf(found: FoundInode): Uint8Array | undefined {
  try {
    return decodeDirents(found.inode.dirents ?? Buffer.alloc(0)).find(({ name }) => isDotDot(name))?.handle;
  } catch (error) {
    if (isClfsError(error, 'format')) return undefined;
    throw error;
  }
}

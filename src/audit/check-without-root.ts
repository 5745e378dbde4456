import { isClfsError, messageOf } from '../error.js';
import { decodeDirents, isDotDot } from '../format/dirents.js';
import { hash64Hex } from '../format/hash.js';
import { bytesEqual, ENTRY_TYPE_NAMES, idHex, ObjectType, ROOT_ID } from '../format/ids.js';
import type { ObjectBlob } from '../namespace/object-finder.js';
import type { FoundInode } from '../namespace/reader.js';
import { type WalkedEntry, walk } from '../namespace/walk.js';
import { checkEntry, isEnteredTwice } from './check-entry.js';
import { HASH_CHARACTERS } from './check-references.js';
import type { FsckContext } from './fsck-context.js';
import { countLoads } from './fsck-loads.js';

/** Inodes that are fetched at once. */
const FETCH_AHEAD = 64;
const ROOT_HASH = hash64Hex(ROOT_ID);
const ROOT_HEX = idHex(ROOT_ID);

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
 * Checks a container whose root cannot be read: each tree below a directory whose parent is not there, and each inode that no
 * directory lists.
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
  /** Inodes of directories by the hash of their ids. */
  readonly #directories = new Map<string, ObjectBlob>();
  /** Hashes of directories whose entries are not all known. */
  readonly #unread = new Set<string>();
  /** Directories entered by any walk. */
  readonly #entered = new Set<string>();
  /** Directories that a walk began with, and that no directory was seen to list. */
  readonly #tops = new Set<ObjectBlob>();
  /** Inodes by the hash of a directory that is not in the container. */
  readonly #missing = new Map<string, number>();
  readonly #loads = countLoads();
  #unreadEntries = 0;

  constructor(context: FsckContext, onEntry: () => void) {
    this.#context = context;
    this.#onEntry = onEntry;
    context.withoutRoot = {
      isRead: (directory) => {
        const blob = context.index.objects.get(directory);
        return blob !== undefined && directory !== ROOT_HEX && !this.#unread.has(hashOf(blob));
      },
      countLoad: (ids, name) => this.#loads.count(ids, name),
    };
  }

  async findDirectories(): Promise<void> {
    const { index, turns } = this.#context;
    for (const [hex, blob] of index.objects) {
      await turns.next();
      if (blob.key.type === ObjectType.directory && hex !== ROOT_HEX) this.#directories.set(hashOf(blob), blob);
    }
  }

  async walkDirectories(): Promise<void> {
    const { used, turns } = this.#context;
    for (const blob of this.#directories.values()) {
      await turns.next();
      if (this.#directories.has(blob.key.ownerHash) || used.has(blob)) continue;
      await this.#walkFrom(blob, this.#countUnlisted(blob));
    }
    for (const blob of this.#directories.values()) {
      await turns.next();
      while (!used.has(blob)) {
        const top = this.#topAbove(blob);
        await this.#walkFrom(top, this.#countUnlisted(top));
      }
    }
  }

  /** Inodes that are no directories and that no directory lists. */
  async checkOthers(): Promise<void> {
    const { index, used, turns } = this.#context;
    const ahead: Promise<WalkedEntry>[] = [];
    for (const blob of index.objects.values()) {
      await turns.next();
      const { nameVersion, type } = blob.key;
      if (nameVersion === 1 || type >= ENTRY_TYPE_NAMES.length || type === ObjectType.directory || used.has(blob)) continue;
      if (!this.#countUnlisted(blob)) continue;
      if (ahead.length >= FETCH_AHEAD) await this.#check(await (ahead.shift() as Promise<WalkedEntry>));
      const entry = this.#read(blob);
      entry.catch(() => undefined);
      ahead.push(entry);
    }
    for (const entry of ahead) await this.#check(await entry);
  }

  finish(): WithoutRoot {
    const { report } = this.#context;
    this.#loads.report(report);
    const rootEntries = this.#missing.get(ROOT_HASH) ?? 0;
    this.#missing.delete(ROOT_HASH);
    const missingDirectories = this.#missing.size;
    const missingDirectoryEntries = [...this.#missing.values()].reduce((sum, count) => sum + count, 0);
    if (missingDirectories > 0) {
      report(
        'warning',
        'missing-directory',
        undefined,
        undefined,
        `${missingDirectoryEntries} inodes belong to ${missingDirectories} directories whose inodes are not in the container: not written before the load stopped, or lost. ` +
          `Where the load had written everything but the root, each of them is lost. The hashes of their ids: ${[...this.#missing.keys()].slice(0, HASHES_SHOWN).join(', ')}${missingDirectories > HASHES_SHOWN ? ', …' : ''}.`,
      );
    }
    return { rootEntries, missingDirectories, missingDirectoryEntries, unreadDirectoryEntries: this.#unreadEntries };
  }

  /** @returns false for an orphan: its directory is there, can be read, and does not list it */
  #countUnlisted(blob: ObjectBlob): boolean {
    const { ownerHash, type } = blob.key;
    if (!this.#directories.has(ownerHash)) this.#missing.set(ownerHash, (this.#missing.get(ownerHash) ?? 0) + 1);
    else if (this.#unread.has(ownerHash)) this.#unreadEntries++;
    else {
      if (type === ObjectType.directory) {
        const message = 'Its directory is in the container and does not list this directory inode. What is below it is not named again.';
        this.#context.report('error', 'orphan', undefined, blob.name, message);
      }
      return false;
    }
    return true;
  }

  /** The topmost directory above one that no walk has come to, by the owners in names. */
  #topAbove(blob: ObjectBlob): ObjectBlob {
    const climbed = new Set<ObjectBlob>();
    let top = blob;
    for (;;) {
      climbed.add(top);
      const above = this.#directories.get(top.key.ownerHash);
      if (!above || climbed.has(above) || this.#context.used.has(above)) return top;
      top = above;
    }
  }

  async #walkFrom(top: ObjectBlob, isWanted: boolean): Promise<void> {
    const context = this.#context;
    let prefix = Buffer.alloc(0);
    this.#tops.add(top);
    for await (const walked of walk(context.reader, top.key.id, this.#entered)) {
      await context.turns.next();
      this.#onEntry();
      const isTop = walked.found?.blob === top && !context.used.has(top);
      if (isTop && walked.found) prefix = Buffer.from(walked.found.inode.name);
      const entry = isTop && walked.found ? this.#unlisted(walked.found) : { ...walked, path: join(prefix, walked.path) };
      if (isEnteredTwice(entry)) {
        if (isWanted) this.#reportTwice(entry);
      } else if (isWanted || !this.#belongsElsewhere(entry)) {
        this.#noteUnread(entry);
        await checkEntry(context, entry);
      }
    }
    context.used.add(top);
  }

  /** An inode as the entry that its own records say it is. */
  #unlisted(found: FoundInode): WalkedEntry {
    const { name } = found.inode;
    const parent = found.inode.backPointers?.[0] ?? dotDotOf(found) ?? found.id;
    return { path: Buffer.from(name), name, handle: found.id, parent, found, error: undefined };
  }

  /** Whether an entry of an orphan is that of another directory: the orphan is at fault, not the entry. */
  #belongsElsewhere({ found, parent }: WalkedEntry): boolean {
    if (!found || !this.#context.used.has(found.blob)) return false;
    const { inode, blob } = found;
    return inode.backPointers ? !inode.backPointers.some((id) => bytesEqual(id, parent)) : blob.key.ownerHash !== hash64Hex(parent);
  }

  /** A directory that is listed by one that its name does not give as its owner, or by two. */
  #reportTwice(entry: WalkedEntry): void {
    const { index, report } = this.#context;
    const blob = index.objects.get(idHex(entry.handle));
    if (blob && this.#tops.delete(blob)) report('error', 'owner', entry.path, blob.name, 'The name has another owner than the parent directory.');
    else report('error', 'directory-cycle', entry.path, blob?.name ?? idHex(entry.handle), messageOf(entry.error));
  }

  #noteUnread({ error, handle }: WalkedEntry): void {
    if (error) this.#unread.add(hash64Hex(handle));
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

function hashOf(blob: ObjectBlob): string {
  return blob.name.slice(0, HASH_CHARACTERS);
}

function dotDotOf(found: FoundInode): Uint8Array | undefined {
  try {
    return decodeDirents(found.inode.dirents ?? Buffer.alloc(0)).find(({ name }) => isDotDot(name))?.handle;
  } catch (error) {
    if (isClfsError(error, 'format')) return undefined;
    throw error;
  }
}

function join(parent: Buffer, path: Buffer): Buffer {
  if (parent.length === 0 || path.length === 0) return parent.length === 0 ? path : parent;
  return Buffer.concat([parent, Buffer.from('/'), path]);
}

import { createHash } from 'node:crypto';
import { type DirectoryEntry, isDot, isDotDot, isSafeName } from '../format/dirents.js';
import { hash64Hex } from '../format/hash.js';
import { ENTRY_TYPE_NAMES, hintedType, idHex, isRootId, ObjectType, ROOT_ID } from '../format/ids.js';
import type { ObjectBlob } from '../namespace/object-blob.js';
import type { ObjectIndex } from '../namespace/object-index.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import type { ByteSet } from '../spill/spilled-set.js';
import { SpilledSet } from '../spill/spilled-set.js';
import { anchorDirectories } from './anchor.js';
import { inOrder, isComplete, orLost, parentOf, readEntries } from './read-inodes.js';
import type { Salvage, SalvageCounts, SalvageOptions } from './salvage.js';
import { groupId, isOfContainer, LOST_AND_FOUND_ID, versionId } from './salvage-ids.js';
import { SalvageOverlay } from './salvage-overlay.js';
import { Origin, SalvageTree } from './salvage-tree.js';

/**
 * Puts a tree together of all that can be reached in a container, with or without a root.
 *
 * What a directory lists is where that directory lists it. An inode that no directory lists is in the directory that it
 * says it belongs to, under the name that it says, where that directory, or a part of it, is missing or cannot be read;
 * where that directory is whole, or has such a name, in `lost+found/HANDLE OF THE DIRECTORY/`. Of a directory that
 * nobody knows the place of, that is the place.
 *
 * Each inode is read once. Names and places go to temporary files.
 *
 * @param reader by the index, without an overlay
 * @throws the signal's reason; ClfsError `temporary`; whatever the container throws beside `format` and `not-found`
 */
export async function findSalvage(
  reader: ContainerReader,
  index: ObjectIndex,
  options: SalvageOptions = {},
): Promise<Salvage> {
  const search = new Search(reader, index, options);
  try {
    return await search.run();
  } catch (error) {
    search.close();
    throw error;
  } finally {
    search.end();
  }
}

/** The directory that something belongs to, and its name there. */
interface Claim {
  readonly parent: Uint8Array | undefined;
  readonly name: Uint8Array;
}

/** What is to be known of an inode that is no directory. */
interface FileFacts {
  readonly claim: Claim;
  readonly isWhole: boolean;
  readonly hasLinks: boolean;
}

class Search {
  readonly #reader: ContainerReader;
  readonly #index: ObjectIndex;
  readonly #options: SalvageOptions;
  readonly #tree = new SalvageTree();
  /** Directories whose inodes are missing or cannot be read, and in which something is. */
  readonly #rebuilt = new SpilledSet();
  readonly #incomplete = new SpilledSet();
  /** Directories of which all entries are known. */
  readonly #whole: ByteSet;
  /** Directories whose inodes can be read. */
  readonly #readable: ByteSet;
  /** What is no directory, and some directory lists. */
  readonly #listed: ByteSet;
  readonly #hash = createHash('sha256');
  readonly #counts = { inodes: 0, unlisted: 0, rebuilt: 0, partial: 0, incomplete: 0, versions: 0, unreadable: 0 };
  #seen = 0;

  constructor(reader: ContainerReader, index: ObjectIndex, options: SalvageOptions) {
    this.#reader = reader;
    this.#index = index;
    this.#options = options;
    this.#whole = index.idSet();
    this.#readable = index.idSet();
    this.#listed = index.idSet();
  }

  async run(): Promise<Salvage> {
    for await (const { blob, result } of inOrder(this.#inodesOf(true), (each) => this.#read(each)))
      await this.#readDirectory(blob, result);
    for await (const { blob, result } of inOrder(this.#unplaced(), (each) => this.#read(each)))
      await this.#placeDirectory(blob, result);
    for await (const { blob, result } of inOrder(this.#inodesOf(false), (each) => this.#readFile(each)))
      await this.#takeFile(blob, result);
    for await (const { blob, result } of inOrder(this.#superseded(), (each) => this.#readSuperseded(each)))
      await this.#takeVersion(blob, result);
    if (!this.#readable.has(ROOT_ID)) this.#rebuild(ROOT_ID);
    anchorDirectories(this.#tree);
    this.#addLostAndFound();
    const counts: SalvageCounts = this.#counts;
    const parts = { tree: this.#tree, rebuilt: this.#rebuilt, incomplete: this.#incomplete };
    const overlay = new SalvageOverlay(this.#reader, parts);
    return { overlay, counts, listingHash: this.#hash.digest('hex'), close: () => this.close() };
  }

  /** Gives back what only the search needs. */
  end(): void {
    for (const each of [this.#whole, this.#readable, this.#listed]) each.close();
  }

  close(): void {
    for (const each of [this.#tree, this.#rebuilt, this.#incomplete]) each.close();
  }

  async *#inodesOf(directories: boolean): AsyncGenerator<ObjectBlob> {
    for await (const page of this.#index.all()) {
      for (const blob of page) {
        if (directories) this.#hash.update(`${blob.name} ${blob.sizeBytes}\n`);
        if (isInode(blob) && (blob.key.type === ObjectType.directory) === directories) yield blob;
      }
      await this.#pause();
    }
  }

  async *#unplaced(): AsyncGenerator<ObjectBlob> {
    for await (const page of this.#index.all()) {
      for (const blob of page) {
        const { type, id } = blob.key;
        if (isInode(blob) && type === ObjectType.directory && !isRootId(id) && !this.#tree.isPlaced(id)) yield blob;
      }
      await this.#pause();
    }
  }

  async *#superseded(): AsyncGenerator<ObjectBlob> {
    for await (const page of this.#index.superseded()) {
      for (const blob of page) {
        this.#hash.update(`${blob.name} ${blob.sizeBytes}\n`);
        // What only an older version of a directory lists is found by its own records.
        if (isInode(blob) && blob.key.type !== ObjectType.directory) yield blob;
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    this.#options.signal?.throwIfAborted();
    this.#options.onProgress?.(this.#seen);
    await this.#reader.pause();
  }

  async #readDirectory({ key: { id } }: ObjectBlob, found: FoundInode | undefined): Promise<void> {
    this.#seen++;
    if (!found?.inode.dirents) {
      this.#counts.unreadable++;
      return;
    }
    this.#counts.inodes++;
    this.#readable.add(id);
    const ownHash = hash64Hex(id);
    if (await readEntries(this.#reader, found, (entry) => this.#list(id, ownHash, entry))) this.#whole.add(id);
    else this.#counts.partial++;
  }

  async #list(directory: Buffer, ownHash: string, { name, handle }: DirectoryEntry): Promise<void> {
    if (isDot(name) || isDotDot(name) || !isSafeName(name) || isRootId(handle)) return;
    const tree = this.#tree;
    const blob = await this.#index.find(handle);
    const isDirectory = blob ? isDirectoryBlob(blob) : hintedType(handle) === ObjectType.directory;
    const there = tree.get(directory, name);
    if (there?.id.equals(handle)) return;
    const place = there ? tree.freeName(directory, name, handle) : name;
    if (!isDirectory) {
      tree.set(directory, place, handle, Origin.listed);
      if (blob) this.#listed.add(handle);
      return;
    }
    // Of two directories that list one, the one that its name gives as its owner has it.
    const before = tree.parentOf(handle);
    if (before && (blob?.key.ownerHash !== ownHash || hash64Hex(before) === ownHash)) return;
    tree.place(directory, place, handle, Origin.listed);
  }

  /** A directory that no other one lists. */
  async #placeDirectory({ key: { id } }: ObjectBlob, found: FoundInode | undefined): Promise<void> {
    // It may have got its place as that of something else.
    if (this.#tree.isPlaced(id)) return;
    this.#counts.unlisted++;
    const parent = found && parentOf(found);
    if (found && parent) await this.#place(id, { parent, name: found.inode.name }, true);
    else this.#lose(id);
  }

  #read(blob: ObjectBlob): Promise<FoundInode | undefined> {
    return orLost(() => this.#reader.inode(blob.key.id));
  }

  async #readFile(blob: ObjectBlob): Promise<FileFacts | undefined> {
    return this.#claimOf(await this.#read(blob));
  }

  async #readSuperseded(blob: ObjectBlob): Promise<FileFacts | undefined> {
    return this.#claimOf(await orLost(() => this.#reader.inodeIn(blob)));
  }

  async #claimOf(found: FoundInode | undefined): Promise<FileFacts | undefined> {
    if (!found) return undefined;
    const isRegular = found.inode.attributes.type === ObjectType.regular;
    const isWhole = !isRegular || (await isComplete(this.#reader, found));
    const hasLinks = (found.inode.backPointers?.length ?? 0) > 1;
    return { claim: { parent: parentOf(found), name: found.inode.name }, isWhole, hasLinks };
  }

  async #takeFile({ key: { id } }: ObjectBlob, read: FileFacts | undefined): Promise<void> {
    this.#seen++;
    this.#counts[read ? 'inodes' : 'unreadable']++;
    if (read && !read.isWhole) this.#addIncomplete(id);
    if (this.#listed.has(id)) {
      if (read?.hasLinks) await this.#placeFirstName(id, read.claim);
      return;
    }
    this.#counts.unlisted++;
    if (read) await this.#place(id, read.claim, false);
    else this.#lose(id);
  }

  async #takeVersion({ name, key }: ObjectBlob, read: FileFacts | undefined): Promise<void> {
    this.#seen++;
    if (!read) {
      this.#counts.unreadable++;
      return;
    }
    const id = versionId(name);
    this.#counts.versions++;
    if (!read.isWhole) this.#addIncomplete(id);
    await this.#place(id, read.claim, false, `version-${key.version}`);
  }

  #addIncomplete(id: Uint8Array): void {
    this.#counts.incomplete++;
    this.#incomplete.add(id);
  }

  /** @param mark of a version: it belongs beside the one that counts */
  async #place(id: Buffer, { parent, name: claimed }: Claim, isDirectory: boolean, mark = ''): Promise<void> {
    const tree = this.#tree;
    const name = isSafeName(claimed) ? claimed : Buffer.from(idHex(id));
    const home = await this.#homeOf(parent, mark !== '', name);
    if (!home) {
      this.#lose(id);
      return;
    }
    const there = tree.get(home, name);
    if (there && !isDirectory && mark === '' && !tree.isPlaced(there.id)) {
      // The later of two tries has the name: handles rise.
      tree.set(home, tree.freeName(home, name, there.id), there.id, Origin.recorded);
      tree.set(home, name, id, Origin.recorded);
      return;
    }
    const free = tree.freeName(home, name, id, mark);
    if (isDirectory) tree.place(home, free, id, Origin.recorded);
    else tree.set(home, free, id, Origin.recorded);
  }

  /** Of a file with several names some may be listed, and the one that it says of itself may have been lost. */
  async #placeFirstName(id: Buffer, claim: Claim): Promise<void> {
    const { parent, name } = claim;
    if (!parent || !isSafeName(name) || this.#whole.has(parent) || this.#tree.get(parent, name)) return;
    if ((await this.#homeOf(parent, false, name)) === parent) this.#tree.set(parent, name, id, Origin.recorded);
  }

  /** The directory in which something is to be that says it belongs to `parent`. */
  async #homeOf(parent: Uint8Array | undefined, isVersion: boolean, name: Uint8Array): Promise<Uint8Array | undefined> {
    if (!parent || !isOfContainer(parent)) return undefined;
    const tree = this.#tree;
    const blob = await this.#index.find(parent);
    const isOther = blob !== undefined && !isDirectoryBlob(blob);
    const isListedWhole = this.#whole.has(parent) && !isVersion;
    const isTaken = !isVersion && tree.get(parent, name)?.origin === Origin.listed;
    if (isOther || isListedWhole || isTaken) {
      const group = groupId(parent);
      if (!tree.isPlaced(group)) this.#lose(group, parent);
      return group;
    }
    if (!this.#readable.has(parent)) this.#rebuild(parent);
    return parent;
  }

  /** A directory that something belongs to, and of which nothing is known beside. */
  #rebuild(id: Uint8Array): void {
    if (!this.#rebuilt.add(id)) return;
    this.#counts.rebuilt++;
    if (!isRootId(id) && !this.#tree.isPlaced(id)) this.#lose(id);
  }

  /** Puts what has no other place into `lost+found`. @param named its name there, as hex */
  #lose(id: Uint8Array, named: Uint8Array = id): void {
    const tree = this.#tree;
    const name = tree.freeName(LOST_AND_FOUND_ID, Buffer.from(idHex(named)), id);
    tree.place(LOST_AND_FOUND_ID, name, id, Origin.recorded);
  }

  #addLostAndFound(): void {
    for (const page of this.#tree.entries(LOST_AND_FOUND_ID)) {
      if (page.length === 0) continue;
      const name = this.#tree.freeName(ROOT_ID, Buffer.from('lost+found'), LOST_AND_FOUND_ID);
      this.#tree.place(ROOT_ID, name, LOST_AND_FOUND_ID, Origin.recorded);
      return;
    }
  }
}

/** Whether a blob is the inode of an entry, by its name. */
function isInode({ key: { nameVersion, type } }: ObjectBlob): boolean {
  return nameVersion === 2 && type >= ObjectType.regular && type < ENTRY_TYPE_NAMES.length;
}

function isDirectoryBlob(blob: ObjectBlob): boolean {
  return isInode(blob) && blob.key.type === ObjectType.directory;
}

import { setImmediate } from 'node:timers/promises';
import { ClfsError } from '../error.js';
import { indirectNodes } from '../format/block-map.js';
import { directoryEntryBytes, directoryPieceCapacity } from '../format/dirents.js';
import { fileBlockCount, type Geometry, maximumBlockCount } from '../format/geometry.js';
import { BLOCK_ID_BYTES, HANDLE_BYTES, ObjectType } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { type Selection, type SelectionRule, selectionRules } from '../source/selection.js';
import type { SourceAttributes, SourceDirectory, SourceTree } from '../source/source-tree.js';
import { countUnstorable, NOTHING_UNSTORABLE, type UnstorableCount } from './unstorable-count.js';

/** Directories with the most entries that are named. */
const LARGEST_SHOWN = 10;
/** Unreadable entries that are named. */
const UNREADABLE_SHOWN = 10;
/** Entries after which the caller gets its turn. */
const TURN_ENTRIES = 512;

/** What a load of a tree would write. */
export interface TreeSize {
  /** Entries that would be loaded, the root included; a linked inode counts once where links are preserved. */
  readonly entries: number;
  /** By type, at the place of its number. */
  readonly types: readonly number[];
  /** Bytes of file data. */
  readonly bytes: number;
  /** Objects of the tree: inodes, segments and indirect blocks. */
  readonly objects: number;
  /** Inodes with several links, and their names in the tree; 0 unless links are preserved, or `audit` is set. */
  readonly linkGroups: number;
  readonly linkNames: number;
  readonly unreadable: number;
  /** The first of those that are unreadable, and why. */
  readonly unreadableFirst: readonly { readonly path: Uint8Array; readonly message: string }[];
  /** With `audit`: what of the selection has left nothing out, as the flag that says so. */
  readonly unmatched: readonly string[];
  readonly excluded: number;
  /** What the format cannot hold; undefined when it was not looked for, or the source cannot tell. */
  readonly unstorable: UnstorableCount | undefined;
  /** The directories with the most entries, largest first. */
  readonly largest: readonly { readonly path: Uint8Array; readonly entries: number }[];
}

/** How a tree is sized. */
export interface SizeOptions {
  readonly preserveHardLinks: boolean;
  readonly geometry: Geometry;
  /** Count what the format cannot hold too: one more system call an entry. */
  readonly unstorable?: boolean;
  /** Look closely, as a dry run does: at links that are not preserved, and by opening each file. */
  readonly audit?: boolean;
  /** What is left out of the tree, which is told by {@link TreeSize.unmatched}. */
  readonly selection?: Selection;
}

/**
 * Goes over a tree without reading any file.
 *
 * Without `audit` only what lstat tells is known: a file that lists but cannot be opened counts as if it could.
 *
 * @throws ClfsError `source` when the root cannot be read
 */
export async function sizeTree(
  source: SourceTree,
  options: SizeOptions,
  onProgress: (size: TreeSize) => void = () => undefined,
  signal?: AbortSignal,
): Promise<TreeSize> {
  const sizer = new Sizer(source, options);
  for (let turn = 0; sizer.step(); turn++) {
    if (turn % TURN_ENTRIES !== 0) continue;
    await setImmediate();
    signal?.throwIfAborted();
    onProgress(sizer.size());
  }
  return sizer.size();
}

class Sizer {
  readonly #source: SourceTree;
  readonly #preserveHardLinks: boolean;
  readonly #geometry: Geometry;
  readonly #types = new Array<number>(8).fill(0);
  readonly #seen = new Set<string>();
  readonly #seenDirectories = new Set<string>();
  readonly #open: Buffer[] = [Buffer.alloc(0)];
  #listing: Generator<void> | undefined;
  #bytes = 0;
  #objects = 0;
  #linkNames = 0;
  #unreadable = 0;
  readonly #unreadableFirst: { path: Uint8Array; message: string }[] = [];
  readonly #audit: boolean;
  #unmatched: readonly SelectionRule[];
  #excluded = 0;
  #unstorable: UnstorableCount | undefined;
  #largest: { path: Uint8Array; entries: number }[] = [];

  constructor(source: SourceTree, { preserveHardLinks, geometry, unstorable, audit, selection }: SizeOptions) {
    this.#audit = audit === true;
    this.#unmatched = audit && selection ? selectionRules(selection) : [];
    this.#source = source;
    this.#unstorable = unstorable ? NOTHING_UNSTORABLE : undefined;
    this.#preserveHardLinks = preserveHardLinks;
    this.#geometry = geometry;
  }

  /** Looks at one entry more. @returns false at the end */
  step(): boolean {
    if (this.#listing) {
      if (!this.#listing.next().done) return true;
      this.#listing = undefined;
    }
    const path = this.#open.pop();
    if (path === undefined) return false;
    this.#listing = this.#directory(path);
    return true;
  }

  size(): TreeSize {
    return {
      entries: this.#types.reduce((sum, count) => sum + count),
      types: [...this.#types],
      bytes: this.#bytes,
      objects: this.#objects,
      linkGroups: this.#seen.size,
      linkNames: this.#linkNames,
      unreadable: this.#unreadable,
      unreadableFirst: [...this.#unreadableFirst],
      unmatched: this.#unmatched.map(({ flag }) => flag),
      excluded: this.#excluded,
      unstorable: this.#unstorable,
      largest: [...this.#largest],
    };
  }

  *#directory(path: Buffer): Generator<void> {
    let directory: SourceDirectory | undefined;
    // As they are written: files first, then directories, then linked names.
    const filesFirst: [number[], number[], number[]] = [[], [], []];
    let entries = 0;
    try {
      directory = this.#source.openDirectory(path);
      const self = directory.attributes();
      const identity = `${self.device}/${self.inode}`;
      if (this.#seenDirectories.has(identity))
        throw new ClfsError('entry', 'it is in the tree by another path already', {
          reason: 'directory-reached-twice',
        });
      this.#seenDirectories.add(identity);
      this.#look(directory, path, DOT);
      for (const batch of directory.list()) {
        for (const { name, excluded } of batch) {
          if (excluded) {
            this.#excluded++;
            this.#match(path, name);
            continue;
          }
          const attributes = this.#lookAt(directory, path, name);
          if (attributes) {
            entries++;
            filesFirst[this.#entry(directory, path, name, attributes)].push(name.length);
          }
          yield;
        }
      }
      this.#types[ObjectType.directory]++;
      this.#objects += this.#directoryObjects(path, filesFirst);
      this.#remember(path, entries);
    } catch (error) {
      if (!(error instanceof ClfsError) || error.code !== 'entry') throw error;
      if (path.length === 0)
        throw new ClfsError('source', `Cannot read the source: ${error.message}.`, { cause: error });
      this.#cannotRead(path, error.message);
    } finally {
      directory?.close();
    }
  }

  /** @returns 0 for a file, 1 for a directory, 2 for one of several names */
  #entry(directory: SourceDirectory, path: Buffer, name: Buffer, attributes: SourceAttributes): 0 | 1 | 2 {
    const { type } = attributes;
    if (type === ObjectType.directory) {
      this.#open.push(joinPath(path, name));
      return 1;
    }
    const linked = this.#preserveHardLinks && attributes.linkCount > 1;
    if (linked || (this.#audit && attributes.linkCount > 1)) {
      this.#linkNames++;
      const identity = `${attributes.device}/${attributes.inode}`;
      if (linked && this.#seen.has(identity)) return 2;
      this.#seen.add(identity);
    }
    this.#look(directory, path, name);
    this.#inode(path, name, attributes);
    return linked ? 2 : 0;
  }

  /** Attributes of an entry that can be read; undefined of one that cannot, which is counted. */
  #lookAt(directory: SourceDirectory, path: Buffer, name: Buffer): SourceAttributes | undefined {
    try {
      const attributes = directory.attributesOf(name);
      if (this.#audit && attributes.type === ObjectType.regular) directory.openFile(name).close();
      return attributes;
    } catch (error) {
      if (!(error instanceof ClfsError) || error.code !== 'entry') throw error;
      this.#cannotRead(joinPath(path, name), error.message);
      return undefined;
    }
  }

  #cannotRead(path: Uint8Array, message: string): void {
    this.#unreadable++;
    if (this.#unreadableFirst.length < UNREADABLE_SHOWN) this.#unreadableFirst.push({ path, message });
  }

  /** Something has been left out. */
  #match(directory: Buffer, name: Buffer): void {
    if (this.#unmatched.length > 0)
      this.#unmatched = this.#unmatched.filter(({ matches }) => !matches(directory, name));
  }

  #look(directory: SourceDirectory, path: Buffer, name: Buffer): void {
    this.#unstorable &&= countUnstorable(this.#unstorable, directory, path, name);
  }

  #inode(path: Buffer, name: Buffer, attributes: SourceAttributes): void {
    const { type } = attributes;
    const sizeBytes = Number(attributes.sizeBytes);
    if (type === ObjectType.regular) {
      const blocks = fileBlockCount(sizeBytes, this.#geometry);
      if (blocks > maximumBlockCount(this.#geometry)) {
        this.#cannotRead(joinPath(path, name), 'it needs more segments than the format has');
        return;
      }
      this.#bytes += sizeBytes;
      this.#objects += this.#objectsOf(blocks);
    } else this.#objects++;
    this.#types[type]++;
  }

  #directoryObjects(path: Buffer, names: readonly (readonly number[])[]): number {
    // The root has the short id of its own; it is its own parent, and that of the directories in it.
    const own = path.length === 0 ? BLOCK_ID_BYTES : HANDLE_BYTES;
    const parent = path.includes(0x2f) ? HANDLE_BYTES : BLOCK_ID_BYTES;
    let block = 0;
    let filled = directoryEntryBytes(1, own) + directoryEntryBytes(2, parent);
    for (const list of names) {
      for (const nameBytes of list) {
        const bytes = directoryEntryBytes(nameBytes, HANDLE_BYTES);
        if (filled + bytes > directoryPieceCapacity(block, this.#geometry)) {
          block++;
          filled = 0;
        }
        filled += bytes;
      }
    }
    return this.#objectsOf(block + 1);
  }

  /** Objects of an inode of so many blocks. */
  #objectsOf(blocks: number): number {
    if (blocks <= this.#geometry.directBlocks) return blocks;
    let indirect = 0;
    for (const _node of indirectNodes(blocks, this.#geometry)) indirect++;
    return blocks + indirect;
  }

  #remember(path: Uint8Array, entries: number): void {
    if (this.#largest.length === LARGEST_SHOWN && entries <= this.#largest[LARGEST_SHOWN - 1].entries) return;
    this.#largest = [...this.#largest, { path, entries }].sort((a, b) => b.entries - a.entries).slice(0, LARGEST_SHOWN);
  }
}

const DOT = Buffer.from('.');

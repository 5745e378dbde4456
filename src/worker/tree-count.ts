import { indirectNodes } from '../format/block-map.js';
import { directoryEntryBytes, directoryPieceCapacity } from '../format/dirents.js';
import { fileBlockCount, type Geometry, maximumBlockCount } from '../format/geometry.js';
import { BLOCK_ID_BYTES, HANDLE_BYTES, ObjectType } from '../format/ids.js';
import { joinPath } from '../paths/join-path.js';
import { type Selection, type SelectionRule, selectionRules } from '../source/selection.js';
import { entryFailure, type SourceAttributes, type Unstorable } from '../source/source-tree.js';
import { SpilledSet } from '../spill/spilled-set.js';
import { addEntry, NOTHING_UNSTORABLE, type UnstorableCount } from './unstorable-count.js';

/** Directories with the most entries that are named. */
const LARGEST_SHOWN = 10;
/** Unreadable entries that are named. */
const UNREADABLE_SHOWN = 10;

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

/** A directory that is gone over: lengths of the names in it, in the order in which they are written. */
export interface CountedDirectory {
  readonly path: Buffer;
  readonly filesFirst: readonly [number[], number[], number[]];
}

/**
 * What of a tree has been found so far. What is counted does not depend on the order in which it is found.
 *
 * To be closed. What adds to it may throw ClfsError `temporary`.
 */
export class TreeCount {
  readonly #options: SizeOptions;
  readonly #types = new Array<number>(8).fill(0);
  /** Inodes of several names, and directories: no set in memory holds those of a huge tree. */
  readonly #seen = new SpilledSet();
  readonly #seenDirectories = new SpilledSet();
  #linkGroups = 0;
  #bytes = 0;
  #objects = 0;
  #linkNames = 0;
  #unreadable = 0;
  readonly #unreadableFirst: { path: Uint8Array; message: string }[] = [];
  #unmatched: readonly SelectionRule[];
  #excluded = 0;
  #unstorable: UnstorableCount | undefined;
  #largest: { path: Uint8Array; entries: number }[] = [];

  constructor(options: SizeOptions) {
    this.#options = options;
    this.#unmatched = options.audit && options.selection ? selectionRules(options.selection) : [];
    this.#unstorable = options.unstorable ? NOTHING_UNSTORABLE : undefined;
  }

  size(): TreeSize {
    return {
      entries: this.#types.reduce((sum, count) => sum + count),
      types: [...this.#types],
      bytes: this.#bytes,
      objects: this.#objects,
      linkGroups: this.#linkGroups,
      linkNames: this.#linkNames,
      unreadable: this.#unreadable,
      unreadableFirst: [...this.#unreadableFirst],
      unmatched: this.#unmatched.map(({ flag }) => flag),
      excluded: this.#excluded,
      unstorable: this.#unstorable,
      largest: [...this.#largest],
    };
  }

  close(): void {
    for (const set of [this.#seen, this.#seenDirectories]) set.close();
  }

  /** @throws ClfsError `entry`: `directory-reached-twice` */
  beginDirectory(path: Buffer, { device, inode }: SourceAttributes): CountedDirectory {
    if (!this.#seenDirectories.add(Buffer.from(`${device}/${inode}`)))
      throw entryFailure('directory-reached-twice', 'it is in the tree by another path already');
    // As they are written: files first, then directories, then linked names.
    return { path, filesFirst: [[], [], []] };
  }

  endDirectory({ path, filesFirst }: CountedDirectory): void {
    this.#types[ObjectType.directory]++;
    this.#objects += this.#directoryObjects(path, filesFirst);
    this.#remember(
      path,
      filesFirst.reduce((sum, { length }) => sum + length, 0),
    );
  }

  /** @returns whether it is an inode of its own, not a further name of one or a directory: then it is to be looked at */
  entry({ path, filesFirst }: CountedDirectory, name: Buffer, attributes: SourceAttributes): boolean {
    const { type, linkCount, device, inode } = attributes;
    if (type === ObjectType.directory) {
      filesFirst[1].push(name.length);
      return false;
    }
    const { preserveHardLinks, audit } = this.#options;
    const linked = preserveHardLinks && linkCount > 1;
    filesFirst[linked ? 2 : 0].push(name.length);
    if (linked || (audit && linkCount > 1)) {
      this.#linkNames++;
      if (this.#seen.add(Buffer.from(`${device}/${inode}`))) this.#linkGroups++;
      else if (linked) return false;
    }
    this.#inode(path, name, attributes);
    return true;
  }

  /** Whether it is to be looked what of entries the format cannot hold. */
  get wantsUnstorable(): boolean {
    return this.#unstorable !== undefined;
  }

  /** @param unstorable undefined: the source cannot tell */
  look(path: Buffer, name: Buffer, unstorable: Unstorable | undefined): void {
    this.#unstorable &&= addEntry(this.#unstorable, unstorable, path, name);
  }

  cannotRead(path: Uint8Array, message: string): void {
    this.#unreadable++;
    if (this.#unreadableFirst.length < UNREADABLE_SHOWN) this.#unreadableFirst.push({ path, message });
  }

  /** Something has been left out. */
  exclude(directory: Buffer, name: Buffer): void {
    this.#excluded++;
    if (this.#unmatched.length > 0)
      this.#unmatched = this.#unmatched.filter(({ matches }) => !matches(directory, name));
  }

  #inode(path: Buffer, name: Buffer, attributes: SourceAttributes): void {
    const { type } = attributes;
    const { geometry } = this.#options;
    const sizeBytes = Number(attributes.sizeBytes);
    if (type === ObjectType.regular) {
      const blocks = fileBlockCount(sizeBytes, geometry);
      if (blocks > maximumBlockCount(geometry)) {
        this.cannotRead(joinPath(path, name), 'it needs more segments than the format has');
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
        if (filled + bytes > directoryPieceCapacity(block, this.#options.geometry)) {
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
    if (blocks <= this.#options.geometry.directBlocks) return blocks;
    let indirect = 0;
    for (const _node of indirectNodes(blocks, this.#options.geometry)) indirect++;
    return blocks + indirect;
  }

  #remember(path: Uint8Array, entries: number): void {
    if (this.#largest.length === LARGEST_SHOWN && entries <= this.#largest[LARGEST_SHOWN - 1].entries) return;
    this.#largest = [...this.#largest, { path, entries }].sort((a, b) => b.entries - a.entries).slice(0, LARGEST_SHOWN);
  }
}

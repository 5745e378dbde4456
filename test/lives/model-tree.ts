import type { EntryType } from '../../src/format/ids.js';
import { History } from './history.js';
import { DIRECTORY, Node, REGULAR, type Stamp, type Version } from './model-node.js';

/** A name in a directory of the model, and what it leads to. */
export interface Place {
  /** Below the root, components joined by `/`. */
  readonly path: string;
  readonly parent: Node;
  readonly name: string;
  readonly node: Node;
}

const FIRST_INODE = 100;
/** The file system that is mounted in that of the root. */
const MOUNTED = 1;
const FIRST_SECOND = 1_600_000_000;
const TICKS_A_SECOND = 16;

/** The clock of a file system that gives each change a time of its own. @param tick number of the change */
const exactClock = (tick: number): Stamp => ({
  seconds: FIRST_SECOND + Math.floor(tick / TICKS_A_SECOND),
  nanoseconds: (tick % TICKS_A_SECOND) * 1000 + 1,
});

/**
 * A POSIX tree in memory, with inodes, links and open files, that remembers all its past.
 *
 * Each change of an inode gives it the time of the file system's clock as its ctime: by default another one each time.
 * Numbers of inodes that are gone are used again when `reuse` says so, as ext4 does.
 */
export class ModelTree {
  readonly root: Node;
  readonly history = new History();
  readonly #versions = new Map<string, Version[]>();
  readonly #reuse: boolean;
  readonly #clock: (tick: number) => Stamp;
  readonly #free: number[] = [];
  #nextInode = FIRST_INODE;
  /** Of the file system that is mounted: its numbers are those of the root's, too. */
  #nextMounted = FIRST_INODE;
  /** Root of the file system that is mounted, which counts as part of the tree whether it is mounted just now or not. */
  mounted: Node | undefined;
  /** The directory that it is mounted over. */
  mountPoint: Node | undefined;
  #tick = 0;

  constructor(reuse: boolean, clock = exactClock) {
    this.#reuse = reuse;
    this.#clock = clock;
    this.root = this.makeNode(DIRECTORY);
    this.root.links = 2;
    this.touch(this.root, true);
  }

  makeNode(type: EntryType, content?: Buffer): Node {
    // The one that became free last: a directory that is removed and made anew has the number of the old one.
    const freed = this.#reuse ? this.#free.pop() : undefined;
    const node = new Node(freed ?? this.#nextInode++, type);
    if (content) node.content = content;
    if (type === DIRECTORY) node.links = 1;
    return node;
  }

  /** Whether changes have times of long ago, whenever they are made. */
  get timesArePast(): boolean {
    return this.#clock === exactClock;
  }

  /** Mounts a file system over a directory that is made for it, with a file in it that nobody sees. */
  mount(parent: Node, name: string): Node {
    const point = this.makeNode(DIRECTORY);
    this.enter(parent, name, point);
    this.enter(point, 'below', this.makeNode(REGULAR));
    const root = this.makeNode(DIRECTORY);
    root.links = 2;
    this.#move(root, MOUNTED);
    this.touch(root, true);
    parent.children.set(name, root);
    this.mountPoint = point;
    this.mounted = root;
    return root;
  }

  /** Path of what is mounted. */
  get mountPath(): string | undefined {
    return this.mounted && this.places().find(({ node }) => node === this.mounted)?.path;
  }

  /** What has no path yet is on another file system, with a number of that. */
  #move(node: Node, fileSystem: number): void {
    node.fileSystem = fileSystem;
    node.inode = this.#nextMounted++;
  }

  /** Everything below the root, each directory before what is in it. */
  places(): Place[] {
    const places: Place[] = [];
    const enter = (parent: Node, prefix: string) => {
      for (const [name, node] of parent.children) {
        const path = prefix + name;
        places.push({ path, parent, name, node });
        if (node.isDirectory) enter(node, `${path}/`);
      }
    };
    enter(this.root, '');
    return places;
  }

  /** What happened until now is seen by whoever looks at the tree from here on. */
  settle(): void {
    this.history.record(this);
  }

  /** An inode has changed. */
  touch(node: Node, modified: boolean): void {
    const ctime = this.#clock(++this.#tick);
    node.changed(this.#tick, ctime, modified);
    const versions = this.#versions.get(keyOf(ctime));
    if (versions) versions.push(node.version);
    else this.#versions.set(keyOf(ctime), [node.version]);
  }

  /** Every version of every inode that had this ctime. */
  versionsOf(ctime: Stamp): readonly Version[] {
    return this.#versions.get(keyOf(ctime)) ?? [];
  }

  /** Gives an inode a name, in place of what has it, as rename and link do. */
  enter(parent: Node, name: string, node: Node): void {
    if (node.isNew && node.fileSystem !== parent.fileSystem) this.#move(node, parent.fileSystem);
    if (parent.children.has(name)) this.leave(parent, name);
    parent.children.set(name, node);
    node.links++;
    if (node.isDirectory) parent.links++;
    this.touch(node, node.isNew);
    this.touch(parent, true);
  }

  /** Takes a name from an inode; one without names goes with what is in it. */
  leave(parent: Node, name: string): Node | undefined {
    const node = parent.children.get(name);
    if (!node) return undefined;
    parent.children.delete(name);
    node.links--;
    if (node.isDirectory) parent.links--;
    this.touch(node, false);
    this.touch(parent, true);
    if (node.isDirectory) {
      for (const child of [...node.children.keys()]) this.leave(node, child);
    }
    this.#freeUnused(node);
    return node;
  }

  /** Moves a name, as rename does: what has the new one goes. */
  move(from: Place, parent: Node, name: string): void {
    const node = from.node;
    node.opens++;
    from.parent.children.delete(from.name);
    node.links--;
    if (node.isDirectory) from.parent.links--;
    this.touch(from.parent, true);
    this.enter(parent, name, node);
    node.opens--;
  }

  write(node: Node, content: Buffer): void {
    node.content = content;
    this.touch(node, true);
  }

  /** Changes permissions or owners. */
  change(node: Node, change: { readonly permissions?: number; readonly uid?: number }): void {
    node.permissions = change.permissions ?? node.permissions;
    node.uid = change.uid ?? node.uid;
    this.touch(node, false);
  }

  opened(node: Node): void {
    node.opens++;
  }

  closed(node: Node): void {
    if (node.opens === 0) throw new Error(`The inode ${node.inode} of the model is closed once too often.`);
    node.opens--;
    this.#freeUnused(node);
  }

  /** A directory is inside itself or in what is below it: such a place is no target of a move. */
  contains(directory: Node, node: Node): boolean {
    if (directory === node) return true;
    for (const child of directory.children.values()) if (child.isDirectory && this.contains(child, node)) return true;
    return false;
  }

  #freeUnused(node: Node): void {
    const unlinked = node.links <= (node.isDirectory ? 1 : 0);
    if (unlinked && node.opens === 0 && node.fileSystem === 0 && node !== this.root) this.#free.push(node.inode);
  }
}

function keyOf({ seconds, nanoseconds }: Stamp): string {
  return `${seconds}.${nanoseconds}`;
}

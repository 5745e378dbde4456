import {
  type DirectoryIdentity,
  entryFailure,
  type ListedEntry,
  type SourceAttributes,
  type SourceDirectory,
  type SourceFile,
  type SourceTree,
} from '../../src/source/source-tree.js';
import { DIRECTORY, type Node, SOCKET, SYMLINK, type Version } from './model-node.js';
import type { ModelTree } from './model-tree.js';

/** Entries that a listing gives at once: few, so that much can happen between them. */
const BATCH = 3;

/** What a process sees of the source, and what stands between the two. */
export interface SourceView {
  readonly tree: ModelTree;
  /** Device of a file system in the present session. */
  deviceOf(fileSystem: number): string;
  /** Whether what is mounted in the tree is mounted now. */
  isMounted(): boolean;
  /** Name of the server that it comes from now. */
  mountName(): string;
  /** Whether the time is known at which directories were made. */
  readonly tellsBirth: boolean;
  /** Whether listings tell the types of entries. */
  readonly tellsTypes: boolean;
  /** Called when it is asked where the source is. */
  placeAsked(): void;
  /** Called before every call; may change the tree, and may throw. */
  before(what: 'directory' | 'entry'): void;
}

/** The port of the loader over a {@link ModelTree}, with the failures that the POSIX source has. */
export function openModelSource(view: SourceView): SourceTree {
  return {
    openDirectory(path, expected) {
      view.before('directory');
      const node = resolve(view, path);
      if (expected) requireIdentity(node, expected, view);
      return new ModelDirectory(view, node);
    },
    place() {
      view.placeAsked();
      const at = view.isMounted() ? view.tree.mountPath : undefined;
      const mounts =
        at === undefined ? {} : { [Buffer.from(at, 'latin1').toString('hex')]: `/ nfs4 ${view.mountName()}:/` };
      return { root: { source: 'the model' }, mounts };
    },
    close: () => undefined,
  };
}

/** What a name in a directory leads to now. */
function childOf({ tree, isMounted }: SourceView, directory: Node, name: string): Node | undefined {
  const child = directory.children.get(name);
  return child !== undefined && child === tree.mounted && !isMounted() ? tree.mountPoint : child;
}

function resolve(view: SourceView, path: Buffer): Node {
  let node = view.tree.root;
  for (const name of path.length === 0 ? [] : path.toString('latin1').split('/')) {
    if (!node.isDirectory) throw changedDirectory();
    if (node.isLocked) throw lockedDirectory();
    const next = childOf(view, node, name);
    if (!next || next.isLost) throw changedDirectory();
    node = next;
  }
  if (!node.isDirectory) throw changedDirectory();
  if (node.isLocked) throw lockedDirectory();
  return node;
}

function requireIdentity(node: Node, { device, inode, bornNs }: DirectoryIdentity, view: SourceView): void {
  const isSame = inode === BigInt(node.inode) && (bornNs === 0n || bornNs === node.version.attributes.bornNs);
  if (isSame && (device === undefined || device === view.deviceOf(node.fileSystem))) return;
  throw entryFailure('directory-changed', 'another directory has taken its place since it was listed');
}

function changedDirectory(): Error {
  return entryFailure('directory-changed', 'it was there when its parent was listed, and is not any more');
}

function lockedDirectory(): Error {
  return entryFailure('directory-unreadable', 'permission denied (EACCES)');
}

function lockedEntry(): Error {
  return entryFailure('entry-unreadable', 'permission denied (EACCES)');
}

/** An inode that is open. */
class OpenNode {
  protected readonly view: SourceView;
  protected readonly node: Node;
  /**
   * What the first look sees, where the times of the tree are long past: by those nobody could tell what came between
   * the opening and the look, as the time of a change that has just been made does.
   */
  #opened: Version | undefined;

  constructor(view: SourceView, node: Node) {
    this.view = view;
    this.node = node;
    if (view.tree.timesArePast) this.#opened = node.version;
    view.tree.opened(node);
  }

  close(): void {
    this.view.tree.closed(this.node);
  }

  protected attributesOfOpen(): SourceAttributes {
    const seen = this.attributesNow(this.node, this.#opened);
    this.#opened = undefined;
    return seen;
  }

  protected attributesNow(node: Node, { attributes } = node.version): SourceAttributes {
    const bornNs = this.view.tellsBirth ? attributes.bornNs : 0n;
    return { ...attributes, bornNs, device: this.view.deviceOf(node.fileSystem) };
  }
}

class ModelDirectory extends OpenNode implements SourceDirectory {
  attributes(): SourceAttributes {
    this.view.before('directory');
    return this.attributesOfOpen();
  }

  *list(): Generator<readonly ListedEntry[]> {
    this.view.before('directory');
    if (this.node.isLocked) throw lockedDirectory();
    const given = new Map(this.node.children);
    const names = [...given.keys()];
    for (let at = 0; at < names.length; at += BATCH) {
      if (at > 0) this.view.before('directory');
      const batch: ListedEntry[] = [];
      for (const name of names.slice(at, at + BATCH)) {
        const child = childOf(this.view, this.node, name);
        if (!child) continue;
        batch.push({ name: Buffer.from(name, 'latin1'), type: this.view.tellsTypes ? child.type : undefined });
      }
      if (batch.length > 0) yield batch;
    }
    // What has been made anew meanwhile comes once more, as on XFS, where it lies behind what was read.
    const again: ListedEntry[] = [];
    for (const [name, child] of this.node.children) {
      if (!given.has(name) || given.get(name) === child) continue;
      again.push({ name: Buffer.from(name, 'latin1'), type: this.view.tellsTypes ? child.type : undefined });
    }
    if (again.length > 0) yield again;
  }

  attributesOf(name: Buffer): SourceAttributes {
    return this.attributesNow(this.#lookUp(name));
  }

  readLink(name: Buffer): Buffer {
    const node = this.#lookUp(name);
    if (node.type !== SYMLINK) throw entryFailure('entry-type-changed', 'it is no symbolic link any more');
    return Buffer.from(node.content);
  }

  openFile(name: Buffer): SourceFile {
    const node = this.#lookUp(name);
    if (node.type === SYMLINK || node.type === SOCKET) {
      throw entryFailure('entry-type-changed', 'it is no regular file any more');
    }
    if (node.isLocked) throw lockedEntry();
    return new ModelFile(this.view, node);
  }

  #lookUp(name: Buffer): Node {
    this.view.before('entry');
    if (this.node.isLocked) throw lockedEntry();
    const node = childOf(this.view, this.node, name.toString('latin1'));
    if (!node || node.isLost)
      throw entryFailure('entry-vanished', 'it was there when its directory was listed, and is not any more');
    return node;
  }
}

/** A look at an open file that is no call, and does not count as the first one. */
export function peekAt(file: SourceFile): SourceAttributes {
  if (!(file instanceof ModelFile)) throw new Error('This is no file of the model.');
  return file.peek();
}

class ModelFile extends OpenNode implements SourceFile {
  peek(): SourceAttributes {
    return this.attributesNow(this.node);
  }

  attributes(): SourceAttributes {
    this.view.before('entry');
    return this.attributesOfOpen();
  }

  isUnchanged(before: SourceAttributes): boolean {
    this.view.before('entry');
    const now = this.attributesNow(this.node);
    return (
      before.inode === now.inode &&
      before.sizeBytes === now.sizeBytes &&
      before.mtimeSeconds === now.mtimeSeconds &&
      before.mtimeNanoseconds === now.mtimeNanoseconds &&
      before.ctimeSeconds === now.ctimeSeconds &&
      before.ctimeNanoseconds === now.ctimeNanoseconds
    );
  }

  read(target: Buffer, position: number): number {
    this.view.before('entry');
    if (this.node.type === DIRECTORY) throw entryFailure('entry-unreadable', 'is a directory (EISDIR)');
    // A long read is not one step: what happens to the file meanwhile is seen in its second half.
    const half = Math.ceil(target.length / 2);
    const first = this.#copy(target.subarray(0, half), position);
    if (first < half || half === target.length) return first;
    this.view.before('entry');
    return half + this.#copy(target.subarray(half), position + half);
  }

  #copy(target: Buffer, position: number): number {
    const { content } = this.node;
    return position >= content.length ? 0 : content.copy(target, 0, position);
  }
}

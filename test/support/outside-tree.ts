import { createCipheriv } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { CURRENT_DIRECTORY, makeNode } from '../../src/posix/libc.js';
import type { Random } from '../lives/random.js';

/** What a file held at a time: while it was being written, any beginning of `bytes` of at least `least` bytes. */
export interface Content {
  readonly bytes: Buffer;
  readonly least: number;
}

export type Kind = 'file' | 'directory' | 'symlink' | 'fifo';

/** An inode of the source, with what it was and what it led to in all its life. */
export interface Node {
  readonly number: number;
  readonly kind: Kind;
  /** Of files: the present one is the last. Of symlinks: the target. */
  readonly contents: Content[];
  /** Of directories. */
  readonly now: Map<string, Node>;
  readonly ever: Map<string, Set<Node>>;
  /** Names that led to nothing, or to what is no file, for a moment at least. */
  readonly disturbed: Set<string>;
  /** Names that led to another file in one step. */
  readonly replaced: Set<string>;
  /** Its attributes, links or entries were changed. */
  touched: boolean;
  /** It was made unreadable for a time. */
  wasLocked: boolean;
  isLocked: boolean;
}

/** A path of the source, each name with the directory that holds it. Names are latin1 of their bytes. */
export interface Place {
  readonly path: string;
  readonly steps: readonly { readonly directory: Node; readonly name: string }[];
  readonly node: Node;
}

/** Bytes that depend on a seed alone; half of the seeds give some that compress. */
export function contentOf(seed: number, length: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed >>> 0);
  const bytes = createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
  if (seed % 2 === 0) for (let at = 0; at < length; at += 8192) bytes.fill(0x61, at + 100, Math.min(length, at + 4196));
  return bytes;
}

const KIB16 = 16384;
const SEGMENT = 8388608;
const ODD_NAMES = [
  'a b',
  'back\\slash',
  'new\nline',
  '\xff\xfe',
  '\xc3\xa9',
  '-dash',
  '.hidden',
  '#%2f?',
  'n'.repeat(255),
  '\x1b[31m',
];

/** The places of each inode. */
export function namesOf(places: readonly Place[]): ReadonlyMap<Node, readonly Place[]> {
  const names = new Map<Node, Place[]>();
  for (const place of places) names.set(place.node, [...(names.get(place.node) ?? []), place]);
  return names;
}

/** A tree on disk, changed from here only, and all that it ever was. */
export class OutsideTree {
  readonly root: string;
  /** On the same file system: what is prepared there comes in by one rename. */
  readonly #aside: string;
  readonly rootNode: Node;
  readonly initial: readonly Place[];
  readonly initialLinks: ReadonlyMap<Node, readonly string[]>;
  #count = 0;

  constructor(root: string, aside: string, random: Random) {
    this.root = root;
    this.#aside = aside;
    mkdirSync(root);
    mkdirSync(aside);
    this.rootNode = this.#node('directory');
    const directories = [''];
    const entries = 10 + random.below(51);
    for (let count = 0; count < entries; count++) {
      const into = random.pick(directories);
      const path = this.join(into, this.freshName(random));
      const what = random.below(100);
      if (what < 18) directories.push(this.mkdir(path));
      else if (what < 34 && this.places('file').length > 0) this.link(random.pick(this.places('file')).path, path);
      else if (what < 40) this.make(path, 'symlink', random);
      else if (what < 43) this.make(path, 'fifo', random);
      else this.make(path, 'file', random);
    }
    this.initial = this.places();
    const links = namesOf(this.initial);
    this.initialLinks = new Map(
      [...links].filter(([, names]) => names.length > 1).map(([node, names]) => [node, names.map(({ path }) => path)]),
    );
    // What was done until here is no change.
    for (const { node } of this.initial) node.touched = false;
    this.rootNode.touched = false;
  }

  /** Every path that is there now, or those of a kind; the root's is left out. */
  places(kind?: Kind): Place[] {
    const places: Place[] = [];
    const visit = (directory: Node, above: string, steps: Place['steps']) => {
      for (const [name, node] of directory.now) {
        const place: Place = { path: this.join(above, name), steps: [...steps, { directory, name }], node };
        places.push(place);
        visit(node, place.path, place.steps);
      }
    };
    visit(this.rootNode, '', []);
    return kind ? places.filter(({ node }) => node.kind === kind) : places;
  }

  disk(path: string): Buffer {
    return Buffer.from(path === '' ? this.root : `${this.root}/${path}`, 'latin1');
  }

  join(directory: string, name: string): string {
    return directory === '' ? name : `${directory}/${name}`;
  }

  freshName(random: Random): string {
    const odd = random.pick(ODD_NAMES);
    return random.chance(12) ? `${odd}${this.#count++}`.slice(-255) : `n${this.#count++}`;
  }

  at(path: string): Node | undefined {
    return path === ''
      ? this.rootNode
      : path.split('/').reduce<Node | undefined>((node, name) => node?.now.get(name), this.rootNode);
  }

  /** The sizes at which something changes, and some in between; few large ones. */
  size(random: Random): number {
    const draw = random.below(100);
    if (draw < 8) return 0;
    if (draw < 45) return random.below(5000);
    if (draw < 65) return KIB16 - 1 + random.below(3);
    if (draw < 80) return random.below(300_000);
    if (draw < 88) return KIB16 + SEGMENT - 1 + random.below(3);
    if (draw < 94) return KIB16 + 2 * SEGMENT - 1 + random.below(3);
    return random.chance(70) ? random.below(20_000_000) : random.below(60_000_000);
  }

  mkdir(path: string): string {
    mkdirSync(this.disk(path), { mode: 0o755 });
    this.put(path, this.#node('directory'));
    return path;
  }

  make(path: string, kind: Kind, random: Random): Node {
    const { node } = this.#makeAt(this.disk(path), kind, random);
    this.put(path, node);
    return node;
  }

  /** Makes an entry out of the tree's sight. */
  prepare(kind: Kind, random: Random): { readonly disk: Buffer; readonly node: Node } {
    return this.#makeAt(this.elsewhere(), kind, random);
  }

  elsewhere(): Buffer {
    return Buffer.from(`${this.#aside}/${this.#count++}`);
  }

  link(from: string, to: string): void {
    const node = this.at(from) as Node;
    linkSync(this.disk(from), this.disk(to));
    node.touched = true;
    this.put(to, node);
  }

  remove(path: string): void {
    rmSync(this.disk(path), { recursive: true });
    this.take(path);
  }

  rename(from: string, to: string): void {
    renameSync(this.disk(from), this.disk(to));
    const node = this.take(from);
    node.touched = true;
    this.put(to, node);
  }

  lock(node: Node, path: string, locked: boolean): void {
    chmodSync(this.disk(path), locked ? 0 : node.kind === 'directory' ? 0o755 : 0o644);
    node.wasLocked = true;
    node.isLocked = locked;
  }

  /** Notes that a path leads to a node now. */
  put(path: string, node: Node): void {
    const { directory, name } = this.#split(path);
    const before = directory.now.get(name);
    if (before) {
      before.touched = true;
      directory.replaced.add(name);
    }
    directory.touched = true;
    directory.now.set(name, node);
    directory.ever.set(name, (directory.ever.get(name) ?? new Set()).add(node));
  }

  /** Notes that a path leads to nothing now. */
  take(path: string): Node {
    const { directory, name } = this.#split(path);
    const node = directory.now.get(name) as Node;
    node.touched = true;
    directory.touched = true;
    directory.disturbed.add(name);
    directory.now.delete(name);
    return node;
  }

  #split(path: string): { directory: Node; name: string } {
    const cut = path.lastIndexOf('/');
    return { directory: this.at(path.slice(0, Math.max(0, cut))) as Node, name: path.slice(cut + 1) };
  }

  #makeAt(disk: Buffer, kind: Kind, random: Random): { readonly disk: Buffer; readonly node: Node } {
    const node = this.#node(kind);
    const number = random.below(2 ** 31);
    if (kind === 'file') {
      const bytes = contentOf(number, this.size(random));
      writeFileSync(disk, bytes, { mode: 0o644 });
      node.contents.push({ bytes, least: 0 });
    } else if (kind === 'symlink') {
      const bytes = Buffer.from(`target/${number}`);
      symlinkSync(bytes, disk);
      node.contents.push({ bytes, least: bytes.length });
    } else if (kind === 'fifo') makeNode(CURRENT_DIRECTORY, disk, 0o010644, 0, 0);
    else mkdirSync(disk, { mode: 0o755 });
    return { disk, node };
  }

  #node(kind: Kind): Node {
    const sets = { now: new Map(), ever: new Map(), disturbed: new Set<string>(), replaced: new Set<string>() };
    return { number: this.#count++, kind, contents: [], ...sets, touched: false, wasLocked: false, isLocked: false };
  }
}

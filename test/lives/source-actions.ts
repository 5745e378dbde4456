import { CHAR, DIRECTORY, FIFO, type Node, REGULAR, SOCKET, SYMLINK } from './model-node.js';
import type { ModelTree, Place } from './model-tree.js';

/** What can happen to the source. */
export const SOURCE_ACTIONS = [
  'grow',
  'shrink',
  'resize',
  'rewrite',
  'replace',
  'delete',
  'create',
  'retype',
  'lock file',
  'unlock file',
  'lock directory',
  'unlock directory',
  'lose',
  'find',
  'rename directory',
  'replace directory',
  'swap',
  'remove directory',
  'make directory',
  'link',
  'rename',
  'change owner',
] as const;
type SourceActionKind = (typeof SOURCE_ACTIONS)[number];

/** One thing that happens to the source. Places are picked from those that there are at that time, by number. */
export interface SourceAction {
  readonly kind: SourceActionKind;
  readonly pick: number;
  readonly other: number;
  /** Bytes of a file. */
  readonly size: number;
  /** What the bytes are made from. */
  readonly seed: number;
}

const POOL = Buffer.concat(
  Array.from({ length: 64 }, (_, block) =>
    Buffer.from(Array.from({ length: 1024 }, (_, at) => Math.imul(block * 1024 + at + 1, 2654435761) >>> 23)),
  ),
);

/** Bytes of a file: such as compress, or not, by the seed. */
export function bytesOf(size: number, seed: number): Buffer {
  if (seed % 2 === 0) return Buffer.alloc(size, `some text, number ${seed}; `);
  const from = (seed * 977) % 32768;
  const bytes = Buffer.from(POOL.subarray(from, from + Math.min(size, 32768)));
  return size > 32768 ? Buffer.concat([bytes, Buffer.alloc(size - 32768, 'z')]) : bytes;
}

/** Seeds from which on there are many names, so that many entries are beside each other. */
export const MANY_NAMES = 200_000;

/** A short name for most seeds, a long one for some: those fill a directory's pieces. */
export function nameOf(seed: number): string {
  const first = String.fromCharCode(0x61 + (seed % 12));
  const letter = seed < MANY_NAMES ? first : `${first}${Math.floor(seed / 12) % 4}`;
  return seed % 5 === 0 ? `${letter}${'-'.repeat(120 + (seed % 100))}` : letter;
}

/** @returns what has happened, in words; undefined when the tree has no place for it */
export function act(tree: ModelTree, action: SourceAction): string | undefined {
  const text = change(tree, action);
  if (text !== undefined) tree.settle();
  return text === undefined ? undefined : `${action.kind}: ${text}`;
}

function change(tree: ModelTree, action: SourceAction): string | undefined {
  const { kind, pick, other, size, seed } = action;
  const places = tree.places();
  const files = places.filter(({ node }) => node.type === REGULAR);
  const directories = places.filter(({ node }) => node.isDirectory);
  // Nothing takes away what is mounted, or what that is in.
  const isFree = ({ node }: Place) => !tree.mounted || !node.isDirectory || !tree.contains(node, tree.mounted);
  const free = places.filter(isFree);
  const freeDirectories = directories.filter(isFree);
  const leaves = places.filter(({ node }) => !node.isDirectory);
  const parents: Node[] = [tree.root, ...directories.map(({ node }) => node)];
  const chosen = (among: readonly Place[]): Place | undefined => among[pick % Math.max(1, among.length)];
  const parent = parents[other % parents.length];
  switch (kind) {
    case 'grow':
    case 'shrink':
    case 'resize':
    case 'rewrite':
      return changeContent(tree, chosen(files), action);
    case 'replace':
      return onPlace(chosen(leaves), (place) => {
        tree.enter(place.parent, place.name, tree.makeNode(REGULAR, bytesOf(size, seed)));
        return `${size} bytes`;
      });
    case 'delete':
      return onPlace(chosen(leaves), (place) => {
        tree.leave(place.parent, place.name);
        return 'gone';
      });
    case 'create': {
      const name = nameOf(seed);
      if (parent.children.has(name)) return undefined;
      tree.enter(parent, name, tree.makeNode(REGULAR, bytesOf(size, seed)));
      return `${shorten(name)} of ${size} bytes in inode ${parent.inode}`;
    }
    case 'retype':
      return retype(tree, chosen(free), action);
    case 'lock file':
      return lock(tree, chosen(files), 0);
    case 'unlock file':
      return lock(tree, chosen(files.filter(({ node }) => node.isLocked)), 0o644);
    case 'lock directory':
      return lock(tree, chosen([...directories, rootOf(tree)]), 0);
    case 'unlock directory':
      return lock(tree, chosen([...directories, rootOf(tree)].filter(({ node }) => node.isLocked)), 0o755);
    case 'lose':
      return lose(chosen(places), true);
    case 'find':
      return lose(chosen(places.filter(({ node }) => node.isLost)), false);
    case 'rename directory':
      return move(tree, chosen(freeDirectories), parent, nameOf(seed));
    case 'rename':
      return move(tree, chosen(leaves), parent, nameOf(seed));
    case 'replace directory':
      return onPlace(chosen(freeDirectories), (place) => {
        const copies = [...place.node.children].filter(([, node]) => !node.isDirectory && node.type !== CHAR);
        // Removed first, it may have its number from the old one.
        if (seed % 4 === 1) tree.leave(place.parent, place.name);
        const fresh = tree.makeNode(DIRECTORY);
        // The old one goes, or stays under another name.
        if (seed % 2 === 0 && !place.parent.children.has('former')) tree.move(place, place.parent, 'former');
        tree.enter(place.parent, place.name, fresh);
        if (seed % 3 > 0) for (const [name, node] of copies) tree.enter(fresh, name, copyOf(tree, node));
        return `by inode ${fresh.inode}`;
      });
    case 'swap':
      return swap(tree, chosen(free), free[other % Math.max(1, free.length)]);
    case 'remove directory':
      return onPlace(chosen(freeDirectories), (place) => {
        tree.leave(place.parent, place.name);
        return 'gone with all that was in it';
      });
    case 'make directory': {
      const name = nameOf(seed);
      if (parent.children.has(name)) return undefined;
      const fresh = tree.makeNode(DIRECTORY);
      tree.enter(parent, name, fresh);
      tree.enter(fresh, nameOf(seed + 1), tree.makeNode(REGULAR, bytesOf(size, seed)));
      return `${shorten(name)} in inode ${parent.inode}`;
    }
    case 'link': {
      const name = nameOf(seed);
      return onPlace(chosen(leaves), (place) => {
        if (parent.children.get(name)?.isDirectory || parent.children.get(name) === place.node) return undefined;
        if (parent.fileSystem !== place.node.fileSystem) return undefined;
        tree.enter(parent, name, place.node);
        return `as ${shorten(name)} in inode ${parent.inode}`;
      });
    }
    case 'change owner':
      return onPlace(chosen(places), (place) => {
        tree.change(place.node, { uid: seed % 1000 });
        return `to ${seed % 1000}`;
      });
  }
}

function rootOf(tree: ModelTree): Place {
  return { path: '', parent: tree.root, name: '', node: tree.root };
}

/** A path as the story of a life tells it. */
export function shorten(path: string): string {
  return path.replaceAll(/-{4,}/g, (dashes) => `-${dashes.length}-`);
}

function onPlace(place: Place | undefined, use: (place: Place) => string | undefined): string | undefined {
  if (!place) return undefined;
  const text = use(place);
  return text === undefined ? undefined : `${shorten(place.path) || 'the root'} (inode ${place.node.inode}) ${text}`;
}

function changeContent(
  tree: ModelTree,
  place: Place | undefined,
  { kind, size, seed }: SourceAction,
): string | undefined {
  return onPlace(place, ({ node }) => {
    const before = node.content;
    const to =
      kind === 'grow'
        ? before.length + 1 + (size % 3000)
        : kind === 'shrink'
          ? Math.min(before.length, size)
          : kind === 'resize'
            ? size
            : before.length;
    if (to === before.length && kind !== 'rewrite') return undefined;
    const content = bytesOf(to, seed);
    if (kind !== 'rewrite') before.copy(content, 0, 0, Math.min(before.length, to));
    tree.write(node, content);
    return `from ${before.length} to ${to} bytes`;
  });
}

function retype(tree: ModelTree, place: Place | undefined, { size, seed }: SourceAction): string | undefined {
  return onPlace(place, ({ parent, name }) => {
    const type = ([REGULAR, DIRECTORY, SYMLINK, FIFO, SOCKET, CHAR] as const)[seed % 6];
    const target = type === REGULAR ? bytesOf(size, seed) : type === SYMLINK ? Buffer.from(`to/${seed}`) : undefined;
    const fresh = tree.makeNode(type, target);
    tree.enter(parent, name, fresh);
    if (type === DIRECTORY) tree.enter(fresh, 'inside', tree.makeNode(REGULAR, bytesOf(size % 1000, seed)));
    return `is of type ${type} now`;
  });
}

function lock(tree: ModelTree, place: Place | undefined, permissions: number): string | undefined {
  return onPlace(place, ({ node }) => {
    if (node.permissions === permissions) return undefined;
    tree.change(node, { permissions });
    return `has mode ${permissions.toString(8)} now`;
  });
}

function lose(place: Place | undefined, isLost: boolean): string | undefined {
  return onPlace(place, ({ node }) => {
    if (node.isLost === isLost) return undefined;
    node.isLost = isLost;
    return isLost ? 'is listed and cannot be found' : 'can be found again';
  });
}

function move(tree: ModelTree, place: Place | undefined, parent: Node, name: string): string | undefined {
  return onPlace(place, (from) => {
    if (from.node.isDirectory && tree.contains(from.node, parent)) return undefined;
    if (from.node.fileSystem !== parent.fileSystem) return undefined;
    const there = parent.children.get(name);
    if (there === from.node || (there && (there.isDirectory || from.node.isDirectory))) return undefined;
    tree.move(from, parent, name);
    return `is ${shorten(name)} in inode ${parent.inode} now`;
  });
}

/** Exchanges two names of one directory or of two, as renameat2 does. */
function swap(tree: ModelTree, first: Place | undefined, second: Place | undefined): string | undefined {
  if (!second || second.node === first?.node) return undefined;
  return onPlace(first, (one) => {
    if (one.node.fileSystem !== second.node.fileSystem) return undefined;
    if (one.node.isDirectory && tree.contains(one.node, second.parent)) return undefined;
    if (second.node.isDirectory && tree.contains(second.node, one.parent)) return undefined;
    const aside = { path: '', parent: tree.root, name: ' aside', node: one.node };
    tree.move(one, tree.root, aside.name);
    tree.move(second, one.parent, one.name);
    tree.move(aside, second.parent, second.name);
    return `and ${shorten(second.path)} have changed places`;
  });
}

function copyOf(tree: ModelTree, node: Node): Node {
  return tree.makeNode(node.type, node.content);
}

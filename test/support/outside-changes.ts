import { chmodSync, closeSync, openSync, renameSync, truncateSync, writeSync } from 'node:fs';
import type { Random } from '../lives/random.js';
import {
  type Content,
  contentOf,
  type Kind,
  type Node,
  namesOf,
  type OutsideTree,
  type Place,
} from './outside-tree.js';

type Change = (tree: OutsideTree, random: Random) => void;

/**
 * A change of a file's bytes waits as long after the one before, so that each has a time of its own on any file system.
 */
const TICK_MS = 12;
const changedAt = new WeakMap<Node, number>();

/** What a user may do to a tree while it is loaded; each name stands as often as it is to be drawn. */
export const CHANGES: Readonly<Record<string, readonly [weight: number, Change]>> = {
  append: [
    4,
    (tree, random) =>
      withFile(tree, random, ({ path, node }, { bytes }) =>
        write(tree, path, node, bytes, contentOf(random.below(2 ** 31), tree.size(random))),
      ),
  ],
  truncate: [
    3,
    (tree, random) =>
      withFile(tree, random, ({ path, node }, { bytes }) => {
        const length = random.chance(50)
          ? Math.min(tree.size(random), 2 * bytes.length)
          : random.below(bytes.length + 1);
        truncateSync(tree.disk(path), length);
        node.contents.push({
          bytes: Buffer.concat([bytes.subarray(0, length), Buffer.alloc(Math.max(0, length - bytes.length))]),
          least: length,
        });
      }),
  ],
  rewrite: [
    3,
    (tree, random) =>
      withFile(tree, random, ({ path, node }) =>
        write(tree, path, node, undefined, contentOf(random.below(2 ** 31), tree.size(random))),
      ),
  ],
  patch: [
    3,
    (tree, random) =>
      withFile(tree, random, ({ path, node }, { bytes }) => {
        if (bytes.length < 4096) return;
        const at = 4096 * random.below(Math.floor(bytes.length / 4096));
        const piece = contentOf(random.below(2 ** 31), 512);
        const fd = openSync(tree.disk(path), 'r+');
        writeSync(fd, piece, 0, piece.length, at);
        closeSync(fd);
        node.contents.push({
          bytes: Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + 512)]),
          least: bytes.length,
        });
      }),
  ],
  replace: [
    3,
    (tree, random) =>
      withPlace(tree.places('file'), random, ({ path }) => {
        const { disk, node } = tree.prepare('file', random);
        renameSync(disk, tree.disk(path));
        tree.put(path, node);
      }),
  ],
  delete: [
    3,
    (tree, random) =>
      withPlace(tree.places(), random, ({ path, node }) => (node.now.size < 6 ? tree.remove(path) : undefined)),
  ],
  create: [
    3,
    (tree, random) =>
      void tree.make(tree.join(someDirectory(tree, random), tree.freshName(random)), someKind(random), random),
  ],
  mkdir: [
    2,
    (tree, random) => fill(tree, tree.mkdir(tree.join(someDirectory(tree, random), tree.freshName(random))), random),
  ],
  renameFile: [
    2,
    (tree, random) =>
      withPlace(tree.places('file'), random, ({ path }) => {
        tree.rename(path, tree.join(someDirectory(tree, random), tree.freshName(random)));
      }),
  ],
  renameDirectory: [
    3,
    (tree, random) =>
      withPlace(tree.places('directory'), random, ({ path }) => {
        const into = random.chance(50) ? parentOf(path) : someDirectory(tree, random);
        if (into !== path && !into.startsWith(`${path}/`)) tree.rename(path, tree.join(into, tree.freshName(random)));
      }),
  ],
  replaceDirectory: [
    3,
    (tree, random) =>
      withPlace(tree.places('directory'), random, ({ path, node }) => {
        const names = [...node.now].filter(([, { kind }]) => kind === 'file').map(([name]) => name);
        if (random.chance(50)) tree.rename(path, tree.join(parentOf(path), tree.freshName(random)));
        else {
          renameSync(tree.disk(path), tree.elsewhere());
          tree.take(path);
        }
        tree.mkdir(path);
        for (const name of names) if (random.chance(60)) tree.make(tree.join(path, name), 'file', random);
        fill(tree, path, random);
      }),
  ],
  lockFile: [
    5,
    (tree, random) => withPlace(tree.places('file'), random, ({ path, node }) => tree.lock(node, path, true)),
  ],
  lockDirectory: [
    5,
    (tree, random) => withPlace(tree.places('directory'), random, ({ path, node }) => tree.lock(node, path, true)),
  ],
  unlock: [
    4,
    (tree, random) =>
      withPlace(
        tree.places().filter(({ node }) => node.isLocked),
        random,
        ({ path, node }) => tree.lock(node, path, false),
      ),
  ],
  link: [
    5,
    (tree, random) =>
      withPlace(
        tree.places().filter(({ node }) => node.kind !== 'directory'),
        random,
        ({ path }) => tree.link(path, tree.join(someDirectory(tree, random), tree.freshName(random))),
      ),
  ],
  unlink: [
    4,
    (tree, random) => {
      const names = namesOf(tree.places('file'));
      withPlace(
        tree.places('file').filter(({ node }) => (names.get(node)?.length ?? 0) > 1),
        random,
        ({ path }) => tree.remove(path),
      );
    },
  ],
  changeType: [
    3,
    (tree, random) =>
      withPlace(tree.places(), random, ({ path, node }) => {
        if (node.now.size > 5) return;
        tree.remove(path);
        const kind = random.pick(
          (['file', 'directory', 'symlink', 'fifo'] as const).filter((other) => other !== node.kind),
        );
        if (kind === 'directory') fill(tree, tree.mkdir(path), random);
        else tree.make(path, kind, random);
      }),
  ],
  mode: [
    2,
    (tree, random) =>
      withPlace(tree.places('file'), random, ({ path, node }) => {
        if (node.isLocked) return;
        chmodSync(tree.disk(path), random.pick([0o600, 0o644, 0o755]) | 0o044);
        node.touched = true;
      }),
  ],
};

/** Names of {@link CHANGES}, each as often as it weighs. */
export const DRAWN_CHANGES: readonly string[] = Object.entries(CHANGES).flatMap(([name, [weight]]) =>
  new Array<string>(weight).fill(name),
);

/** Makes all readable again. */
export function heal(tree: OutsideTree): void {
  for (let locked: Place | undefined; ; ) {
    locked = tree.places().find(({ node }) => node.isLocked);
    if (!locked) return;
    tree.lock(locked.node, locked.path, false);
  }
}

function withPlace(places: readonly Place[], random: Random, change: (place: Place) => void): void {
  if (places.length > 0) change(random.pick(places));
}

/** Large files are read for longest: half of the changes are theirs. */
function withFile(tree: OutsideTree, random: Random, change: (place: Place, content: Content) => void): void {
  const all = tree.places('file');
  const large = all.filter(({ node }) => (node.contents.at(-1)?.bytes.length ?? 0) > 1_000_000);
  withPlace(random.chance(50) && large.length > 0 ? large : all, random, (place) => {
    if (Date.now() - (changedAt.get(place.node) ?? 0) < TICK_MS) return;
    change(place, place.node.contents.at(-1) as Content);
    place.node.touched = true;
    changedAt.set(place.node, Date.now());
  });
}

/** Writes behind `before`, or, where there is none, in place of all. */
function write(tree: OutsideTree, path: string, node: Node, before: Buffer | undefined, more: Buffer): void {
  const fd = openSync(tree.disk(path), before ? 'a' : 'w');
  for (let at = 0; at < more.length; ) at += writeSync(fd, more, at);
  closeSync(fd);
  node.contents.push({ bytes: before ? Buffer.concat([before, more]) : more, least: before?.length ?? 0 });
}

function fill(tree: OutsideTree, directory: string, random: Random): void {
  for (let count = random.below(4); count > 0; count--)
    tree.make(tree.join(directory, tree.freshName(random)), someKind(random), random);
}

function someDirectory(tree: OutsideTree, random: Random): string {
  return random.pick(['', ...tree.places('directory').map(({ path }) => path)]);
}

function someKind(random: Random): Kind {
  return random.pick(['file', 'file', 'file', 'symlink', 'fifo']);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

import { ModelTree } from './model-tree.js';
import type { SeedEntry } from './plan.js';
import { bytesOf, nameOf } from './source-actions.js';

/** The tree before the job. */
export function plantTree(entries: readonly SeedEntry[], ...how: ConstructorParameters<typeof ModelTree>): ModelTree {
  const tree = new ModelTree(...how);
  for (const { kind, pick, seed, size, isMounted = false } of entries) {
    const all = tree.places();
    if (isMounted && !tree.mounted) {
      const points = [tree.root, ...all.filter(({ node }) => node.isDirectory).map(({ node }) => node)];
      tree.mount(points[pick % points.length], 'mounted');
    }
    const root = isMounted && tree.mounted ? tree.mounted : tree.root;
    const places = tree.places().filter(({ node }) => node !== root && node.fileSystem === root.fileSystem);
    const parents = [root, ...places.filter(({ node }) => node.isDirectory).map(({ node }) => node)];
    const parent = parents[pick % parents.length];
    const name = nameOf(seed);
    if (parent.children.has(name)) continue;
    const leaves = places.filter(({ node }) => !node.isDirectory);
    const linked = kind === 'link' ? leaves[seed % Math.max(1, leaves.length)]?.node : undefined;
    if (linked) tree.enter(parent, name, linked);
    else if (kind === 'directory') tree.enter(parent, name, tree.makeNode(2));
    else if (kind === 'symlink') tree.enter(parent, name, tree.makeNode(5, Buffer.from(`target-${seed}`)));
    else if (kind === 'fifo' || kind === 'socket' || kind === 'char') {
      tree.enter(parent, name, tree.makeNode(kind === 'fifo' ? 7 : kind === 'socket' ? 6 : 4));
    } else tree.enter(parent, name, tree.makeNode(1, bytesOf(size, seed)));
  }
  return tree;
}

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DirectoryTotals, type Usage } from './du-totals.js';

interface Node {
  readonly name: string;
  readonly size: number;
  /** undefined: a file. */
  readonly children: readonly Node[] | undefined;
}

const { tree } = fc.letrec<{ tree: Node; file: Node; node: Node }>((tie) => ({
  file: fc.record({ name: fc.constantFrom('a', 'b', 'ab'), size: fc.nat(1000), children: fc.constant(undefined) }),
  tree: fc.record({
    name: fc.constantFrom('a', 'b', 'ab', 'a b'),
    size: fc.nat(10),
    children: fc.uniqueArray(tie('node'), { selector: ({ name }) => name, maxLength: 3 }),
  }),
  node: fc.oneof({ maxDepth: 4 }, tie('file'), tie('tree')),
}));

it('tells each directory once, after those in it, with the sums of all that is below', () => {
  fc.assert(
    fc.property(tree, (root) => {
      const told: (Usage & { readonly path: string; readonly depth: number })[] = [];
      const totals = new DirectoryTotals((path, depth, usage) => {
        told.push({ path: path.toString(), depth, ...structuredClone(usage) });
      });
      const expected: typeof told = [];
      const visit = (node: Node, path: string, depth: number): Usage => {
        const isDirectory = node.children !== undefined;
        const type = isDirectory ? 'directory' : 'file';
        const apparent = isDirectory ? 0 : node.size;
        totals.add(Buffer.from(path), { type, isDirectory, apparent, stored: node.size + 1 });
        const usage: Usage = { apparent, stored: node.size + 1, types: { [type]: 1 } };
        for (const child of node.children ?? []) {
          const below = visit(child, path === '' ? child.name : `${path}/${child.name}`, depth + 1);
          usage.apparent += below.apparent;
          usage.stored += below.stored;
          for (const [each, count] of Object.entries(below.types)) usage.types[each] = (usage.types[each] ?? 0) + count;
        }
        if (isDirectory) expected.push({ path, depth, ...usage });
        return usage;
      };
      visit(root, '', 0);
      totals.end();
      expect(told).toEqual(expected);
    }),
  );
});

it('tells of a file alone what it takes', () => {
  const told: unknown[] = [];
  const totals = new DirectoryTotals((path, depth, usage) => told.push([path.toString(), depth, usage.apparent]));
  totals.add(Buffer.alloc(0), { type: 'file', isDirectory: false, apparent: 5, stored: 9 });
  totals.end();
  expect(told).toEqual([['', 0, 5]]);
});

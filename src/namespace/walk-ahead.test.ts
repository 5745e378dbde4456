import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClfsError } from '../error.js';
import type { DirectoryEntry } from '../format/dirents.js';
import { ObjectType } from '../format/ids.js';
import type { FoundInode } from './reader.js';
import { type TreeReader, WalkAhead } from './walk-ahead.js';

/** An inode of a tree of a test; a directory may be in itself. */
interface TreeNode {
  readonly id: number;
  /** Of a directory, in pieces; undefined: it is a file. */
  readonly pieces?: readonly (readonly TreeNode[])[];
  /** It cannot be read; or the rest of its entries cannot. */
  readonly damage?: 'inode' | 'entries';
}

const idOf = (node: TreeNode) => Buffer.from([node.id >> 16, node.id >> 8, node.id]);

/** A reader of such a tree that counts what is under way. @param pauses answers come after these many milliseconds */
class CountingReader implements TreeReader {
  readonly container = { ready: () => (this.isFull() ? this.#room() : undefined) };
  underWay = 0;
  most = 0;
  asked = 0;
  readonly #nodes = new Map<string, TreeNode>();
  readonly #pauses: () => number;
  readonly #mostAtOnce: number;

  constructor(root: TreeNode, pauses: () => number = () => 0, mostAtOnce = Number.POSITIVE_INFINITY) {
    this.#pauses = pauses;
    this.#mostAtOnce = mostAtOnce;
    const add = (node: TreeNode): void => {
      const key = idOf(node).toString('hex');
      if (this.#nodes.has(key)) return;
      this.#nodes.set(key, node);
      for (const child of node.pieces?.flat() ?? []) add(child);
    };
    add(root);
  }

  isFull(): boolean {
    return this.underWay >= this.#mostAtOnce;
  }

  async inode(id: Uint8Array): Promise<FoundInode> {
    this.asked++;
    const node = await this.#answer(id);
    if (node.damage === 'inode') throw new ClfsError('format', `inode ${node.id}`);
    const type = node.pieces ? ObjectType.directory : ObjectType.regular;
    return { id, blob: { name: `blob-${node.id}` }, inode: { attributes: { type } } } as unknown as FoundInode;
  }

  async *entries({ id }: FoundInode): AsyncGenerator<readonly DirectoryEntry[]> {
    for (const [at, piece] of (this.#nodes.get(Buffer.from(id).toString('hex'))?.pieces ?? []).entries()) {
      const node = at === 0 ? this.#nodes.get(Buffer.from(id).toString('hex')) : await this.#answer(id);
      if (node?.damage === 'entries' && at > 0) throw new ClfsError('format', `entries of ${node.id}`);
      yield piece.map((child) => ({ name: Buffer.from(`n${child.id}`), handle: idOf(child) }));
    }
  }

  async #answer(id: Uint8Array): Promise<TreeNode> {
    this.underWay++;
    this.most = Math.max(this.most, this.underWay);
    const ms = this.#pauses();
    await (ms > 0 ? sleep(ms) : undefined);
    this.underWay--;
    return this.#nodes.get(Buffer.from(id).toString('hex')) as TreeNode;
  }

  async #room(): Promise<void> {
    while (this.isFull()) await sleep(1);
  }
}

/** The walk as it is meant: one entry after another. */
function* simply(node: TreeNode, path: string, met: Set<number>): Generator<string> {
  if (node.damage === 'inode') {
    yield `${path} !inode ${node.id}`;
    return;
  }
  if (!node.pieces) {
    yield path;
    return;
  }
  if (met.has(node.id)) {
    yield `${path} left`;
    return;
  }
  met.add(node.id);
  yield path;
  for (const [at, piece] of node.pieces.entries()) {
    if (at > 0 && node.damage === 'entries') {
      yield `${path} !entries of ${node.id}`;
      return;
    }
    for (const child of piece) yield* simply(child, path === '' ? `n${child.id}` : `${path}/n${child.id}`, met);
  }
}

async function walked(reader: TreeReader, root: TreeNode): Promise<string[]> {
  const met = new Set<string>();
  const ahead = new WalkAhead(reader, idOf(root));
  const mayEnter = (directory: Uint8Array) => {
    const key = Buffer.from(directory).toString('hex');
    return met.size < met.add(key).size;
  };
  const lines: string[] = [];
  for (let next = await ahead.take(mayEnter); next; next = await ahead.take(mayEnter)) {
    const { entry, isLeft } = next;
    const end = entry.error ? ` !${entry.error.message}` : isLeft ? ' left' : '';
    lines.push(`${entry.path.toString()}${end}`);
  }
  ahead.close();
  return lines;
}

/** Draws a tree; some of its directories are in several places, and in themselves. */
const trees = fc
  .array(fc.record({ kind: fc.nat(9), up: fc.nat(1000), piece: fc.nat(2) }), { maxLength: 300 })
  .map((draws) => {
    type Drawn = { id: number; pieces?: TreeNode[][]; damage?: 'inode' | 'entries' };
    const root: Drawn = { id: 0, pieces: [[]] };
    const directories = [root];
    for (const [at, { kind, up, piece }] of draws.entries()) {
      const parent = directories[up % directories.length];
      const node: Drawn = kind === 0 ? directories[(up * 7) % directories.length] : { id: at + 1 };
      if (kind > 0 && kind < 5) {
        node.pieces = [[]];
        directories.push(node);
      }
      if (kind === 8) node.damage = 'inode';
      if (kind === 1 && up % 5 === 0) node.damage = 'entries';
      const pieces = parent.pieces as TreeNode[][];
      if (piece === 0 && pieces.length < 4) pieces.push([]);
      pieces[pieces.length - 1].push(node);
    }
    return root as TreeNode;
  });

describe('WalkAhead', () => {
  it('gives the entries in the order of the tree, however the answers come', async () => {
    await fc.assert(
      fc.asyncProperty(
        trees,
        fc.array(fc.nat(3), { minLength: 1 }),
        fc.constantFrom(1, 8, 1000),
        async (tree, pauses, most) => {
          let at = 0;
          const reader = new CountingReader(tree, () => pauses[at++ % pauses.length], most);
          expect(await walked(reader, tree)).toEqual([...simply(tree, '', new Set())]);
          expect(reader.most).toBeLessThanOrEqual(300);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads those of many small directories at once', async () => {
    let id = 1;
    const files = (count: number) => Array.from({ length: count }, () => ({ id: id++ }));
    const root = { id: 0, pieces: [Array.from({ length: 600 }, () => ({ id: id++, pieces: [files(5)] }))] };
    const reader = new CountingReader(root, () => 5);
    expect(await walked(reader, root)).toHaveLength(3601);
    expect(reader.most).toBeGreaterThan(200);
    expect(reader.most).toBeLessThanOrEqual(512);
  });

  it('asks for no more than some where the container has enough to do', async () => {
    let id = 1;
    const root = { id: 0, pieces: [Array.from({ length: 1000 }, () => ({ id: id++ }))] };
    const reader = new CountingReader(root, () => 1, 16);
    expect(await walked(reader, root)).toHaveLength(1001);
    expect(reader.most).toBeLessThanOrEqual(72);
  });

  it('asks for nothing more when it is closed', async () => {
    let id = 1;
    const root = { id: 0, pieces: [Array.from({ length: 1000 }, () => ({ id: id++ }))] };
    const reader = new CountingReader(root, () => 1);
    const ahead = new WalkAhead(reader, idOf(root));
    for (let entry = 0; entry < 10; entry++) await ahead.take(() => true);
    ahead.close();
    const { asked } = reader;
    await sleep(20);
    expect(reader.asked).toBe(asked);
  });

  it('throws what is not of one entry alone, where the walk comes to it', async () => {
    const root = { id: 0, pieces: [[{ id: 1 }, { id: 2 }, { id: 3 }]] };
    const reader = new CountingReader(root);
    const inode = reader.inode.bind(reader);
    reader.inode = async (id) => {
      if (id[2] === 2) throw new ClfsError('service-unavailable', 'the service is away');
      return inode(id);
    };
    const ahead = new WalkAhead(reader, idOf(root));
    expect((await ahead.take(() => true))?.entry.path.toString()).toBe('');
    expect((await ahead.take(() => true))?.entry.path.toString()).toBe('n1');
    await expect(ahead.take(() => true)).rejects.toThrow('the service is away');
    ahead.close();
  });
});

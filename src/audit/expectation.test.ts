import { describe, expect, it } from 'vitest';
import { DescriptorPlaces } from '../posix/descriptors.js';
import { entryFailure, type SourceAttributes, type SourceDirectory, type SourceTree } from '../source/source-tree.js';
import { clampNs } from './expectation.js';
import { expectSource } from './source-expectation.js';

const ATTRIBUTES: SourceAttributes = {
  type: 1,
  mode: 0o104755,
  uid: 1,
  gid: 2,
  sizeBytes: 3n,
  specialMajor: 8,
  specialMinor: 9,
  mtimeSeconds: 5,
  mtimeNanoseconds: 6,
  linkCount: 1,
  device: '8:1',
  inode: 77n,
} as SourceAttributes;

const name = (text: string) => Buffer.from(text);
const failure = entryFailure('entry-unreadable', 'permission denied');

/** A tree of one directory whose calls are counted. */
function treeOf(change: Partial<SourceDirectory>): { readonly tree: SourceTree; readonly calls: string[] } {
  const calls: string[] = [];
  const directory = {
    attributes: () => ({ ...ATTRIBUTES, type: 2 }),
    *list() {
      yield [
        { name: name('a'), type: 1 },
        { name: name('left out'), type: 1, excluded: true },
      ];
      yield [{ name: name('b'), type: undefined }];
    },
    attributesOf: () => ATTRIBUTES,
    readLink: () => name('target'),
    openFile: () => ({ read: () => 5, close: () => void calls.push('file closed') }),
    close: () => void calls.push('directory closed'),
    ...change,
  } as unknown as SourceDirectory;
  const tree: SourceTree = { openDirectory: () => directory, close: () => void calls.push('tree closed') };
  return { tree, calls };
}

const open = async (change: Partial<SourceDirectory> = {}, path = 'x/y') => {
  const { tree, calls } = treeOf(change);
  const places = new DescriptorPlaces(1);
  const expectation = expectSource(tree, places);
  return { directory: await expectation.directory(name(path)), calls, places, expectation };
};

describe('what a source tree has a container hold', () => {
  it('is what its entries are, by their attributes', async () => {
    const { directory } = await open();
    expect(directory.self).toMatchObject({ name: name('y'), type: 2, linkKey: undefined });
    expect(directory.entry(name('a'))).toEqual({
      name: name('a'),
      type: 1,
      permissions: 0o4755,
      uid: 1,
      gid: 2,
      sizeBytes: 3n,
      deviceMajor: 0,
      deviceMinor: 0,
      mtimeNs: 5_000_000_006n,
      linkKey: undefined,
      target: undefined,
    });
  });

  it.each([3, 4] as const)('is a device number of type %i', async (type) => {
    const { directory } = await open({ attributesOf: () => ({ ...ATTRIBUTES, type }) });
    expect(await directory.entry(name('a'))).toMatchObject({ deviceMajor: 8, deviceMinor: 9 });
  });

  it('is a target of a symlink, and what tells links of a file with several', async () => {
    const { directory } = await open({ attributesOf: () => ({ ...ATTRIBUTES, type: 5, linkCount: 2 }) });
    expect(await directory.entry(name('a'))).toMatchObject({ target: name('target'), linkKey: '8:1/77' });
    const many = await open({ attributesOf: () => ({ ...ATTRIBUTES, type: 2, linkCount: 2 }) });
    expect((await many.directory.entry(name('a'))).linkKey).toBeUndefined();
  });

  it('are the names that were not left out', async () => {
    const { directory } = await open();
    const names: string[] = [];
    for await (const each of directory.names()) names.push(each.toString());
    expect(names).toEqual(['a', 'b']);
  });

  it('gives a file its place as long as it is open', async () => {
    const { directory, places, calls } = await open();
    const content = await directory.content(name('a'));
    expect(places.free).toBe(0);
    if (content.kind !== 'bytes') throw new Error('A source has bytes.');
    expect(content.read(Buffer.alloc(1), 0, 1)).toBe(5);
    content.close();
    expect(places.free).toBe(1);
    expect(calls).toEqual(['file closed']);
  });

  it('keeps nothing open of what fails', async () => {
    const fail = () => {
      throw failure;
    };
    const { directory, places } = await open({ openFile: fail });
    await expect(directory.content(name('a'))).rejects.toBe(failure);
    expect(places.free).toBe(1);
    const { tree, calls } = treeOf({ attributes: fail });
    const expectation = expectSource(tree);
    await expect(expectation.directory(name('x'))).rejects.toBe(failure);
    expect(calls).toEqual(['directory closed']);
    expectation.close();
    expect(calls.at(-1)).toBe('tree closed');
  });

  it('ends a listing that nobody reads to its end', async () => {
    let ended = false;
    const { directory } = await open({
      *list() {
        try {
          yield [{ name: name('a'), type: 1 }];
          yield [{ name: name('b'), type: 1 }];
        } finally {
          ended = true;
        }
      },
    });
    for await (const each of directory.names()) if (each.toString() === 'a') break;
    expect(ended).toBe(true);
  });
});

describe('a time', () => {
  it('is moved to the nearest one of the format: whole seconds behind the last', () => {
    const last = 0xffffffffn * 1_000_000_000n;
    expect([-1n, 0n, 5n].map(clampNs)).toEqual([0n, 0n, 5n]);
    expect(clampNs(last + 999_999_999n)).toBe(last + 999_999_999n);
    expect(clampNs(last + 1_000_000_000n)).toBe(last);
  });
});

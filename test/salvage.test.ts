import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { NO_ROOTS } from '../src/format/block-map.js';
import { decodeDirents, encodeDirents } from '../src/format/dirents.js';
import { hash64Hex } from '../src/format/hash.js';
import { idHex, ObjectType } from '../src/format/ids.js';
import { encodeInode } from '../src/format/inode.js';
import { encodeObjectNameHashed } from '../src/format/names.js';
import { decodeSegment } from '../src/format/segment.js';
import { exportSmall, type SmallExport } from './support/export-small.js';
import { filesBelow, isMarked, judge } from './support/salvaged.js';
import { editInodes, loadSmall } from './support/small-container.js';
import { randomNumbers, removeTree } from './support/tree.js';
import {
  base,
  blocksOf,
  bodyOf,
  inodeOf,
  isRootName,
  keyOf,
  makeSource,
  put,
  source,
  stoppedAt,
} from './support/uncommitted.js';

beforeAll(() => {
  makeSource();
  chmodSync(join(source, 'a/large'), 0o640);
  chmodSync(join(source, 'wide/entry 7 yyyyyyy'), 0o604);
  utimesSync(join(source, 'a/b/deep/x'), 1_500_000_000, 1_400_000_000.25);
});
afterAll(() => removeTree(base));

/** Exports what can be salvaged into a directory alone in its place. */
async function salvage(container: MemoryContainer): Promise<SmallExport & { readonly target: string }> {
  const place = mkdtempSync(join(base, 'salvaged-'));
  const target = join(place, 'target');
  const summary = await exportSmall(container, base, target, { salvage: true });
  expect(readdirSync(place)).toEqual(['target']);
  return { ...summary, target };
}

async function withoutRoot(): Promise<MemoryContainer> {
  const container = await loadSmall(source, base);
  const [root] = [...container.blobs.keys()].filter(isRootName);
  expect(container.blobs.delete(root)).toBe(true);
  return container;
}

describe('a container whose root was deleted', () => {
  it('has its whole tree at its paths', async () => {
    const container = await withoutRoot();
    const { target, status, salvage: counts, failures } = await salvage(container);
    expect(failures).toEqual([]);
    expect(status).toBe('Completed');
    expect(counts).toMatchObject({ rebuilt: 1, partial: 0, incomplete: 0, versions: 0, unreadable: 0 });
    expect(filesBelow(target).sort()).toEqual(filesBelow(source).sort());
    expect(await judge(container, source, target)).toMatchObject({ missing: [], wrong: [] });
    expect(statSync(join(target, 'c')).mtimeMs).toBe(statSync(join(source, 'c')).mtimeMs);
    expect(statSync(join(target, 'a/linked')).ino).toBe(statSync(join(target, 'c/linked')).ino);
  });
});
describe('a load that stopped half-way', () => {
  it.each([20, 40, 60, 80, 100, 130])('brings back what is whole, when put %i was its last', async (last) => {
    const container = await stoppedAt((_name, puts) => puts > last);
    const { target, failures } = await salvage(container);
    expect(failures).toEqual([]);
    const { missing, wrong, whole } = await judge(container, source, target);
    expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
    expect(whole).toBeGreaterThan(0);
  });
  it('has files of a directory that was not written where another one lists it, else in lost+found', async () => {
    const container = await withoutRoot();
    const { id, blob } = inodeOf(container, 'deep');
    container.blobs.delete(blob);
    const listed = await salvage(container);
    expect(listed.salvage).toMatchObject({ rebuilt: 2, unlisted: 6 });
    expect(readFileSync(join(listed.target, 'a/b/deep/x'), 'utf8')).toBe('x');
    container.blobs.delete(inodeOf(container, 'b').blob);
    const { target } = await salvage(container);
    expect(readFileSync(join(target, 'lost+found', idHex(id), 'x'), 'utf8')).toBe('x');
    expect(statSync(join(target, 'lost+found', idHex(id))).mode & 0o7777).toBe(0o700);
    expect(await judge(container, source, target)).toMatchObject({ missing: [], wrong: [] });
  });
});
describe('a container that lost a tenth of its blobs', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'brings back every whole file, and nothing else by its name (seed %i)',
    async (seed) => {
      const container = await loadSmall(source, base);
      const next = randomNumbers(seed * 7919);
      for (let i = 0; i < 20; i++) next();
      let lost = 0;
      for (const name of [...container.blobs.keys()]) if (next() % 10 === 0 && container.blobs.delete(name)) lost++;
      expect(lost).toBeGreaterThan(5);
      const { target, status, error } = await salvage(container);
      expect(error).toBeUndefined();
      expect(['Completed', 'CompletedWithErrors']).toContain(status);
      const { missing, wrong, whole } = await judge(container, source, target);
      expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
      expect(whole).toBeGreaterThan(40);
    },
  );
});
it('more failures than an export tolerates stop no salvage', async () => {
  const container = await withoutRoot();
  const handle = inodeOf(container, 'wide').id;
  let lost = 0;
  for (const name of [...container.blobs.keys()]) {
    const key = keyOf(name);
    if (key?.type !== ObjectType.regular || key.ownerHash !== hash64Hex(handle)) continue;
    container.blobs.delete(name);
    lost++;
  }
  expect(lost).toBe(80);
  const { target, status, failures } = await salvage(container);
  expect(status).toBe('CompletedWithErrors');
  expect(failures).toHaveLength(lost);
  expect(await judge(container, source, target)).toMatchObject({ missing: [], wrong: [] });
});
describe('what is not whole', () => {
  it('has a mark, and holes where segments are missing', async () => {
    const container = await loadSmall(source, base);
    const segments = blocksOf(container, 'large', 8);
    for (const name of segments.slice(1, 3)) container.blobs.delete(name);
    for (const name of blocksOf(container, 'other', 9)) container.blobs.delete(name);
    const { target, salvage: counts, status } = await salvage(container);
    expect(status).toBe('Completed');
    expect(counts).toMatchObject({ incomplete: 2, unlisted: 0, rebuilt: 0 });
    expect(readdirSync(join(target, 'a')).sort()).toEqual(['b', 'large.~incomplete~', 'linked', 'other.~incomplete~']);
    for (const name of ['large', 'other']) {
      const was = readFileSync(join(source, 'a', name));
      const is = readFileSync(join(target, 'a', `${name}.~incomplete~`));
      expect(is.length).toBe(was.length);
      expect(is.subarray(0, 600)).toEqual(was.subarray(0, 600));
      let same = 0;
      for (let at = 600; at < was.length; at += 2500) {
        const piece = is.subarray(at, at + 2500);
        if (piece.equals(was.subarray(at, at + 2500))) same++;
        else expect(piece.equals(Buffer.alloc(piece.length))).toBe(true);
      }
      expect(same).toBe(name === 'large' ? 9 : 4);
    }
    expect(await judge(container, source, target)).toMatchObject({ missing: [], wrong: [] });
  });
  it('has a mark when another version supersedes it', async () => {
    const container = await loadSmall(source, base);
    const { blob, inode, id } = inodeOf(container, 'x');
    const newer = encodeObjectNameHashed(id, ObjectType.regular, keyOf(blob).ownerHash, 10);
    put(container, newer, encodeInode({ ...inode, data: Buffer.from('y') }));
    const gets = vi.spyOn(container, 'get');
    const { target, salvage: counts } = await salvage(container);
    expect(counts).toMatchObject({ versions: 1 });
    // By the search, and by the export.
    expect(gets.mock.calls.filter(([name]) => name === blob)).toHaveLength(2);
    expect(readFileSync(join(target, 'a/b/deep/x'), 'utf8')).toBe('y');
    expect(readFileSync(join(target, 'a/b/deep/x.~version-9~'), 'utf8')).toBe('x');
  });
  it('is in lost+found when its directory is whole and does not list it', async () => {
    const container = await loadSmall(source, base);
    const { id } = inodeOf(container, 'deep');
    editInodes(container, ObjectType.directory, (inode) =>
      Buffer.from(inode.name).toString() === 'deep' ? { dirents: dotsOf(id, inodeOf(container, 'b').id) } : undefined,
    );
    const { target } = await salvage(container);
    expect(readdirSync(join(target, 'a/b/deep'))).toEqual([]);
    expect(readdirSync(join(target, 'lost+found', idHex(id))).sort()).toEqual(['x', 'y']);
  });
});
describe('what no directory lists', () => {
  it('is in its directory where a part of that is missing; the other parts are read', async () => {
    const container = await loadSmall(source, base);
    const segments = blocksOf(container, 'wide', 8);
    expect(segments.length).toBeGreaterThan(4);
    const segment = decodeSegment(bodyOf(container, segments[1]));
    const lost = decodeDirents(segment.kind === 'directory' ? segment.dirents : Buffer.alloc(0)).length;
    expect(lost).toBeGreaterThan(1);
    container.blobs.delete(segments[1]);
    const { target, salvage: counts } = await salvage(container);
    expect(readdirSync(target)).not.toContain('lost+found');
    expect(readdirSync(join(target, 'wide')).sort()).toEqual(readdirSync(join(source, 'wide')).sort());
    expect(counts).toMatchObject({ rebuilt: 0, partial: 1, incomplete: 0, unlisted: lost });
    expect(await judge(container, source, target)).toMatchObject({ missing: [], wrong: [] });
  });
  it('has the name of the later of two tries', async () => {
    const container = await withoutRoot();
    const { blob, inode, id } = inodeOf(container, 'a file at the top');
    for (const [sequence, text] of [
      [1n, 'the first try'],
      [2n ** 62n, 'the latest try'],
    ] as const) {
      const other = Buffer.from(id);
      other.writeBigUInt64LE(sequence, 8);
      const blockMap = { ...inode.blockMap, direct: [other], roots: NO_ROOTS };
      const attributes = { ...inode.attributes, lengthBytes: BigInt(text.length) };
      const name = encodeObjectNameHashed(other, ObjectType.regular, keyOf(blob).ownerHash, 9);
      put(container, name, encodeInode({ ...inode, blockMap, attributes, data: Buffer.from(text) }));
    }
    const { target } = await salvage(container);
    const contentOf = (name: string) => readFileSync(join(target, name)).toString('latin1');
    expect(contentOf('a file at the top')).toBe('the latest try');
    const others = readdirSync(target).filter((name) => name.startsWith('a file at the top.~'));
    expect(others.sort()).toEqual(['a file at the top.~2~', 'a file at the top.~3~']);
    const first = others.filter((name) => contentOf(name) === 'the first try');
    expect(first).toHaveLength(1);
  });
  it('is beside a lost+found that the tree has itself', async () => {
    const container = await withoutRoot();
    editInodes(container, ObjectType.directory, (inode) =>
      Buffer.from(inode.name).toString() === 'wide' ? { name: Buffer.from('lost+found') } : undefined,
    );
    const { id, blob } = inodeOf(container, 'deep');
    for (const lost of [blob, inodeOf(container, 'b').blob]) container.blobs.delete(lost);
    const { target } = await salvage(container);
    expect(readdirSync(join(target, 'lost+found'))).toHaveLength(80);
    expect(readdirSync(join(target, 'lost+found.~2~'))).toContain(idHex(id));
  });
});
describe('a hostile container', () => {
  it('has no way out of the target by its names', async () => {
    const container = await withoutRoot();
    const names = ['..', '.', 'a/../../../out', '', 'nul\0'];
    let next = 0;
    const edited = editInodes(container, ObjectType.regular, () => ({
      name: Buffer.from(names[next++ % names.length]),
    }));
    expect(edited).toBeGreaterThan(50);
    editInodes(container, ObjectType.directory, ({ dirents }) => {
      if (!dirents) return undefined;
      return { dirents: Buffer.from(dirents.toString('latin1').replaceAll('entry', 'a/../'), 'latin1') };
    });
    const { target, failures, salvage: counts } = await salvage(container);
    expect(failures).toEqual([]);
    expect(counts?.unlisted).toBeGreaterThan(8);
    // The name at the top of the file with three names was in its own record alone.
    expect(filesBelow(target).length).toBe(filesBelow(source).length - 1);
  });
  it('with directories in each other has each of them once', async () => {
    const container = await withoutRoot();
    const a = inodeOf(container, 'a').id;
    const b = inodeOf(container, 'b').id;
    editInodes(container, ObjectType.directory, (inode) => {
      const name = Buffer.from(inode.name).toString();
      if (name === 'a')
        return { dirents: Buffer.concat([dotsOf(a, b), encodeDirents([entry('b', b), entry('a', a)])]) };
      if (name === 'b')
        return {
          dirents: Buffer.concat([
            dotsOf(b, a),
            encodeDirents([entry('a', a), entry('deep', inodeOf(container, 'deep').id)]),
          ]),
        };
      return undefined;
    });
    const { target, error } = await salvage(container);
    expect(error).toBeUndefined();
    const deep = filesBelow(target).filter((path) => path.endsWith('deep/x'));
    expect(deep).toHaveLength(1);
    expect(deep[0]).toMatch(/^lost\+found\//);
  });
  it('with a file of a length that nothing can have writes nothing of it', async () => {
    const container = await withoutRoot();
    editInodes(container, ObjectType.regular, (inode) =>
      Buffer.from(inode.name).toString() === 'large'
        ? { attributes: { ...inode.attributes, lengthBytes: 2n ** 52n } }
        : undefined,
    );
    const { target, failures } = await salvage(container);
    expect(failures).toEqual(['a/large.~incomplete~']);
    expect(filesBelow(target).filter((path) => path.includes('large'))).toEqual([]);
  });
});

describe('an export that was stopped', () => {
  async function stopped() {
    const container = await loadSmall(source, base);
    for (const name of blocksOf(container, 'large', 8).slice(0, 1)) container.blobs.delete(name);
    const place = mkdtempSync(join(base, 'stopped-'));
    const [target, statePath] = [join(place, 'target'), join(place, 'state')];
    const controller = new AbortController();
    let gets = 0;
    const get = container.get.bind(container);
    container.get = async (name, limit) => {
      // The search reads each inode too: the export is under way then.
      if (existsSync(target) && ++gets === 60) controller.abort();
      return get(name, limit);
    };
    const first = await exportSmall(container, base, target, { salvage: true, statePath, signal: controller.signal });
    expect(first.status).toBe('Cancelled');
    const again = (salvaged: boolean) =>
      exportSmall(container, base, target, { salvage: salvaged, statePath, newSession: false });
    return { container, target, again };
  }

  it('goes on where it was', async () => {
    const { container, target, again } = await stopped();
    await expect(again(false)).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('--salvage') });
    expect(await again(true)).toMatchObject({ status: 'Completed', salvage: { incomplete: 1 } });
    expect(await judge(container, source, target)).toMatchObject({ missing: [], wrong: [] });
    expect(filesBelow(target).filter(isMarked)).toEqual(['a/large.~incomplete~']);
  });
  it('begins anew when the container has changed', async () => {
    const { container, target, again } = await stopped();
    container.blobs.delete(inodeOf(container, 'y').blob);
    const { status, failures } = await again(true);
    expect([status, failures]).toEqual(['CompletedWithErrors', [expect.stringMatching(/(^|\/)y$/)]]);
    expect(await judge(container, source, target)).toMatchObject({ wrong: [] });
  });
});

function entry(name: string, handle: Uint8Array) {
  return { name: Buffer.from(name), handle };
}

function dotsOf(own: Uint8Array, parent: Uint8Array): Buffer {
  return encodeDirents([entry('.', own), entry('..', parent)]);
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ObjectType } from '../format/ids.js';
import { formatManifestEntry } from '../manifest/manifest-entry.js';
import { expectManifest } from './manifest.js';

const folder = mkdtempSync(join(tmpdir(), 'clfs-manifest-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The line of a path: a directory where `sum` is missing, which is a byte of one. */
function line(path: Buffer, sum?: string): string {
  return formatManifestEntry(fields(path, sum));
}

const SUM_BYTES = 32;

function fields(path: Buffer, sum?: string): Parameters<typeof formatManifestEntry>[0] {
  const isDirectory = sum === undefined;
  return {
    path,
    type: isDirectory ? ObjectType.directory : ObjectType.regular,
    mode: isDirectory ? 0o040755 : 0o100644,
    uid: 1,
    gid: 2,
    sizeBytes: 3n,
    deviceMajor: 0,
    deviceMinor: 0,
    mtimeNs: 4n,
    linkCount: 1,
    linkGroup: undefined,
    target: undefined,
    sha256: sum?.repeat(SUM_BYTES),
  };
}

function manifest(...lines: readonly string[]): string {
  const file = join(folder, 'manifest.jsonl');
  writeFileSync(file, lines.map((text) => `${text}\n`).join(''));
  return file;
}

const ROOT = line(Buffer.from('.'));

describe('a manifest', () => {
  it('has each directory with its names, whatever their bytes and the order of the lines', async () => {
    const byte = fc.integer({ min: 1, max: 255 }).filter((value) => value !== 0x2f);
    const name = fc
      .array(byte, { minLength: 1, maxLength: 3 })
      .map((bytes) => Buffer.from(bytes).toString('latin1'))
      .filter((text) => text !== '.');
    const paths = fc.array(fc.array(name, { minLength: 1, maxLength: 4 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(paths, fc.integer(), async (drawn, order) => {
        const children = new Map<string, Set<string>>([['', new Set()]]);
        for (const parts of drawn)
          for (const [depth, part] of parts.entries()) {
            const parent = parts.slice(0, depth).join('/');
            children.get(parent)?.add(part);
            const own = parts.slice(0, depth + 1).join('/');
            if (!children.has(own)) children.set(own, new Set());
          }
        const all = [...children.keys()].filter((path) => path !== '').map((path) => line(Buffer.from(path, 'latin1')));
        const turn = all.length === 0 ? 0 : Math.abs(order) % all.length;
        const expectation = await expectManifest(manifest(...all.slice(turn), ROOT, ...all.slice(0, turn)));
        try {
          for (const [path, names] of children) {
            const directory = await expectation.directory(Buffer.from(path, 'latin1'));
            const listed: string[] = [];
            for await (const each of directory.names()) listed.push(each.toString('latin1'));
            expect(listed.sort()).toEqual([...names].sort());
            for (const each of names)
              expect((await directory.entry(Buffer.from(each, 'latin1'))).permissions).toBe(0o755);
            expect(() => directory.entry(Buffer.from('no such name'))).toThrow('the manifest does not have it');
          }
        } finally {
          expectation.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('tells what a symlink leads to, whatever its bytes', async () => {
    const target = Buffer.from([0xff, 0x2f, 0x0a]);
    const symlink = formatManifestEntry({
      ...fields(Buffer.from('l')),
      mode: 0o120777,
      type: ObjectType.symlink,
      target,
    });
    const expectation = await expectManifest(manifest(ROOT, symlink, line(Buffer.from('f'), 'ff')));
    const root = await expectation.directory(Buffer.alloc(0));
    expect((await root.entry(Buffer.from('l'))).target).toEqual(target);
    expect((await root.entry(Buffer.from('f'))).target).toBeUndefined();
    expectation.close();
  });

  it('tells the content of each file by its own sum', async () => {
    const expectation = await expectManifest(
      manifest(ROOT, line(Buffer.from('a'), 'aa'), line(Buffer.from('b'), 'bb'), line(Buffer.from('c'))),
    );
    const root = await expectation.directory(Buffer.alloc(0));
    expect(await root.content(Buffer.from('b'))).toEqual({ kind: 'sha256', hex: 'bb'.repeat(SUM_BYTES) });
    expect((await root.entry(Buffer.from('a'))).type).toBe(ObjectType.regular);
    expect(await root.content(Buffer.from('a'))).toEqual({ kind: 'sha256', hex: 'aa'.repeat(SUM_BYTES) });
    expect(await root.content(Buffer.from('c'))).toEqual({ kind: 'unknown' });
    expectation.close();
  });

  it.each([
    [
      'without a directory',
      [ROOT, line(Buffer.from('a')), line(Buffer.from('a/b/c'))],
      'has "a/b/c", and no line of the directory',
    ],
    ['without the root', [line(Buffer.from('a'))], 'has "a", and no line of the directory'],
    [
      'with a zero byte in a path',
      [ROOT, line(Buffer.from('a\0b'))],
      'Line 2 of the manifest has a path with a zero byte',
    ],
    [
      'with two lines of one path that differ',
      [ROOT, line(Buffer.from('a'), 'aa'), line(Buffer.from('a'), 'aa'), line(Buffer.from('a'), 'bb')],
      'Line 4 of the manifest says of "a" something else than a line before',
    ],
    ['with a line of another kind', [ROOT, '{}'], 'Line 2 of the manifest is not one of a manifest'],
  ])('%s is refused', async (_, lines, message) => {
    await expect(expectManifest(manifest(...lines))).rejects.toThrow(message);
  });
});

import { linkSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { fsck } from '../src/audit/fsck.js';
import { expectSource } from '../src/audit/source-expectation.js';
import { verify } from '../src/audit/verify.js';
import { ObjectType } from '../src/format/ids.js';
import { decodeObjectName } from '../src/format/names.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { indexContainer } from '../src/namespace/object-index.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { openPosixSource } from '../src/source/posix-source.js';
import { escapePath } from '../src/text/escape-path.js';
import { SMALL } from './support/check.js';
import { exportSmall } from './support/export-small.js';
import { judge } from './support/salvaged.js';
import { editInodes, loadSmall } from './support/small-container.js';
import { removeTree } from './support/tree.js';

const spills = vi.hoisted(() => ({ maps: 0, stacks: 0 }));
// Everything goes to disk at once: what the verbs do must not depend on where it is.
vi.mock('../src/spill/spilled-map.js', async (original) => {
  const { SpilledMap } = await original<typeof import('../src/spill/spilled-map.js')>();
  return {
    SpilledMap: class extends SpilledMap {
      constructor() {
        super(0);
        spills.maps++;
      }
    },
  };
});
vi.mock('../src/spill/spilled-stack.js', async (original) => {
  const { SpilledStack } = await original<typeof import('../src/spill/spilled-stack.js')>();
  return {
    SpilledStack: class<T> extends SpilledStack<T> {
      constructor(codec: ConstructorParameters<typeof SpilledStack<T>>[0]) {
        super(codec, 1);
        spills.stacks++;
      }
    },
  };
});

const base = mkdtempSync(join(tmpdir(), 'clfs-spilled-'));
afterAll(() => removeTree(base));

it('fsck and verify do the same when all that they keep is on disk', async () => {
  const source = join(base, 'source');
  for (let d = 0; d < 9; d++) {
    const directory = join(source, `d${d % 3}`, `below${d}`);
    mkdirSync(directory, { recursive: true });
    for (let f = 0; f < 8; f++) writeFileSync(join(directory, `${f}-${'name'.repeat(f)}`), Buffer.alloc(400 * f, f));
    for (const name of ['one', 'two'])
      linkSync(join(directory, '7-'.concat('name'.repeat(7))), join(source, 'd0', `${name}${d}`));
    symlinkSync('somewhere', join(directory, 'symlink'));
  }
  const container = await loadSmall(source, base);
  const open = async () => {
    const index = await indexContainer(container, { memoryObjects: 5 });
    return { index, reader: new ContainerReader(container, index, openLz4(), SMALL) };
  };
  const compare = async (directory: string) => {
    const { index, reader } = await open();
    const expectation = expectSource(openPosixSource(Buffer.from(directory)));
    const lines: string[] = [];
    const options = { content: true, sample: 1, timeToleranceNs: 0n };
    const summary = await verify(
      expectation,
      reader,
      options,
      ({ mark, path, details }) =>
        void (mark === '=' || lines.push(`${mark} ${escapePath(path)} ${details.join(', ')}`)),
    );
    expectation.close();
    index.close();
    return { lines, summary };
  };
  const findings = async () => {
    const { index, reader } = await open();
    const found: string[] = [];
    const summary = await fsck(
      reader,
      index,
      { content: true },
      ({ code }) => void (code === 'symlink-target' || found.push(code)),
    );
    index.close();
    return { found, summary };
  };
  const compared = await compare(source);
  expect(compared.lines).toEqual([]);
  expect(compared.summary.same).toBeGreaterThan(50);
  const { found, summary } = await findings();
  expect(found).toEqual([]);
  expect(summary.entries).toBe(compared.summary.same);

  // One back pointer less, in inodes that have several.
  const edited = editInodes(container, ObjectType.regular, ({ attributes, backPointers }) =>
    attributes.linkCount > 1
      ? { attributes: { ...attributes, linkCount: attributes.linkCount - 1 }, backPointers: backPointers?.slice(1) }
      : undefined,
  );
  expect(edited).toBeGreaterThan(0);
  const damaged = await findings();
  expect(damaged.found.filter((code) => code === 'link-count')).toHaveLength(edited);
  expect(spills.maps).toBeGreaterThan(20);
  expect(spills.stacks).toBeGreaterThan(0);
});

it('export knows a name that comes twice when those of a directory are on disk', async () => {
  const source = join(base, 'wide');
  mkdirSync(source);
  for (let f = 0; f < 30; f++) writeFileSync(join(source, `f${f}`), `${f}`);
  const container = await loadSmall(source, base);
  const before = spills.maps;
  expect(await exportSmall(container, base, join(base, 'once'))).toMatchObject({ written: 31, failed: 0 });
  // The listing of the one directory.
  expect(spills.maps).toBe(before + 1);
  let edited = 0;
  for (const bytes of container.blobs.values()) {
    const at = bytes.indexOf('f11');
    if (at < 0) continue;
    bytes.write('f12', at);
    edited++;
  }
  expect(edited).toBeGreaterThan(0);
  const twice = await exportSmall(container, base, join(base, 'twice'));
  expect(twice).toMatchObject({ written: 30, failed: 1, failures: ['f12'] });
});

it('a salvage does the same when all that it keeps is on disk', async () => {
  const source = join(base, 'source');
  const container = await loadSmall(source, base);
  for (const name of [...container.blobs.keys()]) {
    const isRoot = name.startsWith('00000064') && name.endsWith('.0002');
    const isDirectory = decodeObjectName(name)?.type === ObjectType.directory;
    if (isRoot || (isDirectory && name.charCodeAt(0) % 2 === 0)) container.blobs.delete(name);
  }
  const before = spills.maps;
  const target = join(base, 'salvaged');
  const { salvage } = await exportSmall(container, base, target, { salvage: true, internals: { memoryObjects: 5 } });
  expect(salvage).toMatchObject({ incomplete: 0, versions: 0, unreadable: 0 });
  expect(spills.maps).toBeGreaterThan(before + 4);
  const { missing, wrong, whole } = await judge(container, source, target);
  expect({ missing, wrong, whole }).toEqual({ missing: [], wrong: [], whole: 9 * 8 });
});

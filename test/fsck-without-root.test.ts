import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fsck } from '../src/audit/fsck.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { idHex, NOT_FINAL_OWNER } from '../src/format/ids.js';
import { decodeObjectName, encodeObjectName } from '../src/format/names.js';
import { openLz4 } from '../src/lz4/lz4.js';
import type { ObjectBlob } from '../src/namespace/object-blob.js';
import { indexContainer } from '../src/namespace/object-index.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { SMALL } from './support/check.js';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';
import {
  base,
  blocksOf,
  bodyOf,
  check,
  inodeOf,
  isRootName,
  keyOf,
  makeSource,
  put,
  stoppedAt,
  uncommitted,
} from './support/uncommitted.js';

beforeAll(makeSource);
afterAll(() => removeTree(base));
const lz4 = openLz4();
const HEALTHY = { rootEntries: 5, missingDirectories: 0, missingDirectoryEntries: 0, unreadDirectoryEntries: 0 };

describe('a healthy container without its root', () => {
  it.each([true, false])('has no other finding, links preserved: %s', async (preserve) => {
    const container = await stoppedAt(isRootName, preserve);
    const { findings, summary } = await check(container);
    expect(findings).toEqual(['no-root']);
    // a, c, wide, a file, and the linked inode where the top is its first directory or each link is an inode.
    expect(summary.withoutRoot).toMatchObject({ ...HEALTHY, rootEntries: expect.any(Number) as number });
    expect(summary.withoutRoot?.rootEntries).toBeGreaterThanOrEqual(4);
    expect(summary.errors).toBe(1);
    const objects = [...container.blobs.keys()].filter((name) => [1, 2, 5].includes(decodeObjectName(name)?.type ?? 0));
    // Every inode once, each further name of a linked one in a directory that is there, and the root that is not.
    expect(summary.entries).toBeGreaterThan(objects.length);
    expect(summary.entries).toBeLessThanOrEqual(objects.length + 4);
  });

  it('a load stopped anywhere has no error but what was under way', async () => {
    const total = (await uncommitted()).blobs.size;
    for (let stop = 5; stop < total; stop += 7) {
      const { raw } = await check(await stoppedAt((_name, puts) => puts >= stop));
      const wrong = raw.filter(
        ({ severity, code, message }) =>
          severity === 'error' && code !== 'no-root' && !message.includes('not in the container'),
      );
      expect(wrong, `stopped at put ${stop}`).toEqual([]);
    }
  });

  it('an empty container has no root and no bucket object', async () => {
    const { findings } = await check(new MemoryContainer());
    expect(findings).toEqual(['no-bucket-object', 'no-root']);
  });

  it('a loader that gives inodes a preliminary owner', async () => {
    const container = await uncommitted();
    const { blob, id } = inodeOf(container, 'symlink');
    const body = bodyOf(container, blob);
    container.blobs.delete(blob);
    put(container, encodeObjectName({ id, type: 5, owner: NOT_FINAL_OWNER, version: 9 }), Buffer.from(body));
    expect((await check(container)).findings).toEqual(['no-root']);
  });
});

describe('what is missing', () => {
  it.each([
    ['x', 'dangling-entry a/b/deep/x'],
    ['symlink', 'dangling-entry c/symlink'],
  ])('an inode that a directory lists: %s', async (name, finding) => {
    const container = await uncommitted();
    container.blobs.delete(inodeOf(container, name).blob);
    expect((await check(container)).findings).toEqual([finding, 'no-root'].sort());
  });

  it('a linked inode, once for each entry that is known', async () => {
    const container = await uncommitted();
    container.blobs.delete(inodeOf(container, 'twins').blob);
    expect((await check(container)).findings).toEqual([
      'dangling-entry a/b/twins',
      'dangling-entry c/twins',
      'no-root',
    ]);
  });

  it('a directory below another', async () => {
    const container = await uncommitted();
    const { blob } = inodeOf(container, 'deep');
    container.blobs.delete(blob);
    const { findings, summary, raw } = await check(container);
    expect(findings).toEqual(['dangling-entry a/b/deep', 'missing-directory', 'no-root']);
    expect(summary.withoutRoot).toMatchObject({ missingDirectories: 1, missingDirectoryEntries: 2 });
    expect(raw.find(({ code }) => code === 'missing-directory')?.message).toContain(blob.slice(0, 16));
  });

  it('a directory of the root: only by what belongs to it', async () => {
    const container = await uncommitted();
    container.blobs.delete(inodeOf(container, 'wide').blob);
    const { findings, summary } = await check(container);
    // Its own segments have no inode any more.
    expect(new Set(findings)).toEqual(new Set(['missing-directory', 'no-root', 'orphan']));
    expect(summary.withoutRoot).toMatchObject({ missingDirectories: 1, missingDirectoryEntries: 80 });
  });

  it.each([
    ['large', 8, 'a/large'],
    ['large', 9, 'a/large'],
    ['a file at the top', 8, 'a file at the top'],
  ] as const)('a block of %s, type %i', async (name, type, path) => {
    const container = await uncommitted();
    const blocks = blocksOf(container, name, type);
    expect(blocks.length).toBeGreaterThan(1);
    const deleted = blocks[blocks.length - 1];
    container.blobs.delete(deleted);
    for (const content of [true, false]) {
      const { findings, raw } = await check(container, content);
      expect(findings).toContain(`missing-object ${path}`);
      expect(raw.find(({ code }) => code === 'missing-object')?.object).toBe(idHex(keyOf(deleted).id));
      expect(findings).toContain('no-root');
      if (type === 8) expect(findings).toHaveLength(2);
    }
  });

  it('a segment of a directory: what it listed is no orphan', async () => {
    const container = await uncommitted();
    container.blobs.delete(blocksOf(container, 'wide', 8)[3]);
    const { findings, summary } = await check(container);
    expect(findings).toEqual(['missing-object wide', 'no-root']);
    expect(summary.withoutRoot?.unreadDirectoryEntries).toBeGreaterThan(3);
  });
});

describe('a check that is stopped', () => {
  it('stops soon, though no call of the container ever waits', async () => {
    const container = await uncommitted();
    const index = await indexContainer(container);
    const reader = new ContainerReader(container, index, lz4, SMALL);
    const stop = new AbortController();
    // Many names beside: the loops over the listing are what is stopped.
    const [blob] = (await index.all()[Symbol.asyncIterator]().next()).value as readonly ObjectBlob[];
    index.superseded = async function* () {
      for (let page = 0; page < 3000; page++) yield new Array<ObjectBlob>(1000).fill(blob);
    };
    setTimeout(() => stop.abort(new Error('stopped here')), 20);
    let findings = 0;
    const checked = fsck(reader, index, { content: true, signal: stop.signal }, () => findings++);
    await expect(checked).rejects.toThrow('stopped here');
    expect(findings).toBeLessThan(3_000_000);
  });
});

describe('the verb', () => {
  it('tells of it as text and as JSON, and exits with 1', async () => {
    const container = await uncommitted();
    container.blobs.delete(inodeOf(container, 'x').blob);
    container.blobs.delete(inodeOf(container, '\u001b[2Jodd').blob);
    const place = mkdtempSync(join(base, 'container-'));
    for (const [name, blob] of container.blobs) writeFileSync(join(place, name), blob);
    writeFileSync(join(place, 'foreign \u001b[2J \u009b'), '');
    const text = await runProgram('clfsload', ['fsck', place]);
    expect(text.code).toBe(1);
    expect(text.stdout).toContain('error no-root -: ');
    expect(text.stdout).toContain('error dangling-entry a/b/deep/x: ');
    expect(text.stdout).toContain('error dangling-entry c/\\x1b[2Jodd: ');
    expect(text.stdout).toContain('[foreign \\x1b[2J \\xc2\\x9b]');
    expect(text.stdout).toMatch(/\nChecked without the root directory: \d+ inodes of it\.\n/);
    expect(text.stdout).toContain('go on with it by "clfsload resume"');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may reach a terminal
    expect(text.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    const json = await runProgram('clfsload', ['fsck', '--json', place]);
    expect(json.code).toBe(1);
    const schema = JSON.parse(readFileSync(new URL('../docs/output.schema.json', import.meta.url), 'utf8')) as object;
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema(schema, 'output');
    const isLine = ajv.compile({ $ref: 'output#/$defs/FsckLine' });
    const lines = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of lines) expect(isLine(line), JSON.stringify([line, isLine.errors])).toBe(true);
    expect(lines.map(({ code }) => code)).toContain('no-root');
    expect(lines.at(-1)).toMatchObject({ summary: { without_root: { missing_directories: 0 } } });
    expect(isLine({ severity: 'info', code: 'no-root', message: '' })).toBe(false);
  });
});

import { linkSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from '../src/audit/findings.js';
import { type FsckSummary, fsck } from '../src/audit/fsck.js';
import type { PutOptions } from '../src/container/container.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { ClfsError } from '../src/error.js';
import { decodeDirents, encodeDirents } from '../src/format/dirents.js';
import { ENVELOPE_BYTES } from '../src/format/envelope.js';
import { idHex, NOT_FINAL_OWNER } from '../src/format/ids.js';
import { decodeInode, encodeInode, type Inode } from '../src/format/inode.js';
import { decodeObjectName, encodeObjectName } from '../src/format/names.js';
import { decodeSegment } from '../src/format/segment.js';
import { load } from '../src/load/load.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { indexContainer } from '../src/namespace/object-finder.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { escapePath } from '../src/text/escape-path.js';
import { SMALL } from './support/check.js';
import { runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-rootless-'));
const source = join(base, 'source');
const lz4 = openLz4();
afterAll(() => removeTree(base));
beforeAll(() => {
  for (const directory of ['a/b/deep', 'wide', 'c', 'c/\u001b[2Jodd']) mkdirSync(join(source, directory), { recursive: true });
  for (let i = 0; i < 80; i++) writeFileSync(join(source, 'wide', `entry ${i} ${'y'.repeat(i % 40)}`), `${i}`);
  for (const name of ['large', 'other']) writeFileSync(join(source, 'a', name), someBytes(600 + 2500 * 11, name.length));
  for (const name of ['x', 'y']) writeFileSync(join(source, 'a/b/deep', name), name);
  writeFileSync(join(source, 'a/linked'), 'linked');
  for (const name of ['c/linked', 'linked at the top']) linkSync(join(source, 'a/linked'), join(source, name));
  writeFileSync(join(source, 'c/twins'), 'twins');
  linkSync(join(source, 'c/twins'), join(source, 'a/b/twins'));
  symlinkSync('../wide', join(source, 'c', 'symlink'));
  writeFileSync(join(source, 'a file at the top'), someBytes(9000, 3));
});

/** Refuses one put, and with it ends the load. */
class Refusing extends MemoryContainer {
  refused = 0;
  readonly #refuses: (name: string, puts: number) => boolean;
  #puts = 0;

  constructor(refuses: (name: string, puts: number) => boolean) {
    super();
    this.#refuses = refuses;
  }

  override async put(name: string, body: Uint8Array, options?: PutOptions): Promise<void> {
    if (this.#refuses(name, ++this.#puts)) {
      this.refused++;
      throw new ClfsError('service', 'The service refuses this.');
    }
    await super.put(name, body, options);
  }
}

const isRootName = (name: string) => name.startsWith('00000064') && name.endsWith('.0002');

/** A container of a load that stopped at the put that `refuses` chooses: the root's, unless told otherwise. */
async function uncommitted(refuses: (name: string, puts: number) => boolean = isRootName, preserveHardLinks = true): Promise<Refusing> {
  const container = new Refusing(refuses);
  const statePath = mkdtempSync(join(base, 'state-'));
  const summary = await load({
    source,
    destination: '/unused',
    statePath,
    compression: 'DISABLED',
    preserveHardLinks,
    internals: { container, geometry: SMALL },
  });
  expect(summary.status).toBe('Failed');
  expect(container.refused).toBeGreaterThan(0);
  return container;
}

async function check(container: MemoryContainer, content = true): Promise<{ findings: string[]; raw: Finding[]; summary: FsckSummary }> {
  const index = await indexContainer(container);
  const raw: Finding[] = [];
  const summary = await fsck(new ContainerReader(container, index, lz4, SMALL), index, { content }, (finding) => raw.push(finding));
  const findings = raw.map(({ code, path }) => (path === undefined ? code : `${code} ${escapePath(path)}`)).sort();
  expect(summary.errors).toBe(raw.filter(({ severity }) => severity === 'error').length);
  return { findings, raw, summary };
}

const bodyOf = (container: MemoryContainer, name: string) => (container.blobs.get(name) as Buffer).subarray(ENVELOPE_BYTES);
const put = (container: MemoryContainer, name: string, body: Buffer) => void container.blobs.set(name, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]));
const keyOf = (name: string) => decodeObjectName(name) as NonNullable<ReturnType<typeof decodeObjectName>>;

/** The blob and the inode whose NAME record is `name`. */
function inodeOf(container: MemoryContainer, name: string): { blob: string; inode: Inode; id: Buffer } {
  for (const blob of container.blobs.keys()) {
    const key = decodeObjectName(blob);
    if (!key || key.nameVersion === 1 || key.type > 7) continue;
    const inode = decodeInode(bodyOf(container, blob));
    if (Buffer.from(inode.name).toString() === name) return { blob, inode, id: key.id };
  }
  throw new Error(`There is no inode of ${name}.`);
}

/** Blobs of an owner and type, in the order in which they were put. */
function blocksOf(container: MemoryContainer, owner: string, type: 8 | 9): string[] {
  const id = idHex(inodeOf(container, owner).id);
  return [...container.blobs.keys()].filter((name) => {
    if (decodeObjectName(name)?.type !== type) return false;
    return idHex(decodeSegment(bodyOf(container, name)).owner.handle) === id;
  });
}

const HEALTHY = { rootEntries: 5, missingDirectories: 0, missingDirectoryEntries: 0, unreadDirectoryEntries: 0 };

describe('a healthy container without its root', () => {
  it.each([true, false])('has no other finding, links preserved: %s', async (preserve) => {
    const container = await uncommitted(isRootName, preserve);
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
      const { raw } = await check(await uncommitted((_name, puts) => puts >= stop));
      const wrong = raw.filter(({ severity, code, message }) => severity === 'error' && code !== 'no-root' && !message.includes('not in the container'));
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
    expect((await check(container)).findings).toEqual(['dangling-entry a/b/twins', 'dangling-entry c/twins', 'no-root']);
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

describe('what is extra', () => {
  it('a blob of a foreign name', async () => {
    const container = await uncommitted();
    container.blobs.set('foreign', Buffer.from('x'));
    expect((await check(container)).findings).toEqual(['foreign-blob', 'no-root']);
  });

  it('a segment of an inode that does not name it, and of none', async () => {
    const container = await uncommitted();
    const [segment] = blocksOf(container, 'large', 8);
    const names = [inodeOf(container, 'large').id, Buffer.alloc(24, 7)].map((owner, n) =>
      encodeObjectName({ id: Buffer.alloc(16, 0x4a + n), type: 8, owner, version: 9 }),
    );
    for (const name of names) put(container, name, Buffer.from(bodyOf(container, segment)));
    const { raw } = await check(container);
    const orphans = raw.filter(({ code }) => code === 'orphan');
    expect(raw).toHaveLength(3);
    expect(orphans.map(({ object }) => object)).toEqual(names);
    expect(orphans[0].message).toContain('the inode that it belongs to does not');
    expect(orphans[1].message).toContain('is not in the container');
  });

  it.each(['x', 'large', 'symlink'])('a copy of the inode of %s under another id', async (name) => {
    const container = await uncommitted();
    const { blob, id } = inodeOf(container, name);
    const other = Buffer.from(id);
    other[16] ^= 1;
    const copy = encodeObjectName({
      id: other,
      type: keyOf(blob).type,
      owner: decodeInode(bodyOf(container, blob)).backPointers?.[0] as Uint8Array,
      version: 9,
    });
    put(container, copy, Buffer.from(bodyOf(container, blob)));
    const { raw, findings } = await check(container);
    expect(findings).toEqual(['no-root', 'orphan']);
    expect(raw.find(({ code }) => code === 'orphan')?.object).toBe(copy);
  });

  it.each(['deep', 'b'])('a copy of the directory %s under another id', async (name) => {
    const container = await uncommitted();
    const { blob, inode, id } = inodeOf(container, name);
    const other = Buffer.from(id);
    other[16] ^= 1;
    const parent = decodeDirents(inode.dirents as Buffer)[1].handle;
    const copy = encodeObjectName({ id: other, type: 2, owner: parent, version: 9 });
    put(container, copy, Buffer.from(bodyOf(container, blob)));
    const { findings, raw } = await check(container);
    expect(raw.filter(({ code }) => code === 'orphan').map(({ object }) => object)).toEqual([copy]);
    // The copy says of itself that it is the other one; what is below it is not told of again.
    expect(new Set(findings)).toEqual(new Set(['orphan', 'no-root', `block-map ${name}`, `dot-entries ${name}`]));
  });

  it('a directory that its parent does not list, with what is below it', async () => {
    const container = await uncommitted();
    const { blob, inode } = inodeOf(container, 'a');
    const dirents = decodeDirents(inode.dirents as Buffer).filter(({ name }) => Buffer.from(name).toString() !== 'b');
    expect(dirents).toHaveLength(decodeDirents(inode.dirents as Buffer).length - 1);
    put(container, blob, encodeInode({ ...inode, dirents: encodeDirents(dirents) }));
    const { findings, raw } = await check(container);
    expect(findings).toEqual(['directory-length a', 'link-count a', 'no-root', 'orphan']);
    expect(raw.find(({ code }) => code === 'orphan')?.object).toBe(inodeOf(container, 'b').blob);
  });

  it('an inode that its directory does not list, and its blocks', async () => {
    const container = await uncommitted();
    const { blob, inode } = inodeOf(container, 'a');
    const dirents = decodeDirents(inode.dirents as Buffer).filter(({ name }) => Buffer.from(name).toString() !== 'large');
    put(container, blob, encodeInode({ ...inode, dirents: encodeDirents(dirents) }));
    const { findings, raw } = await check(container);
    const large = [inodeOf(container, 'large').blob, ...blocksOf(container, 'large', 8), ...blocksOf(container, 'large', 9)];
    expect(new Set(raw.filter(({ code }) => code === 'orphan').map(({ object }) => object))).toEqual(new Set(large));
    expect(findings.filter((finding) => finding !== 'orphan')).toEqual(['directory-length a', 'no-root']);
  });

  it('a link that a known directory lost', async () => {
    const container = await uncommitted();
    const { blob, inode } = inodeOf(container, 'c');
    const dirents = decodeDirents(inode.dirents as Buffer).filter(({ name }) => Buffer.from(name).toString() !== 'linked');
    put(container, blob, encodeInode({ ...inode, dirents: encodeDirents(dirents) }));
    const { findings } = await check(container);
    expect(findings.some((finding) => finding.startsWith('link-count') && finding.includes('linked'))).toBe(true);
  });

  it('an older version, and a temporary blob', async () => {
    const container = await uncommitted();
    const { blob } = inodeOf(container, 'x');
    container.blobs.set(blob.replace('00000000009.FFFFFFFF', '00000000008.FFFFFFFF'), container.blobs.get(blob) as Buffer);
    container.blobs.set(`tmp${blob}`, Buffer.alloc(0));
    expect((await check(container)).findings).toEqual(['no-root', 'superseded-version', 'temporary-blob']);
  });
});

describe('what is damaged', () => {
  it.each(['x', 'large', 'a file at the top', 'symlink', 'deep', 'wide', 'a'])('the inode of %s cut', async (name) => {
    const container = await uncommitted();
    const { blob } = inodeOf(container, name);
    container.blobs.set(blob, (container.blobs.get(blob) as Buffer).subarray(0, -8));
    const { findings, raw, summary } = await check(container);
    expect(raw.find(({ code }) => code === 'damaged-object')?.object).toBe(blob);
    // Blocks that only this inode can name are left; nothing else is.
    expect(new Set(findings.map((finding) => finding.split(' ')[0]).filter((code) => code !== 'orphan'))).toEqual(new Set(['damaged-object', 'no-root']));
    if (['deep', 'wide', 'a'].includes(name)) expect(summary.withoutRoot?.unreadDirectoryEntries).toBeGreaterThan(0);
  });

  it('a segment cut', async () => {
    const container = await uncommitted();
    const [segment] = blocksOf(container, 'large', 8);
    container.blobs.set(segment, (container.blobs.get(segment) as Buffer).subarray(0, -8));
    expect((await check(container)).findings).toEqual(['damaged-object a/large', 'no-root']);
    expect((await check(container, false)).findings).toEqual(['no-root']);
  });

  it('inodes of another load', async () => {
    const container = await uncommitted();
    for (const name of ['x', 'symlink']) {
      const { blob, inode } = inodeOf(container, name);
      put(container, blob, encodeInode({ ...inode, attributes: { ...inode.attributes, fsid: 77n } }));
    }
    const { findings, raw } = await check(container);
    expect(findings).toEqual(['load-ids', 'no-root']);
    expect(raw.find(({ code }) => code === 'load-ids')?.message).toContain('2 inodes are of another load');
  });

  it.each(['before', 'after'])('a directory whose name has another owner than the one that lists it, found %s that one', async (order) => {
    const container = await uncommitted();
    const { blob } = inodeOf(container, 'deep');
    const renamed = [blob.replace(/\.([0-9A-F]{16})\./, '.0123456789ABCDEF.'), container.blobs.get(blob) as Buffer] as const;
    const others = [...container.blobs].filter(([name]) => name !== blob);
    container.blobs.clear();
    for (const [name, bytes] of order === 'before' ? [renamed, ...others] : [...others, renamed]) container.blobs.set(name, bytes);
    const { findings } = await check(container);
    expect(findings.filter((finding) => finding.startsWith('owner'))).toContain('owner a/b/deep');
    expect(findings.join()).not.toContain('directory-cycle');
  });

  it('two directories that list each other', async () => {
    const container = await uncommitted();
    const [outer, inner] = [inodeOf(container, 'b'), inodeOf(container, 'deep')];
    const body = container.blobs.get(outer.blob) as Buffer;
    container.blobs.delete(outer.blob);
    container.blobs.set(encodeObjectName({ id: outer.id, type: 2, owner: inner.id, version: 9 }), body);
    const dirents = [...decodeDirents(inner.inode.dirents as Buffer), { name: Buffer.from('up'), handle: outer.id }];
    put(container, inner.blob, encodeInode({ ...inner.inode, dirents: encodeDirents(dirents) }));
    const { raw } = await check(container);
    expect(raw.map(({ code }) => code)).toContain('directory-cycle');
  });

  it('a root that cannot be read: what belongs to it is no orphan', async () => {
    const container = await uncommitted(() => false).catch(() => undefined);
    expect(container).toBeUndefined();
    const whole = new MemoryContainer();
    await load({
      source,
      destination: '/unused',
      statePath: mkdtempSync(join(base, 'state-')),
      compression: 'DISABLED',
      preserveHardLinks: true,
      internals: { container: whole, geometry: SMALL },
    });
    const root = [...whole.blobs.keys()].find(isRootName) as string;
    whole.blobs.set(root, (whole.blobs.get(root) as Buffer).subarray(0, -8));
    const { findings, summary } = await check(whole);
    expect(findings).toEqual(['damaged-object ']);
    expect(summary.withoutRoot?.rootEntries).toBeGreaterThanOrEqual(4);
  });
});

describe('a check that is stopped', () => {
  it('stops soon, though no call of the container ever waits', async () => {
    const container = await uncommitted();
    const index = await indexContainer(container);
    const reader = new ContainerReader(container, index, lz4, SMALL);
    const stop = new AbortController();
    // Many names beside: the loops over the listing are what is stopped.
    const superseded = new Array(3_000_000).fill(index.objects.values().next().value);
    setTimeout(() => stop.abort(new Error('stopped here')), 20);
    let findings = 0;
    const checked = fsck(reader, { ...index, superseded, find: (id) => index.find(id) }, { content: true, signal: stop.signal }, () => findings++);
    await expect(checked).rejects.toThrow('stopped here');
    expect(findings).toBeLessThan(superseded.length);
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
    expect(text.stdout).toContain('[foreign \\x1b[2J \\x9b]');
    expect(text.stdout).toMatch(/\nChecked without the root directory: \d+ inodes belong to it, 0 to 0 other directories/);
    expect(text.stdout).toContain('--new-session=false');
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
    expect(lines.at(-1)).toMatchObject({ summary: { withoutRoot: { missingDirectories: 0 } } });
    expect(isLine({ severity: 'info', code: 'no-root', message: '' })).toBe(false);
  });
});

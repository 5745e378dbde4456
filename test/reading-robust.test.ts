import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportTar } from '../src/export/export-tar.js';
import { compressObject, ENVELOPE_BYTES } from '../src/format/envelope.js';
import { ObjectType, ROOT_ID } from '../src/format/ids.js';
import { decodeInode, encodeInode } from '../src/format/inode.js';
import { decodeObjectName } from '../src/format/names.js';
import { decodeSegment, encodeSegment } from '../src/format/segment.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { tryLock } from '../src/posix/libc.js';
import { claimExistingState, isStateHeld } from '../src/state/state-directory.js';
import { blobNamed, editEntries } from './support/audited.js';
import { loadWhole, runProgram } from './support/program.js';
import { editInodes, loadSmall, objectBody, objectNames, putObject, readSmall } from './support/small-container.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-robust-'));
const mounts: string[] = [];
afterAll(() => {
  for (const path of mounts) execFileSync('umount', [path]);
  removeTree(base);
});
const root = new URL('..', import.meta.url).pathname;

describe('a full disk', () => {
  const source = join(base, 'source');
  const container = join(base, 'container');
  beforeAll(async () => {
    mkdirSync(source);
    for (let f = 0; f < 20; f++) writeFileSync(join(source, `file ${f}`), someBytes(200_000, f));
    await loadWhole(source, container, join(base, 'state'));
  });

  it.skipIf(!isRoot)('under an export ends it with the reason, and leaves whole files only', async (context) => {
    const disk = join(base, 'disk');
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      return context.skip('mounting is not allowed here');
    }
    mounts.push(disk);
    const run = await runProgram('clfsload', ['export', container, join(disk, 'target')]);
    expect(run.stderr).toMatch(
      /^Cannot write "file \d+": no space left on device \(ENOSPC\)\. Make room there, and repeat the export: it goes on where it stopped\.$/m,
    );
    expect(run.stderr).not.toMatch(/^ +at /m);
    expect(run.code).toBe(2);
    const sizes = execFileSync('find', [join(disk, 'target'), '-type', 'f', '-printf', '%s\n'])
      .toString()
      .trim()
      .split('\n');
    expect([...new Set(sizes)]).toEqual(['200000']);
    execFileSync('mount', ['-o', 'remount,size=20m', disk]);
    expect((await runProgram('clfsload', ['export', container, join(disk, 'target')])).stdout).toMatch(/ 0 failed$/m);
    expect(readdirSync(join(disk, 'target')).length).toBe(20);
  });

  it.each([
    ['export --tar', ['export', container, '--tar', '/dev/full'], /^Cannot write "\/dev\/full": ENOSPC/m],
    ['verify --report', ['verify', source, container, '--report', '/dev/full'], /^Cannot write "\/dev\/full": ENOSPC/m],
  ])('under %s ends it with the reason', async (_, args, message) => {
    const run = await runProgram('clfsload', args);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).not.toMatch(/^ +at /m);
    expect(run.code).toBe(2);
  });

  it.each([
    ['cat', ['cat', container, 'file 1']],
    ['export --tar -', ['export', container, '--tar', '-']],
    ['manifest', ['manifest', container]],
  ])('behind standard output of %s is an error', (_, args) => {
    const run = spawnSync(
      'sh',
      ['-c', '"$0" "$@" > /dev/full', process.execPath, join(root, 'bin/clfsload'), ...args],
      { encoding: 'utf8' },
    );
    expect(run.stderr).toMatch(/^Cannot write to standard output: ENOSPC/m);
    expect(run.stderr).not.toMatch(/^ +at /m);
    expect(run.status).toBe(2);
  });
});

describe('a URL that is not rightly encoded', () => {
  it.each(['https://account.blob.core.windows.net/%zz?sv=1&sig=c2VjcmV0', 'file:///%zz', 'file://host/path'])(
    '%s is refused with a message',
    async (url) => {
      for (const args of [
        ['ls', url],
        ['load', base, url, `--state-path=${join(base, 'never-made')}`],
      ]) {
        const run = await runProgram('clfsload', args);
        expect(run.stdout + run.stderr).not.toMatch(/^ +at |c2VjcmV0/m);
        expect(run.stdout + run.stderr).toMatch(/percent-encoded|Cannot open the container/);
        expect(run.code).toBe(args[0] === 'ls' ? 2 : 1);
      }
    },
  );
});

describe('azcopy', () => {
  it('of several copies of this program in PATH, none is gone through twice', () => {
    const directories = ['one', 'two', 'three'].map((name) => join(base, 'copies', name));
    for (const directory of directories) {
      mkdirSync(join(directory, 'bin'), { recursive: true });
      cpSync(join(root, 'bin/azcopy'), join(directory, 'bin/azcopy'));
      cpSync(join(root, 'dist'), join(directory, 'dist'), { recursive: true });
      writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
      symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    }
    const path = directories.map((directory) => join(directory, 'bin'));
    const env = (...places: string[]) => ({
      ...process.env,
      PATH: [...places, ...(process.env.PATH ?? '').split(':')].join(':'),
    });
    const run = (...places: string[]) =>
      spawnSync(join(path[0], 'azcopy'), ['copy', 'a b'], { env: env(...places), encoding: 'utf8', timeout: 30_000 });
    const none = run(...path);
    expect(none.stderr).toContain('there is no other azcopy in PATH to hand "copy" to');
    expect(none.status).toBe(1);
    const real = join(base, 'copies', 'real');
    mkdirSync(join(real, 'azcopy-directory'), { recursive: true });
    writeFileSync(join(real, 'azcopy'), '#!/bin/sh\necho "other azcopy: $*"\nexit 7\n', { mode: 0o755 });
    const next = run(...path, real);
    expect(next.stdout).toBe('other azcopy: copy a b\n');
    expect(next.status).toBe(7);
  });
});

describe('a hostile container', () => {
  it('a length that only the inode claims is not filled up with zeros in a tar', async () => {
    const source = join(base, 'claimed');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), someBytes(9000, 1));
    writeFileSync(join(source, 'good'), someBytes(500, 2));
    const container = await loadSmall(source, base);
    expect(
      editInodes(container, 1, ({ attributes }) =>
        attributes.lengthBytes === 9000n ? { attributes: { ...attributes, lengthBytes: 2n ** 50n } } : undefined,
      ),
    ).toBe(1);
    const reader = await readSmall(container);
    let bytes = 0;
    const failures: string[] = [];
    const summary = await exportTar(
      reader,
      await reader.inode(ROOT_ID),
      async (part) => {
        bytes += part.length;
        if (bytes > 10_000_000) throw new Error('it fills up');
      },
      { onFailure: (path, error) => failures.push(`${path.toString()}: ${error.message}`) },
    );
    expect(failures).toEqual([expect.stringMatching(/^file: .*says that it has 1125899906842624 bytes/)]);
    expect(summary).toMatchObject({ written: 2, failed: 1 });
  });

  it('an indirect tree whose blocks lead back to one another ends soon with a format error', async () => {
    const source = join(base, 'looping');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), someBytes(600 + 2500 * 60, 1));
    const container = await loadSmall(source, base);
    // Every indirect block lists one of the same tree again and again: in the geometry of real containers 4096^3
    // rounds.
    const names = objectNames(container, 9);
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      const block = decodeSegment(objectBody(container, name));
      if (block.kind !== 'indirect') throw new Error('not an indirect block');
      putObject(container, name, encodeSegment({ ...block, children: block.children.map(() => block.children[0]) }));
    }
    const reader = await readSmall(container);
    for (const name of objectNames(container, 1)) {
      const handle = Buffer.from(name.split('_')[1].split('.')[0], 'hex');
      const found = await reader.inode(handle);
      const walk = async () => {
        for await (const { id } of reader.blocks(found)) expect(id.length).toBe(16);
      };
      await expect(walk()).rejects.toThrow(/indirect block .* is referred to twice/);
    }
  });
});

describe('status', () => {
  const flock = koffi.load(null as unknown as string).func('int flock(int, int)');
  /** As a look does, but not for an instant. */
  const shareLock = (fd: number) => flock(fd, 1 | 4) as number;
  const fresh = (name: string) => {
    const state = join(base, name);
    mkdirSync(state);
    writeFileSync(join(state, 'lock'), '');
    writeFileSync(join(state, 'job.db'), '');
    return state;
  };

  it('sees the lock of a load, and not that of somebody who looks at it, too', () => {
    const state = fresh('looked-at');
    expect(isStateHeld(state)).toBe(false);
    const other = openSync(join(state, 'lock'), 'r');
    expect(shareLock(other)).toBe(0);
    expect(isStateHeld(state)).toBe(false);
    closeSync(other);
    const load = claimExistingState(state);
    expect(isStateHeld(state)).toBe(true);
    expect(() => claimExistingState(state)).toThrowError(/Another process is working/);
    load.release();
    expect(isStateHeld(state)).toBe(false);
  });

  it('in a loop keeps no load from starting', async () => {
    const state = fresh('looked-at-often');
    const module = JSON.stringify(join(root, 'dist/state/state-directory.js'));
    const program = `import { isStateHeld } from ${module}; console.log('looks'); for (;;) isStateHeld(${JSON.stringify(state)});`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      // Without waiting, some of so many starts would be refused.
      let met = 0;
      for (let start = 0; met < 5 && start < 100_000; start++) {
        const fd = openSync(join(state, 'lock'), 'a');
        if (!tryLock(fd)) met++;
        closeSync(fd);
        claimExistingState(state).release();
      }
      expect(met).toBe(5);
    } finally {
      child.kill();
    }
  });

  it('who shares the lock and stays is not waited for without end', () => {
    const state = fresh('shared');
    const other = openSync(join(state, 'lock'), 'r');
    expect(shareLock(other)).toBe(0);
    const begunMs = Date.now();
    expect(() => claimExistingState(state)).toThrowError(/Another process is working/);
    expect(Date.now() - begunMs).toBeGreaterThan(900);
    closeSync(other);
    claimExistingState(state).release();
  });
});

it('ls -R goes once into a directory that is in itself, and says so', async () => {
  const source = join(base, 'cycle');
  const container = join(base, 'cycle-container');
  mkdirSync(join(source, 'loop/inner'), { recursive: true });
  writeFileSync(join(source, 'loop/inner/file'), 'content');
  await loadWhole(source, container, join(base, 'cycle-state'), '--compression-type=DISABLED');
  const directories = readdirSync(container).flatMap((name) => {
    const key = decodeObjectName(name);
    return key?.type === ObjectType.directory && key.id.length === 24 ? [{ name, id: Buffer.from(key.id) }] : [];
  });
  expect(directories.length).toBe(2);
  let edited = 0;
  // What leads to the other directory leads to itself.
  for (const [index, { name, id }] of directories.entries()) {
    const bytes = readFileSync(join(container, name));
    const at = bytes.indexOf(directories[1 - index].id);
    if (at < 0) continue;
    bytes.set(id, at);
    writeFileSync(join(container, name), bytes);
    edited++;
  }
  expect(edited).toBeGreaterThan(0);
  const run = spawnSync(join(root, 'bin/clfsload'), ['ls', '-R', container], { encoding: 'utf8', timeout: 20_000 });
  expect(run.stdout).toBe('.:\nloop\n\nloop:\ninner\n');
  expect(run.stderr).toMatch(/^loop\/inner: The directory [0-9A-F]+ is in the tree more than once\.$/m);
  expect(run.status).toBe(2);
}, 40_000);

it('tree goes once into directories that each have their like twice', async () => {
  const DEPTH = 14;
  const source = join(base, 'twins');
  mkdirSync(join(source, ...Array.from({ length: DEPTH }, (_, depth) => `d${depth}`)), { recursive: true });
  const store = await loadSmall(source, base);
  for (let depth = 0; depth < DEPTH; depth++) {
    const { id } = blobNamed(store, `d${depth}`).key;
    editEntries(store, depth === 0 ? '/' : `d${depth - 1}`, (entries) => [
      ...entries,
      { name: Buffer.from('twin'), handle: id },
    ]);
  }
  const container = join(base, 'twins-container');
  mkdirSync(container);
  for (const [name, blob] of store.blobs) writeFileSync(join(container, name), blob);
  const run = spawnSync(join(root, 'bin/clfsload'), ['tree', container], { encoding: 'utf8', timeout: 20_000 });
  expect(run.stdout.match(/── /g)).toHaveLength(2 * DEPTH);
  expect(run.stderr.match(/is in the tree more than once\.$/gm)).toHaveLength(DEPTH);
  expect(run.status).toBe(2);
}, 40_000);

it('a few bytes that stand for an inode of many megabytes are damage, before they are in memory', async () => {
  const source = join(base, 'expanding');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  const store = await loadSmall(source, base);
  const [blob] = objectNames(store, ObjectType.regular);
  const inode = decodeInode(objectBody(store, blob));
  const body = encodeInode({ ...inode, data: Buffer.alloc(8 * 1048576) });
  const plain = Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]);
  const target = Buffer.alloc(plain.length);
  const length = compressObject(plain, target, openLz4());
  expect(length).toBeGreaterThan(0);
  expect(length).toBeLessThan(40_000);
  store.blobs.set(blob, target.subarray(0, length));
  const reader = await readSmall(store);
  const { id } = decodeObjectName(blob) ?? {};
  await expect(reader.inode(id as Buffer)).rejects.toMatchObject({
    code: 'format',
    message: expect.stringContaining(blob),
  });
});

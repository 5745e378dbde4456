import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { encodeDirents } from '../src/format/dirents.js';
import { ENVELOPE_BYTES } from '../src/format/envelope.js';
import { GEOMETRY } from '../src/format/geometry.js';
import { ROOT_ID } from '../src/format/ids.js';
import { decodeInode, encodeInode } from '../src/format/inode.js';
import { load } from '../src/load/load.js';
import { startAzurite } from './support/azurite.js';
import { expectFaithful } from './support/check.js';
import { exportSmall } from './support/export-small.js';
import { complaints, runProgram } from './support/program.js';
import { isRoot, makeTree, removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-export-'));
afterAll(() => removeTree(base));

describe('export', () => {
  const source = join(base, 'source');
  const container = join(base, 'container');
  beforeAll(async () => {
    await makeTree(source, { bulk: 300 });
    const run = await runProgram('clfsload', [
      'load',
      source,
      container,
      `--state-path=${join(base, 'state')}`,
      '--preserve-hardlinks',
      '--compression-type=LZ4',
    ]);
    expect(run.code).toBe(0);
  });

  it.skipIf(!isRoot)('writes a tree that loads to the same container content (as root)', async () => {
    const target = join(base, 'exported');
    const run = await runProgram('clfsload', ['export', container, target, '--sparse']);
    expect(complaints(run)).toEqual([]);
    expect(run.code).toBe(0);
    const verify = await runProgram('clfsload', ['verify', target, container, '--content']);
    // The source's times before 1970 and after 2106 come back as what the format holds.
    expect(verify.stdout).toMatch(
      / 0 different, 0 only in the source, 0 only in the container, 0 could not be checked/,
    );
    const again = new MemoryContainer();
    const summary = await load({
      source: target,
      destination: '/unused',
      statePath: join(base, 'state-again'),
      preserveHardLinks: true,
      internals: { container: again },
    });
    expect(summary.status).toBe('Completed');
    await expectFaithful(target, again);
    expect(statSync(join(target, 'sizes', 'sparse')).blocks).toBeLessThan(200_000 / 512 + 40_000);
  });

  it.skipIf(!isRoot)('writes a tar that tar unpacks to the same tree, sockets excepted (as root)', async () => {
    const tar = join(base, 'tree.tar');
    const run = await runProgram('clfsload', ['export', container, '--tar', tar]);
    expect(complaints(run)).toEqual(['special/socket-node: a tar has no sockets']);
    expect(run.code).toBe(1);
    const target = join(base, 'untarred');
    mkdirSync(target);
    // tar itself cannot make paths longer than PATH_MAX, and says so.
    spawnSync('tar', ['xpf', tar, '-C', target, '--same-owner', '--numeric-owner']);
    const verify = await runProgram('clfsload', ['verify', target, container, '--content']);
    // The socket is missing, and unpacking wrote into its directory last.
    expect(verify.stdout.split('\n').filter((line) => /^[-+*!] /.test(line) && !line.includes('ppp'))).toEqual([
      '- special/socket-node',
    ]);
    const piped = await runProgram('clfsload', ['export', container, 'bulk0', '--tar=-']);
    expect(piped.stdout.length % 10240).toBe(0);
    expect(piped.code).toBe(0);
  });

  it('goes on where it was interrupted, and leaves alone what is there', async () => {
    const target = join(base, 'repeated');
    expect((await runProgram('clfsload', ['export', container, 'bulk0', target])).stdout).toContain(
      '301 entries written',
    );
    writeFileSync(join(target, 'file-39'), 'cut off');
    const second = await runProgram('clfsload', ['export', container, 'bulk0', target]);
    expect(second.stdout).toMatch(/^1 entry written .*, 1 replaced, 299 there already, 0 failed/);
    expect(readFileSync(join(target, 'file-39'), 'utf8')).toBe('0/39'.repeat(39));
    writeFileSync(join(target, 'file-38'), 'mine');
    expect((await runProgram('clfsload', ['export', container, 'bulk0', target, '--overwrite=never'])).code).toBe(0);
    expect(readFileSync(join(target, 'file-38'), 'utf8')).toBe('mine');
  });

  it('does not follow symlinks that lie in the target', async () => {
    const target = join(base, 'trapped');
    const outside = join(base, 'outside');
    mkdirSync(target);
    mkdirSync(outside);
    symlinkSync(outside, join(target, 'deep0'));
    symlinkSync(join(outside, 'file'), join(target, 'bulk0'));
    await runProgram('clfsload', ['export', container, target]);
    expect(readdirSync(outside)).toEqual([]);
    expect(readFileSync(join(target, 'deep0', 'a', 'b', 'c', 'leaf'), 'utf8')).toBe('leaf 0');
  });

  it('writes nothing for names that would lead out of the target', async () => {
    const hostile = new MemoryContainer();
    const tree = join(base, 'plain');
    mkdirSync(tree);
    writeFileSync(join(tree, 'good'), 'good');
    await load({
      source: tree,
      destination: '/unused',
      statePath: join(base, 'state-hostile'),
      compression: 'DISABLED',
      internals: { container: hostile },
    });
    const [rootName] = [...hostile.blobs.keys()].filter((name) => name.startsWith('00000064'));
    const root = decodeInode((hostile.blobs.get(rootName) as Buffer).subarray(ENVELOPE_BYTES));
    const [good] = [...hostile.blobs.keys()].filter((name) => /\.0001\.[0-9A-F]{16}\./.test(name));
    const handle = Buffer.from(good.split('_')[1].split('.')[0], 'hex');
    const names = ['..', '.', 'a/b', '../escaped', '/tmp/absolute', 'nul\0name', 'good', 'good'].map((name) => ({
      name: Buffer.from(name),
      handle,
    }));
    const dirents = encodeDirents([
      { name: Buffer.from('.'), handle: ROOT_ID },
      { name: Buffer.from('..'), handle: ROOT_ID },
      ...names,
    ]);
    hostile.blobs.set(rootName, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), encodeInode({ ...root, dirents })]));
    const target = join(base, 'hostile');
    const { failures, failed, status } = await exportSmall(hostile, base, target, { geometry: GEOMETRY });
    expect(readdirSync(target)).toEqual(['good']);
    expect(status).toBe('CompletedWithErrors');
    expect(failed).toBe(failures.length);
    expect(failures).toEqual(['../escaped', '/tmp/absolute', 'a/b', 'good', 'nul\0name']);
  });
});

describe.skipIf(!isRoot)('round trip through Azurite (as root)', () => {
  it('load, verify, export, load again: equal trees', async () => {
    const azurite = await startAzurite();
    try {
      const source = join(base, 'azurite-source');
      await makeTree(source, { bulk: 150, sizes: [0, 16384, 16385, 9_000_000] });
      // What the format cannot hold does not come back.
      rmSync(join(source, 'times'), { recursive: true });
      const first = await azurite.createContainer('first');
      const second = await azurite.createContainer('second');
      const target = join(base, 'azurite-target');
      const run = async (...args: string[]) => {
        const result = await runProgram('clfsload', args);
        expect(result.code, `${args[0]}: ${result.stdout}${result.stderr}`).toBe(0);
        return result.stdout;
      };
      await run('load', source, first, `--state-path=${join(base, 'azurite-state-1')}`, '--preserve-hardlinks');
      await run('verify', source, first, '--content');
      await run('export', first, target);
      await run('load', target, second, `--state-path=${join(base, 'azurite-state-2')}`, '--preserve-hardlinks');
      await run('verify', source, second, '--content');
      await run('fsck', second, '--content');
      const manifests = [await run('manifest', '--hash', first), await run('manifest', '--hash', second)].map((text) =>
        text
          .replace(/"link_group":"[0-9A-F]+"/g, '"link_group":true')
          .split('\n')
          .sort(),
      );
      expect(manifests[1]).toEqual(manifests[0]);
    } finally {
      await azurite.stop();
    }
  });
});

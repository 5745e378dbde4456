import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const skipped = why === undefined ? '' : ` (skipped: ${why})`;
const base = mkdtempSync(join(tmpdir(), 'clfs-export-folding-'));
afterAll(() => removeTree(base));

/** A container of which some directories, or the root, have two files each. */
async function loadTwo(name: string, ...directories: readonly string[]): Promise<string> {
  const source = join(base, name);
  for (const directory of directories.length === 0 ? [''] : directories) {
    mkdirSync(join(source, directory), { recursive: true });
    for (const file of ['File', 'file']) writeFileSync(join(source, directory, file), `content of ${file}`);
  }
  const container = join(base, `container ${name}`);
  await loadWhole(source, container, join(base, `state ${name}`));
  return container;
}

function expectOne(directory: string): void {
  const [name, ...others] = readdirSync(directory);
  expect(others).toEqual([]);
  expect(readFileSync(join(directory, name), 'utf8')).toBe(`content of ${name}`);
}

describe.skipIf(why !== undefined)(`a target that takes capital letters for small ones${skipped}`, () => {
  let target: SlowFileSystem;
  beforeAll(() => {
    target = mountSlowFs(0, { fold: '/' });
  });
  afterAll(() => {
    target?.unmount();
  });

  it('gets one of two names that it does not tell apart, and the other one is a failure', async () => {
    const source = join(base, 'source');
    for (const directory of ['', 'Below', 'below']) mkdirSync(join(source, directory));
    const files = ['one', 'File', 'file', 'Below/first', 'below/second'];
    for (const path of files) writeFileSync(join(source, path), `content of ${path}`);
    const container = join(base, 'container');
    await loadWhole(source, container, join(base, 'state'));
    const run = await runProgram('clfsload', ['export', container, join(target.mountPoint, 'tree'), '--json']);
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({
      status: 'CompletedWithErrors',
      // The root, the file with a name of its own, and of two the first one each, with what is in the directory.
      written: 5,
      replaced: 0,
      failed: 2,
      failures: [{ reason: 'name-repeated', entries: 2 }],
    });
    expect(run.stderr).toContain('another one that the target does not tell from it');
    const there = join(target.back, 'tree');
    expect(readdirSync(there).sort()).toEqual(['below', 'file', 'one']);
    const [below] = readdirSync(join(there, 'below'));
    expect(readFileSync(join(there, 'below', below), 'utf8').toLowerCase()).toBe(`content of below/${below}`);
    // Repeated, it says so again.
    const again = await runProgram('clfsload', ['export', container, join(target.mountPoint, 'tree')]);
    expect([again.code, again.stdout.split('\n')[0]]).toEqual([1, expect.stringContaining('2 failed')]);
  });

  it('writes the one of them that is not left out', async () => {
    const container = await loadTwo('excluded');
    for (const [index, flag] of ['--exclude-path=File', '--exclude-path=file', '--include=file'].entries()) {
      const run = await runProgram('clfsload', ['export', container, join(target.mountPoint, `one-${index}`), flag]);
      expect([run.code, run.stdout.split('\n')[0]], flag).toEqual([
        0,
        expect.stringMatching(/^2 entries .* 0 failed$/),
      ]);
      const kept = flag.endsWith('=File') || flag.startsWith('--include') ? 'file' : 'File';
      expect(readFileSync(join(target.back, `one-${index}/file`), 'utf8')).toBe(`content of ${kept}`);
    }
  });

  it('and was full when the export began, replaces none of them by another one', async () => {
    const args = ['export', await loadTwo('two'), join(target.mountPoint, 'tree')];
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=2', 'tmpfs', target.back]);
    try {
      const full = await runProgram('clfsload', args);
      expect([full.code, full.stderr]).toEqual([2, expect.stringContaining('no space left on device')]);
      execFileSync('mount', ['-o', 'remount,nr_inodes=100', target.back]);
      const run = await runProgram('clfsload', args);
      expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('the target does not tell from it')]);
      expectOne(join(target.back, 'tree'));
    } finally {
      execFileSync('umount', ['-l', target.back]);
    }
  });

  it('and is mounted in one that does not, replaces none of them either', async () => {
    const container = await loadTwo('below', 'sub/deep');
    const out = join(base, 'out');
    const [sub, mounted] = [join(out, 'sub'), join(target.mountPoint, 'mounted')];
    for (const directory of [sub, mounted]) mkdirSync(directory, { recursive: true });
    execFileSync('mount', ['--bind', mounted, sub]);
    try {
      const run = await runProgram('clfsload', ['export', container, out]);
      expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('the target does not tell from it')]);
      expect(readdirSync(join(target.back, 'mounted'))).toEqual(['deep']);
      expectOne(join(target.back, 'mounted/deep'));
    } finally {
      execFileSync('umount', ['-l', sub]);
    }
  });
});

describe.skipIf(why !== undefined)(`what only a part of a target does not tell apart${skipped}`, () => {
  let target: SlowFileSystem;
  afterEach(() => target?.unmount());

  it('is found where there are no names but those of ASCII', async () => {
    target = mountSlowFs(0, { fold: '/', ascii: true });
    const run = await runProgram('clfsload', ['export', await loadTwo('ascii'), join(target.mountPoint, 'tree')]);
    expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('the target does not tell from it')]);
    expectOne(join(target.back, 'tree'));
  });

  it('is found in a directory that is there already and folds by itself, and in those that are made in it', async () => {
    target = mountSlowFs(0, { fold: '/own/' });
    mkdirSync(join(target.mountPoint, 'tree/own'), { recursive: true });
    const container = await loadTwo('part', 'own', 'own/deep/deeper', 'beside');
    const run = await runProgram('clfsload', ['export', container, join(target.mountPoint, 'tree')]);
    expect([run.code, run.stdout.split('\n')[0]]).toEqual([1, expect.stringMatching(/ 0 replaced, .* 2 failed$/)]);
    expectOne(join(target.back, 'tree/own/deep/deeper'));
    removeTree(join(target.back, 'tree/own/deep'));
    expectOne(join(target.back, 'tree/own'));
    expect(readdirSync(join(target.back, 'tree/beside')).sort()).toEqual(['File', 'file']);
  });
});

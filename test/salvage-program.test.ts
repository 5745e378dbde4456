import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeObjectName } from '../src/format/names.js';
import { complaints, loadWhole, runProgram, startProgram } from './support/program.js';
import { filesBelow, isMarked } from './support/salvaged.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-salvage-'));
afterAll(() => removeTree(base));

const isRoot = (name: string) => name.startsWith('00000064') && name.endsWith('.0002');

describe('a container whose root is lost', () => {
  const source = join(base, 'source');
  const container = join(base, 'container');
  beforeAll(async () => {
    mkdirSync(join(source, 'some/dir'), { recursive: true });
    writeFileSync(join(source, 'some/dir/file'), 'content');
    linkSync(join(source, 'some/dir/file'), join(source, 'a link'));
    symlinkSync('some/dir', join(source, 'symlink'));
    writeFileSync(join(source, 'large'), someBytes(16384 + 4 * 8388608, 1));
    await loadWhole(source, container, join(base, 'state'), '--preserve-hardlinks');
    for (const name of readdirSync(container).filter(isRoot)) rmSync(join(container, name));
  });

  it.each([['ls'], ['ls', '-R'], ['find'], ['du'], ['cat', 'large'], ['stat', 'large'], ['export', 'TARGET']])(
    'makes "%s" name the way on',
    async (verb, ...more) => {
      const args = more.map((arg) => (arg === 'TARGET' ? join(base, 'refused') : arg));
      const run = await runProgram('clfsload', [verb, container, ...args]);
      expect(run.code).toBeGreaterThan(0);
      expect(run.stderr).toContain(
        'The container has no root directory: its load was not finished, a blob was lost, or it is no CLFS container.',
      );
      expect(run.stderr).toContain('"clfsload ls --salvage CONTAINER" shows');
      expect(run.stderr).toContain('"clfsload export --salvage CONTAINER DIRECTORY" brings that back');
    },
  );

  it('makes fsck say so, and what it says works', async () => {
    const check = await runProgram('clfsload', ['fsck', container]);
    expect(check.code).toBe(1);
    const said = Array.from(check.stdout.matchAll(/"clfsload ([a-z]+) --salvage CONTAINER( DIRECTORY)?"/g));
    expect(new Set(said.map(([, verb]) => verb))).toEqual(new Set(['ls', 'export']));
    const list = await runProgram('clfsload', ['ls', '--salvage', '-R', container]);
    expect(complaints(list)).toEqual([expect.stringMatching(/^Salvage: 5 inodes can be read; /)]);
    expect(list.code).toBe(0);
    expect(list.stdout).toBe('.:\na link\nlarge\nsome\nsymlink\n\nsome:\ndir\n\nsome/dir:\nfile\n');
    const target = join(base, 'target');
    const dry = await runProgram('clfsload', ['export', '--salvage', '--dry-run', container, target]);
    expect([dry.code, existsSync(target)]).toEqual([0, false]);
    const run = await runProgram('clfsload', ['export', '--salvage', container, target]);
    expect(complaints(run)).toEqual([]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('0 failed\nSalvage: ');
    expect(execFileSync('sh', ['-c', 'diff -r --no-dereference "$1" "$2"', 'sh', source, target]).toString()).toBe('');
    expect(readdirSync(base).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is told by info, too', async () => {
    const { stdout } = await runProgram('clfsload', ['info', container]);
    expect(stdout).toMatch(/^Finished: +no: there is no root directory\. "clfsload ls --salvage CONTAINER" shows /);
  });

  it('is read by paths too', async () => {
    const target = join(base, 'part');
    const run = await runProgram('clfsload', ['export', '--salvage', '--threads=3', container, 'some/dir', target]);
    expect(run.code).toBe(0);
    expect(readdirSync(target)).toEqual(['file']);
    const list = await runProgram('clfsload', ['ls', '-l', '--salvage', container, 'some/dir']);
    expect(list.stdout).toMatch(/^-rw.* 7 .* file\n$/);
  });

  it('that lacks a segment too has a marked file, and the exit code says so', async () => {
    const isSegment = (name: string) => decodeObjectName(name)?.type === 8;
    const [lost] = readdirSync(container).filter(isSegment);
    rmSync(join(container, lost));
    const list = await runProgram('clfsload', ['ls', '--salvage', container]);
    expect(list.stdout).toBe('a link\nlarge.~incomplete~\nsome\nsymlink\n');
    const target = join(base, 'incomplete');
    const run = await runProgram('clfsload', ['export', '--salvage', '--json', container, target]);
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({ status: 'Completed', failed: 0, salvage: { incomplete: 1 } });
    expect(readdirSync(target)).toEqual(['a link', 'large.~incomplete~', 'some', 'symlink']);
  });

  it('with an inode that cannot be read goes on by its state alone, and anew when it was put back', async () => {
    const [symlink] = readdirSync(container).filter((name) => decodeObjectName(name)?.type === 5);
    const whole = readFileSync(join(container, symlink));
    writeFileSync(join(container, symlink), whole.subarray(0, 50));
    const state = join(base, 'salvage state');
    const args = [container, join(base, 'resumed'), `--state-path=${state}`];
    const run = await runProgram('clfsload', ['export', '--salvage', ...args]);
    expect(complaints(run)).toEqual([expect.stringMatching(/^lost\+found\/[0-9A-F]{48}: /)]);
    expect(run.code).toBe(1);
    const resumed = await runProgram('clfsload', ['resume', state]);
    expect(resumed.code).toBe(1);
    expect(resumed.stdout).toContain('1 failed\nSalvage: 4 inodes can be read');
    writeFileSync(join(container, symlink), whole);
    const other = await runProgram('clfsload', ['resume', state]);
    expect(other.stderr).toContain('The container has changed since the export began');
    expect(other.stdout).toContain('0 failed\nSalvage: 5 inodes can be read');
  });

  it('refuses a tar, and a container without anything', async () => {
    const tar = await runProgram('clfsload', ['export', '--salvage', container, '--tar', join(base, 'tar')]);
    expect(tar.stderr).toContain('--salvage cannot be used with --tar');
    mkdirSync(join(base, 'empty'));
    const run = await runProgram('clfsload', ['export', '--salvage', join(base, 'empty'), join(base, 'nothing')]);
    expect(run.code).toBe(1);
    expect(run.stdout).toContain('Salvage: 0 inodes can be read');
  });
});

it('a load that was killed half-way has every file of which the inode had come', async () => {
  const source = join(base, 'killed source');
  for (let d = 0; d < 40; d++) {
    mkdirSync(join(source, `d${d % 4}`, `e${d}`), { recursive: true });
    for (let f = 0; f < 200; f++)
      writeFileSync(join(source, `d${d % 4}`, `e${d}`, `${d}-${f}`), `${d}/${f} `.repeat(f % 50));
  }
  const container = join(base, 'killed');
  const { child, done } = startProgram('clfsload', [
    'load',
    source,
    container,
    `--state-path=${join(base, 'killed state')}`,
  ]);
  while ((existsSync(container) ? readdirSync(container).length : 0) < 1500) await setTimeout(5);
  child.kill('SIGKILL');
  expect((await done).code).toBe(null);
  const inodes = readdirSync(container).filter((name) => decodeObjectName(name)?.type === 1);
  expect(readdirSync(container).filter(isRoot)).toEqual([]);
  expect(inodes.length).toBeLessThan(8000);
  const target = join(base, 'killed target');
  const run = await runProgram('clfsload', ['export', '--salvage', container, target]);
  // A directory is written before those in it are: they are named.
  const missing = complaints(run);
  for (const line of missing) expect(line).toMatch(/^d\d\/e\d+: The inode \w+ is not in the container\.$/);
  expect(run.code).toBe(missing.length > 0 ? 1 : 0);
  const files = filesBelow(target);
  expect(files.length).toBe(inodes.length);
  const paths = new Map(filesBelow(source).map((path) => [basename(path), path]));
  for (const path of files.filter((each) => !isMarked(each))) {
    const was = join(source, paths.get(basename(path)) ?? 'none');
    expect(readFileSync(join(target, path)).equals(readFileSync(was))).toBe(true);
  }
});

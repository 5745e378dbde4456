import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram } from './support/program.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-flags-'));
const source = join(base, 'source');
const container = join(base, 'container');
const manifest = join(base, 'manifest');
const state = join(base, 'state');

beforeAll(async () => {
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  await loadWhole(source, container, state, `--manifest=${manifest}`);
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const run = (...args: string[]) => runProgram('clfsload', args);

describe('a flag that could not do what it says is refused', () => {
  it.each([
    [['verify', source, container, '--content', '--sample=5%'], '--sample cannot be used with --content'],
    [
      ['verify', `--manifest=${manifest}`, container, '--exclude-path=file'],
      '--manifest cannot be used with --exclude-path',
    ],
    [
      ['verify', `--manifest=${manifest}`, container, '--exclude-pattern=f*'],
      '--manifest cannot be used with --exclude-pattern',
    ],
    [
      ['verify', `--manifest=${manifest}`, container, '--one-file-system'],
      '--manifest cannot be used with --one-file-system',
    ],
    [['ls', '-0l', container], '--null cannot be used with --long'],
    [['ls', '-0', '--json', container], '--null cannot be used with JSON'],
    [['find', '-print0', '--output-type=json', container], '--null cannot be used with JSON'],
    [['du', '-s', '--max-depth=2', container], '--summarize cannot be used with --max-depth'],
    [['manifest', '--sha256sum', '--json', container], '--sha256sum cannot be used with JSON'],
    [['status', state, '--state-path=elsewhere'], 'please name the state directory once'],
    [
      ['verify', source, container, '--ignore=owner,size'],
      'invalid argument for "--ignore": it takes owner, mode, mtime, with commas between them, not "owner,size"',
    ],
    [['verify'], 'please pass two arguments: the source and the container'],
  ])('%j', async (args, text) => {
    const { code, stderr } = await run(...args);
    expect(stderr).toContain(`Error: ${text}`);
    expect(code).toBe(2);
  });

  it('--ignore of verify passes over what it names, and compares the content', async () => {
    const restored = join(base, 'restored');
    mkdirSync(restored, { mode: 0o700 });
    writeFileSync(join(restored, 'file'), 'content', { mode: 0o600 });
    const all = await run('verify', restored, container, '--content');
    expect(all.code).toBe(1);
    expect(all.stdout).toContain('0 files compared byte by byte');
    const some = await run('verify', restored, container, '--content', '--ignore=mtime,mode');
    expect(some.stdout).toMatch(/^2 same, 0 different, .* 1 file compared byte by byte/);
    expect(some.code).toBe(0);
  });

  it('--worker-lease of a new load without workers', async () => {
    const { code, stderr } = await run(
      'load',
      source,
      join(base, 'other'),
      `--state-path=${base}/new`,
      '--worker-lease=5s',
    );
    expect(stderr).toContain('--worker-lease needs --workers');
    expect(code).toBe(1);
  });
});

describe('an exclusion that matches nothing', () => {
  it('is told of, also by a load that was not sized before', async () => {
    const load = (name: string, ...flags: string[]) =>
      run('load', source, join(base, name), `--state-path=${base}/state-${name}`, ...flags);
    expect((await load('mistyped', '--exclude-path=flie')).stdout).toContain('INFO: No entry was left out: ');
    expect((await load('right', '--exclude-path=file')).stdout).toContain('INFO: 1 entry was left out');
    expect((await load('all')).stdout).not.toContain('left out');
  });
});

describe('flags that take no value', () => {
  it('are understood with "=true" and "=false", as those of azcopy', async () => {
    expect((await run('verify', source, container, '--content=true')).stdout).toContain('1 file compared byte by byte');
    expect((await run('verify', source, container, '--content=false')).stdout).toContain('0 files compared');
    const wrong = await run('verify', source, container, '--content=maybe');
    expect(wrong.stderr).toBe('Error: invalid argument for "--content": it takes true or false, not "maybe"\n');
    // Behind "--" it is a path.
    expect((await run('ls', container, '--', '--json=true')).stderr).toContain('Cannot find "--json=true"');
  });
});

describe('a state directory by its hexadecimal digits', () => {
  it('is the same for every command, and what is said of it can be pasted', async () => {
    const hex = `hex://${Buffer.from(join(base, 'failed')).toString('hex')}`;
    const failed = await run('load', source, container, `--state-path=${hex}`);
    expect(failed.stdout).toContain('is not empty');
    const { stdout } = await run('status', `hex://${Buffer.from(state).toString('hex')}`);
    expect(stdout).toContain(`Container: ${container}`);
    const target = join(base, 'exported');
    const kept = `hex://${Buffer.from(join(base, 'export-state')).toString('hex')}`;
    expect((await run('export', container, target, `--state-path=${kept}`)).code).toBe(0);
    const again = await run('resume', kept);
    expect(again).toMatchObject({ code: 0 });
    expect((await run('status', join(base, 'export-state'))).stdout).toContain(`Target:    ${target}`);
  });
});

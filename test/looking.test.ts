import { mkdirSync, mkdtempSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-looking-'));
const source = join(base, 'source');
const container = join(base, 'container');
const state = join(base, 'state');
const verb = (...args: string[]) => runProgram('clfsload', args);
const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString();
beforeAll(async () => {
  mkdirSync(join(source, 'd/e'), { recursive: true });
  writeFileSync(join(source, 'd/old'), 'old\n');
  utimesSync(join(source, 'd/old'), 1_000_000_000, 1_000_000_000);
  writeFileSync(join(source, 'large'), someBytes(3 * 2 ** 20, 1));
  symlinkSync('d/old', join(source, 'link'));
  symlinkSync('../link', join(source, 'd/link'));
  symlinkSync('around', join(source, 'around'));
  symlinkSync('../../outside', join(source, 'd/out'));
  symlinkSync('/etc/passwd', join(source, 'absolute'));
  await loadWhole(source, container, state);
});
afterAll(() => removeTree(base));

describe('looking into a container', () => {
  it('tree', async () => {
    const { stdout, code } = await verb('tree', container);
    expect(utf8(stdout)).toBe(
      [
        '.',
        '├── absolute -> /etc/passwd',
        '├── around -> around',
        '├── d',
        '│   ├── e',
        '│   ├── link -> ../link',
        '│   ├── old',
        '│   └── out -> ../../outside',
        '├── large',
        '└── link -> d/old',
        '',
        '2 directories, 7 other entries',
        '',
      ].join('\n'),
    );
    expect(code).toBe(0);
    expect(utf8((await verb('tree', container, '--max-depth=1')).stdout)).toContain('├── d\n├── large\n');
    expect((await verb('tree', '--json', container)).stderr).toContain('ls -R --json');
  });

  it('cat of several files, through symlinks, and by offsets with a unit', async () => {
    expect((await verb('cat', container, 'd/old', 'link', 'd/link')).stdout).toBe('old\nold\nold\n');
    const whole = (await verb('cat', container, 'large')).stdout;
    expect((await verb('cat', container, 'large', '--offset=1M', '--length', '1K')).stdout).toBe(
      whole.slice(2 ** 20, 2 ** 20 + 1024),
    );
    for (const [path, why] of [
      ['around', 'it leads in a circle'],
      ['d/out', 'it leads out of the container'],
      ['absolute', 'it leads out of the container'],
    ]) {
      const { stderr, code } = await verb('cat', container, path);
      expect(stderr).toContain(why);
      expect(code).toBe(2);
    }
    expect((await verb('cat', container, 'large', '--offset=1X')).stderr).toContain('such as 1000, 64K or 1M');
  });

  it('stat shows where a symlink leads, and follows it', async () => {
    expect((await verb('stat', container, 'd/link')).stdout).toContain('  File: d/link -> ../link\n');
    expect((await verb('stat', '-L', container, 'd/link')).stdout).toContain('  File: d/old\n');
  });

  it('ls -lh, du with a header, find -print0 and --newer', async () => {
    expect((await verb('ls', '-lh', container)).stdout).toMatch(/^-rw\S+ +1 +\d+ +\d+ +3\.0M .* large$/m);
    // The path is the one in the container, as everywhere.
    expect((await verb('du', container, 'd')).stdout).toMatch(
      /^ +bytes +stored +ratio {2}directory {2}\(entries\)\n.* {2}d\/e {2}\(1 directory\)\n(?=.*\b1 regular file\b).* {2}d {2}\(2 directories, .*2 symlinks.*\)\n$/,
    );
    expect((await verb('find', container, '-name', 'old', '-print0')).stdout).toBe('d/old\0');
    const recent = (await verb('find', container, '-type', 'f', '-newer', '3 days')).stdout;
    expect(recent).toBe('large\n');
    // A time that is shown is one that is read: what was modified then is not newer.
    const modified = /Modify: (.*)\n/.exec((await verb('stat', container, 'd/old')).stdout)?.[1] ?? '';
    expect((await verb('find', container, 'd/old', '--newer', modified)).stdout).toBe('');
    const before = modified.replace('40.000000000', '39.999999999');
    expect((await verb('find', container, 'd/old', '--newer', before)).stdout).toBe('d/old\n');
    expect((await verb('find', container, '--newer=soon')).stderr).toContain('yesterday or "3 days"');
  });

  it('verify says which side has what', async () => {
    utimesSync(join(source, 'd/old'), 2_000_000_000, 2_000_000_000);
    expect((await verb('verify', source, container)).stdout).toContain(
      '* d/old: modified 2033-05-18 03:33:20.000000000Z in the source, 2001-09-09 01:46:40.000000000Z in the container\n',
    );
  });

  it('status of a directory, and help of a verb', async () => {
    expect((await verb('status', state)).stdout).toContain('(finished)');
    expect((await verb('status')).stderr).toContain('please name the state directory of the job');
    expect((await verb('help', 'cat')).stdout).toBe((await verb('cat', '--help')).stdout);
    const { stdout } = await verb('help');
    expect(stdout).toMatch(
      /\nJobs:\n {2}load .*\n {2}resume .*\n {2}status .*\n {2}page .*\n {2}worker .*\n\nLook into a container:\n {2}ls /,
    );
    const none = await runProgram('azcopy', [], { PATH: base });
    expect(none).toMatchObject({ code: 0, stderr: '' });
    expect(none.stdout).toContain('azcopy load clfs [local dir]');
    expect((await runProgram('azcopy', ['--version'], { PATH: base })).stdout).toMatch(/^azcopy of clfsload \d/);
  });
});

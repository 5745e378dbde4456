import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { escapePath } from '../src/text/escape-path.js';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-shown-'));
afterAll(() => removeTree(base));

const BIN = new URL('../bin/clfsload', import.meta.url).pathname;
const FF = Buffer.from([0xff]);
const NAMES = [
  FF,
  Buffer.from('a\nb'),
  Buffer.from('back\\slash'),
  Buffer.from('\\x41'),
  Buffer.from('A'),
  Buffer.from('\\xff'),
  Buffer.from('\\'),
  Buffer.from('\\\\'),
  Buffer.from('-leading'),
  Buffer.from('trailing '),
  Buffer.from('n'.repeat(255)),
  Buffer.alloc(255, 0xfe),
  Buffer.from('\ufffd'),
  Buffer.from('hex:41'),
  Buffer.from('quote"\'$`'),
  Buffer.from('ü\u009b'),
];
/** Names that are, as they stand, the shown form of another name. */
const READ_OTHERWISE = new Set(['\\\\', '\\xff']);

const bytes = (path: Buffer | string) => (typeof path === 'string' ? Buffer.from(path) : path);
const below = (directory: Buffer | string, name: Buffer | string) =>
  Buffer.concat([bytes(directory), Buffer.from('/'), bytes(name)]);
const hex = (path: Buffer) => `hex://${path.toString('hex')}`;
/** Text that a program wrote, which was read as latin1. */
const utf8 = (output: string) => Buffer.from(output, 'latin1').toString();
/** As bash takes any bytes. */
const ansi = (word: Buffer | string) =>
  `$'${[...bytes(word)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}'`;

/** Runs the program with arguments of any bytes, by a shell. */
function runRaw(args: readonly (Buffer | string)[], cwd: Buffer | string = base) {
  return runShell(`${ansi(process.execPath)} ${ansi(BIN)} ${args.map(ansi).join(' ')}`, cwd);
}

function runShell(script: string, cwd: Buffer | string = base) {
  const run = spawnSync('bash', ['-c', `cd ${ansi(cwd)} && { ${script}\n}`]);
  return { code: run.status, stdout: run.stdout.toString('latin1'), stderr: run.stderr.toString('latin1') };
}

async function twoAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const lane = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all([lane(), lane()]);
}

/** `path_hex` of each line. */
function pathsOf(json: string): string[] {
  return json
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { path_hex: string }).path_hex);
}

const source = Buffer.concat([Buffer.from(join(base, 'source')), FF]);
const container = join(base, 'container');
const dirs = NAMES.map((name) => below('dirs', name));

beforeAll(() => {
  mkdirSync(below(source, 'dirs'), { recursive: true });
  for (const name of NAMES) {
    writeFileSync(below(source, name), `content of ${name.toString('hex')}`);
    mkdirSync(below(source, below('dirs', name)));
    writeFileSync(below(source, below(below('dirs', name), 'inside')), `inside ${name.toString('hex')}`);
  }
  // A source that is not UTF-8, by its bytes.
  const loaded = runRaw(['load', source, container, `--state-path=${join(base, 'state')}`]);
  expect(utf8(loaded.stdout)).toContain('Final Job Status: Completed');
  expect(loaded.code).toBe(0);
});

describe('what ls, find and manifest show', () => {
  let shown: string[];
  beforeAll(async () => {
    const listed = await runProgram('clfsload', ['ls', container]);
    shown = utf8(listed.stdout)
      .trimEnd()
      .split('\n')
      .filter((name) => name !== 'dirs');
    expect([...shown].sort()).toEqual(NAMES.map(escapePath).sort());
  });

  it('is, given back to cat, the file of that name; so it is in hexadecimal digits', async () => {
    await twoAtOnce(NAMES, async (name) => {
      const text = escapePath(name);
      expect(shown).toContain(text);
      const cat = await runProgram('clfsload', ['cat', container, '--', text]);
      expect([text, cat.stdout, cat.code]).toEqual([text, `content of ${name.toString('hex')}`, 0]);
    });
    for (const name of [FF, Buffer.from('\\\\'), Buffer.from('-leading')]) {
      expect((await runProgram('clfsload', ['cat', container, hex(name)])).stdout).toBe(
        `content of ${name.toString('hex')}`,
      );
    }
  });

  it('is that very entry for stat; so it is in hexadecimal digits', async () => {
    const wanted = [...NAMES, ...dirs].map((path) => path.toString('hex'));
    const found = await runProgram('clfsload', ['find', container]);
    const paths = utf8(found.stdout)
      .trimEnd()
      .split('\n')
      .filter((path) => path !== '.' && path !== 'dirs' && !path.endsWith('/inside'));
    const manifest = await runProgram('clfsload', ['manifest', container]);
    const fields = utf8(manifest.stdout)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string; path_hex: string });
    const text = await runProgram('clfsload', ['stat', '--json', container, '--', ...paths]);
    const manifestPaths = await runProgram('clfsload', [
      'stat',
      '--json',
      container,
      '--',
      ...fields.map(({ path }) => path),
    ]);
    const digits = await runProgram('clfsload', [
      'stat',
      '--json',
      container,
      ...wanted.map((path) => `hex://${path}`),
    ]);
    expect([text.code, manifestPaths.code, digits.code]).toEqual([0, 0, 0]);
    expect(pathsOf(text.stdout).sort()).toEqual([...wanted].sort());
    expect(pathsOf(digits.stdout)).toEqual(wanted);
    expect(pathsOf(manifestPaths.stdout)).toEqual(fields.map(({ path_hex }) => (path_hex === '2e' ? '' : path_hex)));
  });

  it('is that directory for export, ls, find and du; so it is in hexadecimal digits', async () => {
    const givens = [
      ...dirs.map((path) => ({ path, given: escapePath(path) })),
      ...dirs.slice(0, 3).map((path) => ({ path, given: hex(path) })),
    ];
    await twoAtOnce(givens, async ({ path, given }) => {
      const target = mkdtempSync(join(base, 'target-'));
      const run = await runProgram('clfsload', ['export', container, given, target]);
      expect([given, run.code, readFileSync(join(target, 'inside'), 'latin1')]).toEqual([
        given,
        0,
        `inside ${path.subarray(5).toString('hex')}`,
      ]);
    });
    const directory = below('dirs', FF);
    for (const given of [escapePath(directory), hex(directory)]) {
      expect((await runProgram('clfsload', ['ls', container, given])).stdout).toBe('inside\n');
      expect((await runProgram('clfsload', ['find', container, given])).stdout).toBe('dirs/\\xff\ndirs/\\xff/inside\n');
      const { stdout } = await runProgram('clfsload', ['du', '--json', container, given]);
      expect(JSON.parse(stdout)).toMatchObject({
        path: 'dirs/\\xff',
        path_hex: directory.toString('hex'),
        apparent_bytes: 9,
      });
    }
  });
});

describe('bytes of the command line', () => {
  it('are the entry of that name, where they are not what is shown for another', () => {
    const names = NAMES.filter((name) => !READ_OTHERWISE.has(name.toString()));
    const wanted = [...names, ...names.map((name) => below('dirs', name))];
    const run = runRaw(['stat', '--json', container, '--', ...wanted]);
    expect(run.stderr).toBe('');
    expect(pathsOf(run.stdout)).toEqual(wanted.map((path) => path.toString('hex')));
    for (const name of [FF, Buffer.from('\\x41'), Buffer.from('\ufffd')])
      expect(runRaw(['cat', container, name]).stdout).toBe(`content of ${name.toString('hex')}`);
    const target = mkdtempSync(join(base, 'raw-target-'));
    expect(runRaw(['export', container, below('dirs', FF), target]).code).toBe(0);
    expect(readFileSync(join(target, 'inside'), 'latin1')).toBe('inside ff');
  });

  it('are targets of an export as they stand, and of a dry run', () => {
    const home = mkdtempSync(join(base, 'raw-home-'));
    const target = below(home, FF);
    const whole = ['export', container, below('dirs', FF), target];
    expect(runRaw([...whole, '--dry-run']).stdout).toMatch(/^2 entries would be written .* 0 replaced, 0 left/);
    const stopped = runRaw([...whole, '--threads=0', '--max-errors=0', `--state-path=${join(home, 'state')}`]);
    expect([stopped.code, stopped.stderr]).toEqual([0, '']);
    expect(readFileSync(below(target, 'inside'), 'latin1')).toBe('inside ff');
    expect(runRaw([...whole, '--dry-run']).stdout).toMatch(/^1 entry would be written .* 0 replaced, 1 left/);
    // Beside the target, and away in the end.
    expect(runRaw(whole).stdout).toMatch(/^1 entry written .* 1 there already/);
    expect(readdirSync(Buffer.from(home), 'hex').sort()).toEqual(['7374617465', 'ff']);
    const file = below(target, Buffer.from([0xfe]));
    const one = ['export', container, below(below('dirs', FF), 'inside')];
    const refused = runRaw([...one, file]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/has to be UTF-8, which ".*\\xff" is not: name another place by --state-path/);
    expect(runRaw([...one, file, `--state-path=${join(home, 'state-2')}`]).code).toBe(0);
    expect(readFileSync(file, 'latin1')).toBe('inside ff');
    expect(runRaw(['export', container, below('dirs', FF), FF, '--overwrite=never'], home).code).toBe(0);
    expect(runRaw([...one, below(home, Buffer.from([0xfd, 0x2f]))]).stderr).toMatch(
      /\\xfd\/": there is no such directory/,
    );
  });

  it('are there also where the process hides a SAS from the list of processes', () => {
    const run = runRaw(['find', '--json', container, below('dirs', FF), '--name', 'in[sig=1]ide']);
    expect(pathsOf(run.stdout)).toEqual([below(below('dirs', FF), 'inside').toString('hex')]);
  });

  it('are every entry with --raw-path: what a shell finds, and what find -0 writes', () => {
    const globbed = runShell(
      `${ansi(process.execPath)} ${ansi(BIN)} stat --json --raw-path ${ansi(container)} -- *`,
      source,
    );
    expect(globbed.stderr).toBe('');
    expect(pathsOf(globbed.stdout).sort()).toEqual(
      [...NAMES, Buffer.from('dirs')].map((name) => name.toString('hex')).sort(),
    );
    const program = `${ansi(process.execPath)} ${ansi(BIN)}`;
    const piped = runShell(
      `${program} find -0 ${ansi(container)} | xargs -0 ${program} stat --json --raw-path ${ansi(container)} --`,
    );
    expect(piped.code).toBe(0);
    expect(new Set(pathsOf(piped.stdout)).size).toBe(3 * NAMES.length + 2);
  });

  it('have one meaning: a name that is what is shown for another is given as it is shown, in digits, or with --raw-path', async () => {
    const cat = async (...args: string[]) => (await runProgram('clfsload', ['cat', container, ...args])).stdout;
    expect(await cat('\\xff')).toBe('content of ff');
    expect(await cat('\\\\xff')).toBe('content of 5c786666');
    expect(await cat('--raw-path', '\\xff')).toBe('content of 5c786666');
  });

  it('match patterns: find --name, and what a load leaves out', async () => {
    const found = runRaw(['find', '--json', container, '--name', Buffer.from([...FF, 0x2a]), '--type', 'f']);
    expect(pathsOf(found.stdout)).toEqual(['ff']);
    const state = join(base, 'excluding');
    const excludes = [
      Buffer.concat([Buffer.from('--exclude-pattern='), Buffer.from([0xfe, 0x2a])]),
      `--exclude-path=dirs/\\xff;${hex(Buffer.from('a\nb'))}`,
    ];
    const other = join(base, 'excluded');
    expect(runRaw(['load', source, other, `--state-path=${state}`, ...excludes]).code).toBe(0);
    const left = pathsOf((await runProgram('clfsload', ['find', '--json', other])).stdout);
    const gone = [FF, Buffer.from('a\nb'), Buffer.alloc(255, 0xfe)].map((name) => name.toString('hex'));
    for (const path of [below('dirs', FF).toString('hex'), gone[1], gone[2]]) expect(left).not.toContain(path);
    expect(left).toContain(gone[0]);
    expect(left).toHaveLength(3 * NAMES.length + 2 - 2 - 1 - 3);
    // The same choice again, as status gives it for a shell.
    const status = JSON.parse((await runProgram('clfsload', ['status', '--json', `--state-path=${state}`])).stdout) as {
      selection: string;
      source_hex: string;
    };
    expect(Buffer.from(status.source_hex, 'hex').equals(source)).toBe(true);
    const program = `${ansi(process.execPath)} ${ansi(BIN)}`;
    const again = runShell(
      `${program} load "hex://${status.source_hex}" ${ansi(other)} --state-path=${ansi(state)} --new-session=false ${utf8(status.selection)}`,
    );
    expect(again.stdout).toContain('Final Job Status: Completed');
    expect(again.code).toBe(0);
  });
});

describe('what an export takes and leaves out', () => {
  it('is told by paths and patterns of any bytes, as a load is', async () => {
    const choice = [
      Buffer.concat([Buffer.from('--exclude-pattern='), Buffer.from([0xfe, 0x2a])]),
      `--exclude-path=dirs/\\xff;${hex(Buffer.from('a\nb'))}`,
    ];
    const target = join(base, 'chosen');
    const state = join(base, 'choosing');
    expect(runRaw(['export', container, target, `--state-path=${state}`, ...choice]).code).toBe(0);
    const names = (directory: string) =>
      readdirSync(directory, { encoding: 'buffer' }).map((name) => name.toString('hex'));
    const gone = ['a\nb', Buffer.alloc(255, 0xfe)].map((name) => bytes(name).toString('hex'));
    for (const name of gone) expect(names(target)).not.toContain(name);
    expect(names(target)).toContain('ff');
    expect(names(join(target, 'dirs'))).not.toContain('ff');
    // The same choice again, as status gives it for a shell.
    const status = JSON.parse((await runProgram('clfsload', ['status', '--json', state])).stdout) as {
      selection: string;
    };
    const program = `${ansi(process.execPath)} ${ansi(BIN)}`;
    const rest = `${ansi(container)} ${ansi(target)} --state-path=${ansi(state)} --new-session=false`;
    expect(runShell(`${program} export ${rest} ${utf8(status.selection)}`)).toMatchObject({ code: 0 });
    const included = join(base, 'included');
    const include = Buffer.concat([Buffer.from('--include='), FF, Buffer.from('*')]);
    expect(runRaw(['export', container, included, include]).code).toBe(0);
    expect(names(included)).toContain('ff');
    expect(names(included)).not.toContain(Buffer.from('A').toString('hex'));
  });
});

describe('paths of this machine', () => {
  it('a source is named by its bytes, in digits, as it is shown, or by where one is', async () => {
    const same = `${3 * NAMES.length + 2} same, 0 different, 0 only in the source, 0 only in the container`;
    expect(runRaw(['verify', source, container]).stdout).toContain(same);
    expect((await runProgram('clfsload', ['verify', hex(source), container])).stdout).toContain(same);
    expect((await runProgram('clfsload', ['verify', escapePath(source), container])).stdout).toContain(same);
    expect(runRaw(['verify', '.', container], source).stdout).toContain(same);
    const sized = runRaw(['load', '.', container, '--dry-run'], source);
    expect(sized.code).toBe(0);
    expect(sized.stdout).toContain(`Entries: ${3 * NAMES.length + 2} (`);
  });

  it('a backslash in a path that is to be made is one', async () => {
    const target = join(base, 'made\\x0a\\\\');
    expect((await runProgram('clfsload', ['export', container, 'dirs/A', target])).code).toBe(0);
    expect(lstatSync(target).isDirectory()).toBe(true);
  });

  it('files: --tar, --report and --manifest; what verify reports can be given back', async () => {
    const file = (name: string) => Buffer.concat([Buffer.from(join(base, name)), FF]);
    expect(runRaw(['export', container, '--tar', file('tar')]).code).toBe(0);
    expect(lstatSync(file('tar')).size).toBeGreaterThan(10_000);
    expect(runRaw(['verify', source, container, Buffer.concat([Buffer.from('--report='), file('report')])]).code).toBe(
      0,
    );
    const reported = readFileSync(file('report'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(2));
    expect(reported).toContain('dirs/\\xff');
    const stat = await runProgram('clfsload', ['stat', '--json', container, '--', ...reported]);
    expect(stat.code).toBe(0);
    expect(new Set(pathsOf(stat.stdout)).size).toBe(3 * NAMES.length + 2);
    writeFileSync(file('manifest'), runRaw(['manifest', container]).stdout, 'latin1');
    expect(runRaw(['verify', '--manifest', file('manifest'), container]).code).toBe(0);
  });

  it('a state directory, and a container on disk, that are not UTF-8 are refused, and nothing is made', () => {
    const before = readdirSync(Buffer.from(base), 'hex').sort();
    const odd = Buffer.concat([Buffer.from(join(base, 'odd')), FF]);
    const runs = [
      runRaw(['load', source, join(base, 'new'), Buffer.concat([Buffer.from('--state-path='), odd])]),
      runRaw(['load', source, odd, `--state-path=${join(base, 'new-state')}`]),
      runRaw(['ls', odd]),
      runRaw(['status', '--state-path', odd]),
    ];
    for (const { code, stderr } of runs) {
      expect(utf8(stderr)).toMatch(/has to be UTF-8, and ".*odd\\xff" is not/);
      expect(code).toBeGreaterThan(0);
    }
    expect(readdirSync(Buffer.from(base), 'hex').sort()).toEqual(before);
  });
});

describe("CLFSLoad's own command line", () => {
  it('takes a source by its bytes and in digits', async () => {
    const missing = Buffer.concat([source, Buffer.from('/missing')]);
    const rest = ['account1', 'container', 'sv=1'];
    const shell = runShell(
      `${ansi(BIN.replace(/clfsload$/, 'CLFSLoad.py'))} ${[join(base, 'no-state'), missing, ...rest].map(ansi).join(' ')} --new`,
    );
    const digits = await runProgram('CLFSLoad.py', [join(base, 'no-state'), hex(missing), ...rest, '--new']);
    for (const { stdout, code } of [shell, digits]) {
      expect(stdout).toContain(`Cannot read the source "${escapePath(missing)}"`);
      expect(code).toBe(1);
    }
  });
});

describe('what is not there, or no path', () => {
  it('is named as it is shown, and how the argument was read is said', async () => {
    const run = async (...args: string[]) => {
      const { stderr, code } = await runProgram('clfsload', args);
      expect(code).toBe(2);
      return utf8(stderr);
    };
    expect(await run('cat', container, 'no\\xFF')).toMatch(
      /^Cannot find "no\\\\xFF" in the container: there is no such entry\. The argument was taken as it stands/,
    );
    expect(await run('cat', container, 'no\\xff')).toMatch(
      /^Cannot find "no\\xff" in the container: .* was read as "ls" shows names.*--raw-path/,
    );
    expect(await run('cat', container, '--raw-path', 'no\\xff')).toBe(
      'Cannot find "no\\\\xff" in the container: there is no such entry.\n',
    );
    expect(await run('cat', container, 'plain')).toBe(
      'Cannot find "plain" in the container: there is no such entry.\n',
    );
    expect(await run('stat', container, 'hex://4')).toContain('pairs of hexadecimal digits');
    expect(await run('export', container, 'hex://2f00')).toContain('holds a NUL');
    expect(await run('cat', container, '-leading')).toContain('given as ./-NAME');
    expect(await run('cat', container, 'dirs/\\xff')).toBe(
      'Cannot write the bytes of "dirs/\\xff": it is not a regular file.\n',
    );
  });

  it('arguments whose bytes are lost for good are refused', () => {
    const titled = runShell(
      `${ansi(process.execPath)} --title=another ${ansi(BIN)} cat ${ansi(container)} ${ansi(FF)}`,
    );
    expect(titled.code).toBe(2);
    expect(titled.stderr).toContain('its bytes cannot be had from /proc/self/cmdline');
    expect(titled.stdout).toBe('');
  });
});

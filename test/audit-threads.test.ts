import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ObjectType } from '../src/format/ids.js';
import { decodeObjectName } from '../src/format/names.js';
import { runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const base = makeBase('audit-threads');
const source = join(base, 'source');
const container = join(base, 'container');
const MEGABYTE = 1048576;
/** More than two parts of a large file. */
const LARGE_BYTES = 300 * MEGABYTE;
afterAll(() => removeTree(base));

beforeAll(async () => {
  for (let d = 0; d < 20; d++) {
    mkdirSync(join(source, `d${d}`, 'below'), { recursive: true });
    for (let f = 0; f < 90; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d} ${f}`);
    writeFileSync(join(source, `d${d}`, 'below', 'middle'), someBytes(9 * MEGABYTE, d + 1));
  }
  linkSync(join(source, 'd0', 'f0'), join(source, 'd1', 'linked'));
  writeFileSync(join(source, 'large'), 'begin');
  truncateSync(join(source, 'large'), LARGE_BYTES);
  const loaded = await runProgram('clfsload', [
    'load',
    source,
    container,
    '--preserve-hardlinks',
    `--state-path=${join(base, 'state')}`,
  ]);
  expect(loaded.code, loaded.stderr).toBe(0);
});

/** What a verb writes, its lines sorted: with threads they come in another order. */
async function lines(verb: string, args: readonly string[], threads: number) {
  const { code, stdout } = await runProgram('clfsload', [verb, ...args, `--threads=${threads}`]);
  return { code, lines: stdout.split('\n').sort() };
}

async function expectSame(verb: string, args: readonly string[]) {
  const alone = await lines(verb, args, 0);
  for (const threads of [1, 3]) expect(await lines(verb, args, threads)).toEqual(alone);
  return alone;
}

/** Writes into the middle of a file, and gives it its times again. */
function change(path: string, position: number): void {
  const { atimeMs, mtime } = statSync(path);
  const fd = openSync(path, 'r+');
  writeSync(fd, 'changed', position);
  closeSync(fd);
  utimesSync(path, atimeMs / 1000, mtime);
}

/** Segments of the files of middle size, which do not compress, as paths. */
function segments(): string[] {
  return readdirSync(container)
    .filter((name) => decodeObjectName(name)?.type === ObjectType.segment)
    .map((name) => join(container, name))
    .filter((path) => statSync(path).size > MEGABYTE)
    .sort();
}

describe('what reads a whole container', () => {
  it('finds the same with and without threads', async () => {
    const verified = await expectSame('verify', [source, container, '--content', '--time-tolerance=1us']);
    expect(verified.code).toBe(0);
    expect((await expectSame('fsck', [container, '--content'])).code).toBe(0);
    const manifest = await expectSame('manifest', [container, '--hash']);
    expect(manifest.lines.filter((line) => line.includes('sha256'))).toHaveLength(20 * 91 + 2);
    const file = join(base, 'manifest');
    writeFileSync(file, `${manifest.lines.filter((line) => line !== '').join('\n')}\n`);
    expect((await expectSame('verify', ['--manifest', file, container, '--content'])).code).toBe(0);
    writeFileSync(file, readFileSync(file, 'latin1').replace(/"sha256":"./g, '"sha256":"0'), 'latin1');
    const wrong = await expectSame('verify', ['--manifest', file, container, '--content']);
    expect(wrong.code).toBe(1);
    expect(wrong.lines.filter((line) => line.startsWith('*')).length).toBeGreaterThan(1000);
  });

  it('writes a manifest in one order, whatever is done first', async () => {
    const alone = await runProgram('clfsload', ['manifest', '--hash', container, '--threads=0']);
    const threads = await runProgram('clfsload', ['manifest', '--hash', container, '--threads=2']);
    expect(threads.stdout).toBe(alone.stdout);
  });

  it('finds what differs, in a part of a large file too', async () => {
    change(join(source, 'large'), 200 * MEGABYTE);
    change(join(source, 'd3', 'below', 'middle'), 5 * MEGABYTE);
    rmSync(join(source, 'd4', 'f4'));
    writeFileSync(join(source, 'd5', 'new'), '');
    const { code, lines: found } = await expectSame('verify', [source, container, '--content', '--time-tolerance=1ms']);
    expect(code).toBe(1);
    expect(found.filter((line) => /^[*+-] /.test(line))).toEqual([
      expect.stringContaining('* d3/below/middle: content differs'),
      expect.stringMatching(/^\* d4: modified /),
      expect.stringMatching(/^\* d5: modified /),
      expect.stringMatching(/^\* large: content differs within the 1048576 bytes from 20\d+ on$/),
      '+ d5/new',
      '- d4/f4',
    ]);
  });

  it('finds segments that are missing, cut or another one, and reads the rest', async () => {
    const [missing, cut, one, other] = segments();
    rmSync(missing);
    truncateSync(cut, 100);
    writeFileSync(one, readFileSync(other));
    const { code, lines: found } = await expectSame('fsck', [container, '--content']);
    expect(code).toBe(1);
    expect(found.filter((line) => line.startsWith('error '))).toHaveLength(3);
    const damaged = await expectSame('verify', [source, container, '--content', '--time-tolerance=1ms']);
    expect(damaged.code).toBe(2);
    expect(damaged.lines.filter((line) => line.startsWith('! '))).toHaveLength(3);
    const hashed = await expectSame('manifest', [container, '--hash']);
    expect(hashed.code).toBe(2);
  });
});

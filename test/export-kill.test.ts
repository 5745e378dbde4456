import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complaints, runProgram, startProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-kill-'));
afterAll(() => removeTree(base));
const source = join(base, 'source');
const container = join(base, 'container');
const DIRECTORIES = 15;
const FILES = 200;
const LARGE = 3;
const LARGE_BYTES = 40_000_000;
/** Times of the small files, by their paths. */
const times = new Map<string, bigint>();

/** Every file below a directory that is whole, as it is in the source: what it is, and when it was changed last. */
function wholeFiles(target: string): Map<string, string> {
  const whole = new Map<string, string>();
  const visit = (path: string) => {
    for (const entry of readdirSync(join(target, path), { withFileTypes: true })) {
      const below = join(path, entry.name);
      if (entry.isDirectory()) visit(below);
      else if (existsSync(join(source, below))) {
        const is = lstatSync(join(target, below), { bigint: true });
        const was = lstatSync(join(source, below), { bigint: true });
        if (is.size === was.size && is.mtimeNs === was.mtimeNs && is.nlink === was.nlink)
          whole.set(below, `${is.ino} ${is.ctimeNs}`);
      }
    }
  };
  if (existsSync(target)) visit('');
  return whole;
}

/** Files with one name that have their times, which they get last. */
function countFiles(target: string): number {
  let count = 0;
  for (let d = 0; d < DIRECTORIES; d++) {
    const directory = join(target, `d${d}`);
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory)) {
      const { mtimeNs } = lstatSync(join(directory, name), { bigint: true, throwIfNoEntry: false }) ?? {};
      if (mtimeNs === times.get(`d${d}/${name}`)) count++;
    }
  }
  return count;
}

/** Exports until so many files are whole, and kills it then. @returns whether it was killed */
async function exportAndKill(args: readonly string[], target: string, files: number): Promise<boolean> {
  const { child, done } = startProgram('clfsload', args);
  let ended = false;
  void done.then(() => {
    ended = true;
  });
  while (!ended && countFiles(target) < files) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill('SIGKILL');
  return (await done).code === null;
}

describe('an export that is killed', () => {
  beforeAll(async () => {
    for (let d = 0; d < DIRECTORIES; d++) {
      const directory = join(source, `d${d}`);
      mkdirSync(directory, { recursive: true });
      for (let f = 0; f < FILES; f++) writeFileSync(join(directory, `f${f}`), `${d}/${f} `.repeat(f % 50));
      for (let f = 0; f < FILES; f++)
        times.set(`d${d}/f${f}`, lstatSync(join(directory, `f${f}`), { bigint: true }).mtimeNs);
      linkSync(join(directory, 'f7'), join(directory, 'link'));
    }
    for (let number = 0; number < LARGE; number++)
      writeFileSync(join(source, `large${number}`), someBytes(LARGE_BYTES, number));
    const run = await runProgram('clfsload', [
      'load',
      source,
      container,
      `--state-path=${join(base, 'state')}`,
      '--preserve-hardlinks',
      '--output-type=none',
    ]);
    expect(run.code).toBe(0);
  });

  it.each(['if-different', 'never'])(
    'goes on with --overwrite=%s when it is repeated, and does not touch what is done',
    async (overwrite) => {
      const target = join(base, `target-${overwrite}`);
      const args = ['export', container, target, `--overwrite=${overwrite}`, '--threads=2'];
      let before = new Map<string, string>();
      const total = DIRECTORIES * (FILES + 1) + LARGE;
      let interrupted = 0;
      for (const share of [0.02, 0.2, 0.4, 0.6]) {
        expect(await exportAndKill(args, target, total * share)).toBe(true);
        const after = wholeFiles(target);
        if (after.size < total) interrupted++;
        for (const [path, was] of before) expect(after.get(path), path).toBe(was);
        before = after;
      }
      // On a machine that is busy elsewhere the last kill may come when only directories are left.
      expect(interrupted).toBeGreaterThan(1);
      expect(before.size).toBeGreaterThan(total / 2);
      expect(existsSync(join(base, `.target-${overwrite}.clfsload-export`))).toBe(true);
      const run = await runProgram('clfsload', args);
      expect(complaints(run)).toEqual([
        `Going on with the export whose state is in ${JSON.stringify(join(base, `.target-${overwrite}.clfsload-export`))}.`,
      ]);
      expect(run.code).toBe(0);
      const after = wholeFiles(target);
      expect(after.size).toBe(total);
      for (const [path, was] of before) expect(after.get(path), path).toBe(was);
      // Neither temporary names nor the state are left.
      expect(readdirSync(target).filter((name) => name.startsWith('.'))).toEqual([]);
      expect(readdirSync(base).filter((name) => name.startsWith('.'))).toEqual([]);
      const verify = await runProgram('clfsload', ['verify', target, container, '--content']);
      expect(verify.stdout).toMatch(
        / 0 different, 0 only in the source, 0 only in the container, 0 could not be checked/,
      );
      expect(verify.code).toBe(0);
    },
  );

  it('goes on with a large file where it was, not from its beginning', async () => {
    const target = join(base, 'one');
    const args = ['export', container, 'large1', target];
    const { child, done } = startProgram('clfsload', args);
    const temporary = () => readdirSync(base).find((name) => /^\.clfsload-.*-f\d+$/.test(name));
    for (let size = 0; size < LARGE_BYTES / 3; ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const name = temporary();
      size = name === undefined ? 0 : lstatSync(join(base, name)).size;
      if (existsSync(target)) break;
    }
    child.kill('SIGKILL');
    await done;
    const left = temporary();
    if (left === undefined) throw new Error('The export ended before it was killed.');
    const { ino } = lstatSync(join(base, left));
    const run = await runProgram('clfsload', args);
    expect(run.code).toBe(0);
    expect(lstatSync(target).ino).toBe(ino);
    expect((await runProgram('clfsload', ['export', container, 'large1', target])).stdout).toMatch(
      /^0 entries written .* 1 there already/,
    );
    expect(readFileSync(target).equals(readFileSync(join(source, 'large1')))).toBe(true);
  });
});

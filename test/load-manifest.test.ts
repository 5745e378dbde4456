import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, startProgram } from './support/program.js';
import { isRoot, makeTree, removeTree } from './support/tree.js';

const execFileAsync = promisify(execFile);
const base = mkdtempSync(join(tmpdir(), 'clfs-load-manifest-'));
const source = join(base, 'source');
let number = 0;
const fresh = (name: string) => join(base, `${name}-${++number}`);
beforeAll(async () => {
  chmodSync(base, 0o755);
  await makeTree(source, { bulk: 2000 });
});
afterAll(() => removeTree(base));

/** What the container says of itself, sorted as the load's manifest is not. */
async function expectSame(file: string, container: string): Promise<void> {
  const read = await runProgram('clfsload', ['manifest', '--hash', container]);
  expect(read.code).toBe(0);
  const sorted = (text: string) => text.trimEnd().split('\n').sort();
  expect(sorted(readFileSync(file, 'latin1'))).toEqual(sorted(read.stdout));
}

describe('load --manifest', () => {
  it.each(['--preserve-hardlinks', '--preserve-hardlinks=false'])(
    'says what the container holds, %s',
    async (links) => {
      const container = fresh('container');
      const file = fresh('manifest');
      const state = fresh('state');
      const args = ['load', source, container, `--state-path=${state}`, links, `--manifest=${file}`];
      expect((await runProgram('clfsload', args)).code).toBe(0);
      await expectSame(file, container);
      expect((await runProgram('clfsload', ['verify', '--manifest', file, container, '--content'])).code).toBe(0);
      // Asked for again, elsewhere.
      const again = fresh('manifest');
      await runProgram('clfsload', [...args.slice(0, -1), `--manifest=${again}`, '--new-session=false']);
      expect(readFileSync(again)).toEqual(readFileSync(file));
      // Left out, it is written where it was.
      rmSync(file);
      expect((await runProgram('clfsload', [...args.slice(0, -1), '--new-session=false'])).code).toBe(0);
      expect(readFileSync(file)).toEqual(readFileSync(again));
    },
  );

  it('takes the place of a file, of one that was being written, and of nothing else', async () => {
    const load = (file: string) =>
      runProgram('clfsload', [
        'load',
        small,
        fresh('container'),
        `--state-path=${fresh('state')}`,
        `--manifest=${file}`,
      ]);
    const small = fresh('small');
    mkdirSync(small);
    const place = fresh('place');
    mkdirSync(place);
    const [file, link, elsewhere] = ['file', 'link', 'elsewhere'].map((name) => join(place, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, 'old');
    writeFileSync(elsewhere, 'mine');
    symlinkSync(elsewhere, `${file}.new`);
    symlinkSync(file, link);
    expect((await load(link)).code).toBe(0);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain('"path":"."');
    expect(readFileSync(elsewhere, 'utf8')).toBe('mine');
    const pipe = join(place, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const loaded = load(pipe);
    const read = execFileAsync('timeout', ['20', 'cat', pipe]);
    expect((await loaded).code).toBe(0);
    expect((await read).stdout).toContain('"path":"."');
    expect(lstatSync(pipe).isFIFO()).toBe(true);
    const refused = await load(place);
    expect(refused.stdout).toContain('it is a directory');
    expect(refused.code).not.toBe(0);
    expect(refused.stdout).not.toContain('Init phase');
    expect(readdirSync(place).sort()).toEqual(['elsewhere', 'file', 'link', 'pipe']);
    expect(existsSync(`${place}.new`)).toBe(false);
  });

  it('is whole after kills', async () => {
    const container = fresh('container');
    const file = fresh('manifest');
    const args = [
      'load',
      source,
      container,
      `--state-path=${fresh('state')}`,
      '--preserve-hardlinks',
      `--manifest=${file}`,
    ];
    for (let kill = 0; kill < 8; kill++) {
      const { child, done } = startProgram('clfsload', [...args, ...(kill === 0 ? [] : ['--new-session=false'])]);
      const wait = async () => {
        // Killed when so much more has been written.
        for (let at = 0; at < 500 && child.exitCode === null; at++) {
          if (entriesIn(container) > (kill + 1) * 180) return;
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      };
      await wait();
      child.kill('SIGKILL');
      await done;
    }
    expect((await runProgram('clfsload', [...args, '--new-session=false', '--late-arrival=0s'])).stdout).toContain(
      'Final Job Status: Completed\n',
    );
    await expectSame(file, container);
  });

  it.runIf(isRoot)('has one line for what was repaired', async () => {
    const own = fresh('own');
    mkdirSync(own);
    chmodSync(own, 0o777);
    const bad = join(source, 'bulk0', 'file-7');
    chmodSync(bad, 0o600);
    const program = new URL('../bin/clfsload', import.meta.url).pathname;
    const ordinary = (...flags: string[]) => {
      const args = [
        'load',
        join(source, 'bulk0'),
        join(own, 'container'),
        `--state-path=${own}/state`,
        `--manifest=${own}/manifest`,
        ...flags,
      ];
      try {
        return execFileSync(
          'setpriv',
          ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, ...args],
          { encoding: 'utf8' },
        );
      } catch (error) {
        return (error as { stdout: string }).stdout;
      }
    };
    expect(ordinary()).toContain('CompletedWithErrors');
    await expectSame(join(own, 'manifest'), join(own, 'container'));
    chmodSync(bad, 0o644);
    expect(ordinary('--new-session=false')).toContain('Final Job Status: Completed\n');
    await expectSame(join(own, 'manifest'), join(own, 'container'));
  });
});

function entriesIn(container: string): number {
  try {
    return readdirSync(container).length;
  } catch {
    return 0;
  }
}

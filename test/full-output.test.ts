import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole } from './support/program.js';
import { mountSlowFs, whyNoSlowFs } from './support/slow-fs.js';

const BIN = new URL('../bin/', import.meta.url).pathname;
const base = mkdtempSync(join(tmpdir(), 'clfs-full-output-'));
const source = join(base, 'source');
const container = join(base, 'container');

beforeAll(async () => {
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  await loadWhole(source, container, join(base, 'state'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Runs a program with a full disk as standard output, standard error or both. */
function runFull(full: 'stdout' | 'stderr' | 'both', program: string, ...args: string[]) {
  const disk = openSync('/dev/full', 'w');
  const { status, stdout, stderr } = spawnSync(`${BIN}${program}`, args, {
    stdio: ['ignore', full === 'stderr' ? 'pipe' : disk, full === 'stdout' ? 'pipe' : disk],
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

describe('where messages go to a full disk', () => {
  it('a load goes on to its end', () => {
    for (const [number, full] of (['stdout', 'stderr', 'both'] as const).entries()) {
      const target = join(base, `loaded-${number}`);
      const run = runFull(full, 'clfsload', 'load', source, target, `--state-path=${base}/state-${number}`, '--page');
      expect(run.stderr ?? '').toBe('');
      expect(run.code).toBe(0);
    }
  });

  it('a verb that has something to complain of does what it does otherwise', () => {
    const exported = runFull('stderr', 'clfsload', 'export', container, join(base, 'exported'), '--page');
    expect(exported).toMatchObject({ code: 0, stdout: expect.stringContaining('2 entries written') });
    expect(runFull('stderr', 'clfsload', 'ls', container, 'nosuch').code).toBe(2);
    expect(runFull('stderr', 'clfsload', 'nosuch').code).toBe(2);
  });

  it('what was asked for, and does not arrive, is an error', () => {
    const lost = 'Error: cannot write to standard output: ENOSPC: no space left on device, write\n';
    expect(runFull('stdout', 'clfsload', 'help')).toMatchObject({ code: 2, stderr: lost });
    expect(runFull('stdout', 'clfsload', 'ls', '--help')).toMatchObject({ code: 2, stderr: lost });
    expect(runFull('stdout', 'azcopy', 'load', 'clfs', '--help')).toMatchObject({ code: 1, stderr: lost });
    expect(runFull('stdout', 'CLFSLoad.py', '--help')).toMatchObject({ code: 1, stderr: lost });
    const sized = runFull('stdout', 'clfsload', 'load', source, join(base, 'never'), '--dry-run');
    expect(sized).toMatchObject({ code: 1, stderr: lost });
  });
});

const why = whyNoSlowFs();

describe.skipIf(why !== undefined)(`output whose disk fails${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  it.each([
    ['load', source, join(base, 'unsynced'), `--state-path=${base}/state-unsynced`],
    ['ls', container],
  ])('is no reason for %s not to end', (...args) => {
    const slow = mountSlowFs(0);
    try {
      writeFileSync(slow.rules, 'fsync / 5\n');
      const log = openSync(join(slow.mountPoint, 'log'), 'w');
      const { status, error } = spawnSync(`${BIN}clfsload`, args, { stdio: ['ignore', log, log], timeout: 60_000 });
      closeSync(log);
      expect({ status, error }).toEqual({ status: 0, error: undefined });
      expect(readFileSync(join(slow.back, 'log'), 'utf8')).toMatch(/Completed|file/);
    } finally {
      slow.unmount();
    }
  });
});

import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { claimNewState, removeState } from '../src/state/state-directory.js';
import { loadWhole, runProgram } from './support/program.js';
import { mountSlowFs, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const crash = vi.hoisted(() => ({ after: Number.POSITIVE_INFINITY }));
/** Called before a directory is removed. */
const look = vi.hoisted(() => ({ beforeRmdir: () => {} }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const rmSync: typeof fs.rmSync = (...how) => {
    requireAlive();
    crash.after--;
    fs.rmSync(...how);
  };
  const rmdirSync: typeof fs.rmdirSync = (...how) => {
    requireAlive();
    look.beforeRmdir();
    fs.rmdirSync(...how);
  };
  return { ...fs, rmSync, rmdirSync };
});
/** A process that died removes nothing any more. */
function requireAlive(): void {
  if (crash.after <= 0) throw new Error('the process died');
}

const base = mkdtempSync(join(tmpdir(), 'clfs-state-removal-'));
afterAll(() => removeTree(base));

it('a state of which the removal was interrupted is still a job, or can be taken for a new one', () => {
  const files = ['clfsload.log', 'failures.jsonl', 'job.db', 'problems.txt'];
  for (let removed = 0; removed <= files.length; removed++) {
    const path = join(base, `state-${removed}`);
    mkdirSync(path);
    const state = claimNewState(path);
    for (const name of files) writeFileSync(state.file(name), '');
    crash.after = removed;
    removeState(state);
    crash.after = Number.POSITIVE_INFINITY;
    const names = readdirSync(path);
    expect(names).toHaveLength(files.length + 1 - removed);
    expect(names.includes('job.db') || names.join() === 'lock', names.join()).toBe(true);
  }
});

it('a state is removed also while somebody looks at it, and stays where somebody has put something', () => {
  const path = join(base, 'looked-at');
  let looks = 0;
  look.beforeRmdir = () => {
    if (looks++ === 0) for (const name of ['job.db-wal', 'job.db-shm']) writeFileSync(join(path, name), '');
  };
  removeState(claimNewState(path));
  expect(looks).toBe(2);
  expect(existsSync(path)).toBe(false);
  const kept = claimNewState(path);
  look.beforeRmdir = () => writeFileSync(join(path, 'notes.txt'), '');
  removeState(kept);
  expect(readdirSync(path)).toEqual(['notes.txt']);
});

it('leaves the job that another process begins there once the state is let go of', () => {
  const path = join(base, 'taken');
  const given = claimNewState(path);
  let next: ReturnType<typeof claimNewState> | undefined;
  // What is open is there under another name until it is closed, on NFS.
  look.beforeRmdir = () => {
    if (!next) throw new Error('the directory is not empty');
  };
  const removed = removeState({
    ...given,
    release() {
      given.release();
      next = claimNewState(path);
    },
  });
  expect(removed, 'what is there is not of that job').toBe(true);
  expect(readdirSync(path)).toEqual(['lock']);
  next?.release();
});

const why = whyNoSlowFs();
it.skipIf(why !== undefined)(
  `the state of an export is removed also where what is open stays${why === undefined ? '' : ` (skipped: ${why})`}`,
  async () => {
    const [source, container] = [join(base, 'source'), join(base, 'container')];
    mkdirSync(source);
    await loadWhole(source, container, join(base, 'load'));
    const slow = mountSlowFs(0);
    try {
      const { stdout, stderr } = await runProgram('clfsload', ['export', container, join(slow.mountPoint, 'target')]);
      expect([stdout, stderr]).toEqual([expect.stringMatching(/^1 entry written/), '']);
      expect(readdirSync(slow.back)).toEqual(['target']);
      // What the close of a lock and of a log says ends nothing.
      const kept = `--state-path=${join(slow.mountPoint, 'kept')}`;
      writeFileSync(slow.rules, 'flush kept/lock 5\nflush clfsload.log 28\n');
      const again = await runProgram('clfsload', ['export', container, join(slow.mountPoint, 'target'), kept]);
      expect([again.code, again.stdout, again.stderr]).toEqual([0, stdout, '']);
    } finally {
      slow.unmount();
    }
  },
);

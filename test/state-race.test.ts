import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { claimNewState } from '../src/state/state-directory.js';
import { expectFaithful, SMALL } from './support/check.js';
import { removeTree } from './support/tree.js';
import { Job, makeBase } from './support/whole-job.js';

/** Called before a lock is taken. */
const hooks = vi.hoisted(() => ({ beforeLock: () => {} }));
vi.mock('../src/posix/libc.js', async (original) => {
  const real = await original<typeof import('../src/posix/libc.js')>();
  const tryLock = (fd: number) => {
    hooks.beforeLock();
    return real.tryLock(fd);
  };
  return { ...real, tryLock };
});

const base = makeBase('race');
afterAll(() => removeTree(base));

it('a job that another process begins, and leaves, between the look at an empty state directory and its lock is not removed', async () => {
  const other = new Job(base);
  other.file('d/file');
  let puts = 0;
  other.world.onPut = () => (++puts === 2 ? 'killed after' : undefined);
  expect((await other.session()).status).toBe('Failed');
  other.world.onPut = undefined;
  const shared = join(base, 'shared');
  mkdirSync(shared);
  const move = (from: string, to: string) => {
    for (const name of readdirSync(from)) renameSync(join(from, name), join(to, name));
  };
  hooks.beforeLock = () => {
    hooks.beforeLock = () => {};
    move(other.statePath, shared);
  };
  expect(() => claimNewState(shared)).toThrowError(/holds a job already/);
  move(shared, other.statePath);
  expect((await other.session()).status).toBe('Completed');
  await expectFaithful(other.source, other.world.store, SMALL);
});

import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Open, tryLock } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { openTarget } from '../open-target.js';
import { type AnyCalls, SYSTEM_CALLS, type TargetCalls } from './target-calls.js';
import { TargetTree } from './target-tree.js';

const CONSTANTS = { overwrite: 'if-different', isTree: true, temporaryPrefix: '.test-' } as const;

const base = mkdtempSync(join(tmpdir(), 'clfs-target-tree-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const root = openSync(base, 'r');
afterAll(() => closeSync(root));
const NAME = Buffer.from('name');
const TIME = { seconds: 1, nanoseconds: 2 };

/** A tree whose calls do nothing; `syncs` are told how each sync ends. */
function treeOf(syncs: readonly ('succeeds' | 'fails')[]) {
  let count = 0;
  const calls: TargetCalls = {
    openAt: () => 99,
    statAt: SYSTEM_CALLS.statAt,
    lookAt: SYSTEM_CALLS.lookAt,
    statFd: SYSTEM_CALLS.statFd,
    readLink: SYSTEM_CALLS.readLink,
    readEntries: SYSTEM_CALLS.readEntries,
    write: () => undefined,
    truncate: () => undefined,
    makeDirectory: () => undefined,
    makeSymlink: () => undefined,
    makeLink: () => undefined,
    makeNode: () => undefined,
    removeAt: () => undefined,
    renameAt: () => undefined,
    renameNew: () => true,
    setTimes: () => undefined,
    setOwnerFd: () => undefined,
    setOwnerOfPlace: () => undefined,
    setModeFd: () => undefined,
    setModeOfPlace: () => undefined,
    setTimesFd: () => undefined,
    close: () => undefined,
    closeWritten: () => undefined,
    sync: () => {
      if (syncs[count++] === 'fails') throw new PosixError('sync', 5);
    },
  };
  return { tree: new TargetTree({ now: calls, later: undefined }, root, CONSTANTS), count: () => count };
}

it('syncs at the first flush, whoever wrote before, and then when something was changed', async () => {
  const { tree, count } = treeOf([]);
  await tree.flush();
  expect(count()).toBe(1);
  await tree.flush();
  expect(count()).toBe(1);
  await tree.calls.openAt(root, NAME, Open.readOnly);
  await tree.calls.closeWritten(99);
  await tree.flush();
  expect(count()).toBe(1);
});

const CHANGES: Record<string, (calls: AnyCalls) => unknown> = {
  openAt: (calls) => calls.openAt(root, NAME, Open.writeOnly | Open.create),
  write: (calls) => calls.write(99, NAME, 0),
  truncate: (calls) => calls.truncate(99, 1),
  makeDirectory: (calls) => calls.makeDirectory(root, NAME, 0o700),
  makeSymlink: (calls) => calls.makeSymlink(NAME, root, NAME),
  makeLink: (calls) => calls.makeLink(root, NAME, root, NAME),
  makeNode: (calls) => calls.makeNode(root, NAME, 0, 0, 0),
  removeAt: (calls) => calls.removeAt(root, NAME),
  renameAt: (calls) => calls.renameAt(root, NAME, root, NAME),
  renameNew: (calls) => calls.renameNew(root, NAME, root, NAME),
  setTimes: (calls) => calls.setTimes(root, NAME, TIME, TIME),
  setOwnerFd: (calls) => calls.setOwnerFd(99, 1, 1),
  setOwnerOfPlace: (calls) => calls.setOwnerOfPlace(99, 1, 1),
  setModeFd: (calls) => calls.setModeFd(99, 0),
  setModeOfPlace: (calls) => calls.setModeOfPlace(99, 0),
  setTimesFd: (calls) => calls.setTimesFd(99, TIME, TIME),
};
it.each(Object.keys(CHANGES))('syncs what %s has changed', async (name) => {
  const { tree, count } = treeOf([]);
  await tree.flush();
  await CHANGES[name](tree.calls);
  await tree.flush();
  expect(count()).toBe(2);
});

it('after a sync that failed no flush succeeds any more, though a later sync would', async () => {
  const { tree, count } = treeOf(['succeeds', 'fails', 'succeeds']);
  await tree.flush();
  await tree.calls.write(99, NAME, 0);
  await expect(tree.flush()).rejects.toMatchObject({
    code: 'target',
    message: expect.stringMatching(/^Cannot make durable what was written/),
  });
  await expect(tree.flush()).rejects.toMatchObject({ code: 'target' });
  await tree.calls.write(99, NAME, 0);
  await expect(tree.flush()).rejects.toMatchObject({ code: 'target' });
  expect(count()).toBe(2);
});

it('tasks that flush in one turn of the event loop share one sync, and what is written after it waits for the next', async () => {
  const { tree, count } = treeOf([]);
  const flushes = [tree.flush(), tree.flush()];
  await tree.calls.write(99, NAME, 0);
  flushes.push(tree.flush());
  await Promise.all(flushes);
  expect(count()).toBe(1);
  await tree.calls.write(99, NAME, 0);
  await tree.flush();
  expect(count()).toBe(2);
});

it('a sync holds what was written to file systems that are mounted below the root', async () => {
  for (const path of ['mounted', 'mounted/deep', 'mounted-not', 'other']) mkdirSync(join(base, path));
  let synced: bigint[] = [];
  const sync = (fd: number) => void synced.push(SYSTEM_CALLS.statFd(fd).inode);
  const inodeOf = (path: string) => statSync(join(base, path), { bigint: true }).ino;
  const mounts = ['mounted', 'mounted/deep', 'other'].map((path) => Buffer.from(path));
  const tree = new TargetTree(
    { now: { ...SYSTEM_CALLS, sync }, later: undefined },
    root,
    { ...CONSTANTS, overwrite: 'always', isTree: false },
    mounts,
  );
  const flushed = async () => {
    synced = [];
    await tree.flush();
    return synced;
  };
  SYSTEM_CALLS.close(await tree.enter({ path: Buffer.from('mounted-not'), filled: 0 }));
  expect(await flushed()).toEqual([inodeOf('.')]);
  SYSTEM_CALLS.close(await tree.enter({ path: Buffer.from('mounted'), filled: 0 }));
  expect(await flushed()).toEqual([inodeOf('.'), inodeOf('mounted')]);
  await tree.note({ path: Buffer.from('mounted/deep'), filled: 0 });
  await tree.note({ path: Buffer.from('mounted'), filled: 0 });
  expect(await flushed()).toEqual([inodeOf('.'), inodeOf('mounted'), inodeOf('mounted/deep')]);
  expect(await flushed()).toEqual([]);
  tree.close();
});

it('the target is opened for each lane by a description of its own', async () => {
  const target = await openTarget(Buffer.from(base), false);
  try {
    // A lock belongs to a description: one that is shared would have it already.
    expect(tryLock(await target.openAgain())).toBe(true);
    expect(tryLock(await target.openAgain())).toBe(false);
  } finally {
    target.close();
  }
});

it.skipIf(process.getuid?.() !== 0)(
  'enters a directory at once, however deep it is, and through no symlink',
  async () => {
    let opened = 0;
    const openAt: TargetCalls['openAt'] = (...how) => {
      opened++;
      return SYSTEM_CALLS.openAt(...how);
    };
    const tree = new TargetTree({ now: { ...SYSTEM_CALLS, openAt }, later: undefined }, root, CONSTANTS);
    const enter = async (path: string) => {
      opened = 0;
      const { fd, isNew } = await tree.enterOrMake({ path: Buffer.from(path), filled: 0 });
      const { ino } = statSync(`/proc/self/fd/${fd}`);
      closeSync(fd);
      return { ino, isNew };
    };
    const path = new Array(50).fill('deep').join('/');
    expect((await enter(path)).isNew).toBe(true);
    expect(await enter(path)).toEqual({ ino: statSync(join(base, path)).ino, isNew: false });
    expect(opened).toBe(1);
    expect((await enter(`${path}/further`)).isNew).toBe(true);
    expect(opened).toBeLessThan(6);
    mkdirSync(join(base, 'elsewhere'));
    symlinkSync('elsewhere', join(base, 'led'));
    expect((await enter('led/into')).isNew).toBe(true);
    expect(existsSync(join(base, 'elsewhere', 'into'))).toBe(false);
    expect(statSync(join(base, 'led', 'into')).isDirectory()).toBe(true);
  },
);

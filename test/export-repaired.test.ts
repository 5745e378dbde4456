import { existsSync, lstatSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, expect, it } from 'vitest';
import type { Container } from '../src/container/container.js';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { DirectoryStatus } from '../src/export/state/schema.js';
import { SYSTEM_CALLS } from '../src/export/target/target-calls.js';
import { PosixError } from '../src/posix/posix-error.js';
import { type Database, openDatabase } from '../src/sqlite/database.js';
import { setLimits } from './lives/limits.js';
import { exportSmall } from './support/export-small.js';
import { removeTree } from './support/tree.js';
import { Job, lock } from './support/whole-job.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-repaired-'));
afterAll(() => removeTree(base));
const EPERM = 1;

/** A container that lacks `d/no`, an export of it of which one entry has failed, and what the load brings after that. */
async function exportedBetween(name: string, overwrite?: 'never') {
  const job = new Job(mkdtempSync(join(base, `${name}-`)), { compression: 'DISABLED' });
  for (const path of ['d/a', 'd/no', 'e/f']) job.file(path);
  expect((await job.session(lock('d/no'))).status).toBe('CompletedWithErrors');
  const target = join(base, `${name}-target`);
  const statePath = join(base, `${name}-state`);
  const refuse: typeof SYSTEM_CALLS.openAt = (at, entry, ...how) => {
    if (Buffer.from(entry).toString() === 'f') throw new PosixError('open', EPERM);
    return SYSTEM_CALLS.openAt(at, entry, ...how);
  };
  const first = await exportSmall(job.world.store, base, target, {
    statePath,
    overwrite,
    internals: { calls: { ...SYSTEM_CALLS, openAt: refuse } },
  });
  // With `never` every entry is made by another name first.
  if (!overwrite) expect(first).toMatchObject({ status: 'CompletedWithErrors', failures: ['e/f'] });
  const goOn = async () => {
    const said: string[] = [];
    const onMessage = (text: string) => void said.push(text);
    const ended = await exportSmall(job.world.store, base, target, {
      statePath,
      overwrite,
      newSession: false,
      onMessage,
    });
    return { ...ended, said };
  };
  return { job, target, goOn };
}

it('an export begins anew, over what it has written, with a container that a load has brought entries to meanwhile', async () => {
  const { job, target, goOn } = await exportedBetween('repaired');
  expect((await job.session()).status).toBe('Completed');
  const { said, ...again } = await goOn();
  expect(said).toEqual([expect.stringMatching(/^Going on/), expect.stringMatching(/^The container has changed/)]);
  // What is there already: the files `d/a`, and nothing of directories, which always get their attributes.
  expect(again).toMatchObject({ status: 'Completed', left: 1, written: 5, failed: 0 });
  for (const path of ['d/a', 'd/no', 'e/f']) expect(existsSync(join(target, path)), path).toBe(true);
});

it('with --overwrite=never it is refused, since nothing would be compared with what has been written', async () => {
  const same = await exportedBetween('never', 'never');
  expect((await same.goOn()).status).toBe('Completed');
  const { job, goOn } = await exportedBetween('never-repaired', 'never');
  expect((await job.session()).status).toBe('Completed');
  await expect(goOn()).rejects.toMatchObject({ code: 'target', message: expect.stringContaining('has changed') });
});

/** A container of which each blob takes some time, so that what is told of a task is recorded before the next is told. */
function slow(store: MemoryContainer): Container {
  const get: Container['get'] = async (...what) => {
    await setTimeout(2);
    return store.get(...what);
  };
  return new Proxy(store, { get: (of, name) => (name === 'get' ? get : Reflect.get(of, name).bind(of)) });
}

/** Runs one session of an export, which is killed after the first commit that leaves a state of which `when` tells. */
async function killedExport(job: Job, target: string, statePath: string, when: (db: Database) => boolean) {
  let isDead = false;
  const before = () => {
    if (isDead) throw new Error('The process was killed.');
  };
  const after = () => {
    const db = openDatabase(join(statePath, 'job.db'));
    isDead ||= when(db);
    db.close();
  };
  const { status } = await exportSmall(job.world.store, base, target, {
    statePath,
    internals: { container: slow(job.world.store), hooks: { before, after } },
  });
  expect([status, isDead]).toEqual(['Failed', true]);
}

const rowOf = (db: Database, name: string) =>
  db.prepare('SELECT listed, status FROM directory WHERE name = ?').get(Buffer.from(name)) as
    | { listed: number; status: number }
    | undefined;

afterEach(() => setLimits({}));

it('an export that was killed in the listing of a directory does not miss what a load brings to that', async () => {
  setLimits({ 'src/export/tasks/list.ts PART_ENTRIES': 1 });
  const job = new Job(mkdtempSync(join(base, 'listing-')), { compression: 'DISABLED' });
  const paths = Array.from({ length: 60 }, (_, at) => `d/sub${at}/file`);
  for (const path of ['d/a', 'd/no', ...paths]) job.file(path);
  expect((await job.session(lock('d/no'))).status).toBe('CompletedWithErrors');
  const [target, statePath] = [join(base, 'listing-target'), join(base, 'listing-state')];
  await killedExport(job, target, statePath, (db) => {
    const { listed, status } = rowOf(db, 'd') ?? { listed: 0, status: 0 };
    return listed > 0 && listed < 61 && status === DirectoryStatus.listing;
  });
  expect((await job.session()).status).toBe('Completed');
  const { status } = await exportSmall(job.world.store, base, target, { statePath, newSession: false });
  expect(status).toBe('Completed');
  for (const path of ['d/a', 'd/no', ...paths]) expect(existsSync(join(target, path)), path).toBe(true);
});

it('an export links a name that a load has brought to the one that was written before', async () => {
  const job = new Job(mkdtempSync(join(base, 'links-')), { compression: 'DISABLED', preserveHardLinks: true });
  job.file('first/a');
  // It takes so many steps to come to the second name that the first one is written before.
  const later = 'later/1/2/3/4/5/6/7/8/9';
  job.link('first/a', `${later}/below/b`);
  expect((await job.session(lock(`${later}/below`))).status).toBe('CompletedWithErrors');
  const [target, statePath] = [join(base, 'links-target'), join(base, 'links-state')];
  await killedExport(job, target, statePath, (db) => {
    const { written } = db.prepare('SELECT written FROM job').get() as { written: number };
    return written > 0;
  });
  expect([existsSync(join(target, 'first/a')), existsSync(join(target, later))]).toEqual([true, false]);
  expect((await job.session()).status).toBe('Completed');
  const { status } = await exportSmall(job.world.store, base, target, { statePath, newSession: false });
  expect(status).toBe('Completed');
  expect(lstatSync(join(target, later, 'below/b')).ino).toBe(lstatSync(join(target, 'first/a')).ino);
});

it('an export goes on with a container that is the same', async () => {
  const { target, goOn } = await exportedBetween('same');
  const { status, said } = await goOn();
  expect([status, said]).toEqual([
    'Completed',
    [expect.stringMatching(/^Going on/), expect.stringMatching(/^Trying 1/)],
  ]);
  expect(existsSync(join(target, 'e/f'))).toBe(true);
});

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LoadSummary } from '../src/load/options.js';
import type { SourcePlace } from '../src/source/source-place.js';
import { entryFailure } from '../src/source/source-tree.js';
import { differencesOf, findingsOf, SMALL } from './support/check.js';
import { removeTree, someBytes } from './support/tree.js';
import { Job, lock, makeBase, type Watch } from './support/whole-job.js';

const base = makeBase('mounts');
afterAll(() => removeTree(base));

const LARGE_BYTES = SMALL.firstSegmentBytes + SMALL.fileSegmentBytes * 9;

/** A source with these mounted below it. */
function at(mounts: Readonly<Record<string, string>>): SourcePlace {
  const keys = Object.entries(mounts).map(([path, key]) => [Buffer.from(path).toString('hex'), key]);
  return { root: { inode: '2', source: 'disk A' }, mounts: Object.fromEntries(keys) };
}
const placed = (mounts: Readonly<Record<string, string>>): Watch => ({ place: () => at(mounts) });

/** Reasons that the latest session gave, by path below the root. */
function reasons(job: Job): Record<string, string> {
  const lines = readFileSync(join(job.statePath, 'failures.jsonl'), 'utf8').trim().split('\n');
  const failures = lines.map((line) => JSON.parse(line) as { readonly path: string; readonly reason: string });
  return Object.fromEntries(failures.map(({ path, reason }) => [path.slice(job.source.length + 1), reason]));
}

/** What is mounted at a name is not any more; what else is there is made by the caller. */
function unmount(job: Job, name: string, suffix = 'away'): string {
  const away = `${job.source}-${name.replaceAll('/', '-')}-${suffix}`;
  renameSync(job.path(name), away);
  return away;
}

function mount(job: Job, away: string, name: string): void {
  if (existsSync(job.path(name))) rmSync(job.path(name), { recursive: true });
  renameSync(away, job.path(name));
}

async function expectWhole(job: Job, summary: LoadSummary): Promise<void> {
  expect(summary.error).toBeUndefined();
  expect(summary.status).toBe('Completed');
  expect(await findingsOf(job.world.store, SMALL)).toEqual([]);
  const lines = await differencesOf(job.source, job.world.store, SMALL);
  // A directory keeps the times of its listing.
  const wrong = lines.filter(
    ({ mark, details }) => mark !== '*' || details.some((detail) => !detail.startsWith('modified ')),
  );
  expect(wrong.map(({ mark, path, details }) => `${mark} ${path.toString()} ${details.join(', ')}`)).toEqual([]);
}

async function expectFailures(job: Job, watch: Watch, expected: Record<string, string>): Promise<void> {
  const summary = await job.session(watch);
  expect(summary.error).toBeUndefined();
  expect(reasons(job)).toEqual(expected);
  expect(summary.status).toBe('CompletedWithErrors');
}

/** Kills the session before a directory is opened. */
function killedAt(job: Job, name: string, watch: Watch): Watch {
  return {
    ...watch,
    directory(path) {
      if (path === name) job.world.kill();
      watch.directory?.(path);
    },
  };
}

describe('a file that is mounted', () => {
  const MOUNTED = placed({ 'd/conf': '/conf nfs4 server:/x' });
  const conf = someBytes(700, 1);

  it.each<[string, Partial<ConstructorParameters<typeof Job>[1]>, Buffer]>([
    ['of a chunk', {}, conf],
    ['that is large', {}, someBytes(LARGE_BYTES, 2)],
    ['with further names', { preserveHardLinks: true }, conf],
  ])('%s, away before it is listed: what is beneath is not loaded', async (_, options, content) => {
    const job = new Job(base, options);
    for (const name of ['d/a', 'd/z', 'two']) job.file(name);
    job.file('d/conf', content);
    if (options?.preserveHardLinks) job.link('d/conf', 'e/conf');
    await job.session(killedAt(job, 'd', MOUNTED)).catch(() => undefined);
    const away = unmount(job, 'd/conf');
    job.file('d/conf', '');
    for (let session = 0; session < 2; session++)
      await expectFailures(job, placed({}), { 'd/conf': 'directory-changed' });
    mount(job, away, 'd/conf');
    await expectWhole(job, await job.session(MOUNTED));
  });

  it.each([false, true])('listed, and away before it is loaded (hard links: %s)', async (preserveHardLinks) => {
    const job = new Job(base, { preserveHardLinks });
    for (const name of ['d/a', 'd/z', 'two']) job.file(name);
    job.file('d/conf', conf);
    if (preserveHardLinks) job.link('d/conf', 'd/same');
    let opened = 0;
    const killed: Watch = {
      ...MOUNTED,
      entry(path, what) {
        if (path.startsWith('d/') && what === 'open' && opened++ === 0) job.world.kill();
      },
    };
    await job.session(killed).catch(() => undefined);
    expect(opened).toBeGreaterThan(0);
    const away = unmount(job, 'd/conf');
    job.file('d/conf', '');
    await expectFailures(job, placed({}), { 'd/conf': 'directory-changed' });
    mount(job, away, 'd/conf');
    await expectWhole(job, await job.session(MOUNTED));
  });

  it('goes away while its directory is read: what is beneath does not count', async () => {
    const job = new Job(base);
    for (const name of ['d/a', 'd/z', 'two']) job.file(name);
    job.file('d/conf', conf);
    let away = '';
    const leaving: Watch = {
      place: () => at(away === '' ? { 'd/conf': '/conf nfs4 server:/x' } : {}),
      entry(path, what) {
        if (path !== 'd/conf' || what !== 'open' || away !== '') return;
        away = unmount(job, 'd/conf');
        job.file('d/conf', '');
      },
    };
    await expectFailures(job, leaving, { 'd/conf': 'directory-changed' });
    mount(job, away, 'd/conf');
    await expectWhole(job, await job.session(MOUNTED));
  });
});

describe('another file system where one is recorded', () => {
  const X = placed({ m: '/ nfs4 one:/x' });
  const Y = placed({ m: '/ nfs4 two:/y' });

  /** A job that was killed before what is mounted was listed, or found, and has another file system there now. */
  async function replaced(isFound: boolean): Promise<{ readonly job: Job; readonly x: string }> {
    const job = new Job(base);
    for (const name of ['m/one', 'm/two', 'three']) job.file(name);
    let opened = 0;
    const killed: Watch = {
      ...X,
      directory(path) {
        if (isFound ? path === 'm' : opened++ > 0) job.world.kill();
      },
    };
    await job.session(killed).catch(() => undefined);
    const x = unmount(job, 'm', 'x');
    for (const name of ['m/other', 'm/locked']) job.file(name);
    return { job, x };
  }

  it.each([true, false])('is told once, and loaded by the session after that (found: %s)', async (isFound) => {
    const { job } = await replaced(isFound);
    await expectFailures(job, Y, { m: 'other-file-system' });
    await expectWhole(job, await job.session(Y));
  });

  it('is told, and not loaded when the recorded one is back', async () => {
    const { job, x } = await replaced(false);
    await expectFailures(job, Y, { m: 'other-file-system' });
    mount(job, x, 'm');
    await expectWhole(job, await job.session(X));
  });

  it('what is loaded of it is proven by it from then on', async () => {
    const { job, x } = await replaced(false);
    await expectFailures(job, Y, { m: 'other-file-system' });
    await expectFailures(job, { ...Y, ...lock('m/locked') }, { 'm/locked': 'entry-unreadable' });
    const y = unmount(job, 'm', 'y');
    mount(job, x, 'm');
    await expectFailures(job, X, { 'm/locked': 'directory-changed' });
    mount(job, y, 'm');
    await expectWhole(job, await job.session(Y));
  });

  it('is not taken for told when nothing was mounted before', async () => {
    const { job, x } = await replaced(false);
    const y = unmount(job, 'm', 'y');
    mkdirSync(job.path('m'));
    await expectFailures(job, placed({}), { m: 'directory-changed' });
    mount(job, y, 'm');
    await expectFailures(job, Y, { m: 'other-file-system' });
    mount(job, x, 'm');
    await expectWhole(job, await job.session(X));
  });

  it('so is another file that is mounted', async () => {
    const job = new Job(base);
    for (const name of ['d/a', 'd/conf']) job.file(name);
    await job.session(killedAt(job, 'd', placed({ 'd/conf': '/one ext4 1' }))).catch(() => undefined);
    job.file('d/conf', 'another');
    const other = placed({ 'd/conf': '/two ext4 1' });
    await expectFailures(job, other, { 'd/conf': 'other-file-system' });
    await expectWhole(job, await job.session(other));
  });
});

describe('a file system that comes back by another name', () => {
  const one = placed({ m: '/ nfs4 nas1:/x' });
  const two = placed({ m: '/ nfs4 nas2:/x' });
  const files = (job: Job) => {
    for (const name of ['m/a/b/one', 'm/locked', 'two']) job.file(name);
  };

  it.each([true, false])('is the same: a failure in it is mended (birth known: %s)', async (isBorn) => {
    const job = new Job(base);
    files(job);
    const born: Watch = isBorn ? {} : { born: () => 0n };
    expect((await job.session({ ...one, ...born, ...lock('m/locked') })).status).toBe('CompletedWithErrors');
    await expectWhole(job, await job.session({ ...two, ...born }));
  });

  it('is the same: a job that was killed in it goes on', async () => {
    const job = new Job(base);
    files(job);
    await job.session(killedAt(job, 'm/a/b', one)).catch(() => undefined);
    await expectWhole(job, await job.session(two));
  });

  it('is not proven by a number alone', async () => {
    const job = new Job(base);
    files(job);
    const unborn: Watch = { born: () => 0n };
    expect((await job.session({ ...one, ...unborn, ...lock('m/locked') })).status).toBe('CompletedWithErrors');
    // Another directory of the same number, which was changed at another time.
    job.file('m/new');
    await expectFailures(job, { ...two, ...unborn }, { 'm/locked': 'directory-changed' });
    rmSync(job.path('m/new'));
    const back = await job.session({ ...one, ...unborn });
    expect(back.status).toBe('Completed');
  });

  it('is none of a file system that has an id', async () => {
    const job = new Job(base);
    files(job);
    expect((await job.session({ ...placed({ m: '/ ext4 1' }), ...lock('m/locked') })).status).toBe(
      'CompletedWithErrors',
    );
    await expectFailures(job, placed({ m: '/ ext4 2' }), { 'm/locked': 'directory-changed' });
    await expectWhole(job, await job.session(placed({ m: '/ ext4 1' })));
  });
});

describe('what is mounted', () => {
  it('in what is left out is not looked at', async () => {
    const selection = { excludePaths: ['m'], excludePatterns: [], oneFileSystem: false };
    const job = new Job(base, { selection });
    for (const name of ['m/one', 'locked']) job.file(name);
    expect((await job.session({ ...placed({ m: '/ nfs4 a:/x' }), ...lock('locked') })).status).toBe(
      'CompletedWithErrors',
    );
    const asked: string[] = [];
    const second = await job.session({ ...placed({}), directory: (path) => void asked.push(path) });
    expect(second.status).toBe('Completed');
    expect(asked).toContain('');
    expect(asked.filter((path) => path === 'm')).toEqual([]);
  });

  it('while a name cannot be looked at is recorded, however the session ends', async () => {
    const job = new Job(base);
    for (const name of ['d/m/one', 'd/two', 'e/three']) job.file(name);
    let isMounted = false;
    const dying: Watch = {
      place: () => at(isMounted ? { 'd/m': '/ nfs4 a:/x' } : {}),
      untyped: new Set(['d/m']),
      entry(path) {
        if (path !== 'd/m') return;
        isMounted = true;
        throw entryFailure('entry-unreadable', 'permission denied');
      },
    };
    // It is killed once that is recorded.
    let commits = -1;
    job.world.onCommit = () => {
      if (isMounted && ++commits >= 2) job.world.kill();
    };
    await job.session(dying).catch(() => undefined);
    job.world.onCommit = undefined;
    expect(commits).toBeGreaterThan(1);
    const away = unmount(job, 'd/m');
    await expectFailures(job, placed({}), { 'd/m': 'directory-changed' });
    mount(job, away, 'd/m');
    await expectWhole(job, await job.session(placed({ 'd/m': '/ nfs4 a:/x' })));
  });
});

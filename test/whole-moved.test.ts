import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isClfsError } from '../src/error.js';
import { decodeObject } from '../src/format/envelope.js';
import { GEOMETRY } from '../src/format/geometry.js';
import { ObjectType } from '../src/format/ids.js';
import { decodeInode } from '../src/format/inode.js';
import { decodeObjectName } from '../src/format/names.js';
import type { LoadSummary } from '../src/load/options.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { type SourcePlace, WHEN_WANTED } from '../src/source/source-place.js';
import { entryFailure } from '../src/source/source-tree.js';
import { differencesOf, expectFaithful, findingsOf, SMALL } from './support/check.js';
import { inodesOf } from './support/names.js';
import { removeTree, someBytes } from './support/tree.js';
import { Job, lock, makeBase, type Watch } from './support/whole-job.js';

const base = makeBase('moved');
afterAll(() => removeTree(base));

const LARGE_BYTES = SMALL.firstSegmentBytes + SMALL.fileSegmentBytes * 9;

/** Reasons that the latest session gave, by path below the root. */
function reasons(job: Job): Record<string, string> {
  const lines = readFileSync(join(job.statePath, 'failures.jsonl'), 'utf8').trim().split('\n');
  const failures = lines.map((line) => JSON.parse(line) as { readonly path: string; readonly reason: string });
  return Object.fromEntries(failures.map(({ path, reason }) => [path.slice(job.source.length + 1), reason]));
}

/** Moves something out of the source. */
function takeAway(job: Job, name: string): string {
  const away = `${job.source}-${name.replaceAll('/', '-')}-away`;
  renameSync(job.path(name), away);
  return away;
}

/** Moves what was taken away back to its place, whatever is there. */
function bringBack(job: Job, away: string, name: string): void {
  rmSync(job.path(name), { recursive: true });
  renameSync(away, job.path(name));
}

/** A job whose `d` holds every kind of object, a failed entry, and sub-directories that are written whole. */
async function failedInside(options: ConstructorParameters<typeof Job>[1] = {}): Promise<Job> {
  const job = new Job(base, options);
  job.file('beside', 'beside');
  job.file('d/locked', 'locked');
  job.file('d/small', 'small');
  job.file('d/two-blocks', someBytes(2000, 1));
  job.file('d/large', someBytes(LARGE_BYTES, 2));
  for (let i = 0; i < 40; i++) job.file(`d/sub/deep/file-${i}`);
  job.file('d/sub/large', someBytes(LARGE_BYTES, 3));
  mkdirSync(job.path('d/empty'));
  symlinkSync('elsewhere', job.path('d/sub/symlink'));
  const first = await job.session(lock('d/locked'));
  expect(first.status).toBe('CompletedWithErrors');
  expect(reasons(job)).toEqual({ 'd/locked': 'entry-unreadable' });
  return job;
}

/**
 * The container is sound and has what is there now; a directory that is written again keeps the attributes of its
 * listing.
 */
async function expectLoaded(job: Job, geometry = SMALL): Promise<void> {
  expect(await findingsOf(job.world.store, geometry)).toEqual([]);
  const lines = await differencesOf(job.source, job.world.store, geometry);
  const wrong = lines.filter(
    ({ mark, details }) => mark !== '*' || details.some((detail) => !detail.startsWith('modified ')),
  );
  expect(wrong.map(({ mark, path, details }) => `${mark} ${path.toString()} ${details.join(', ')}`)).toEqual([]);
}

/** The job has come to its end, and its figures are those of a job that loads what is there now. */
async function expectWhole(job: Job, summary: LoadSummary, geometry = SMALL): Promise<void> {
  expect(summary.error).toBeUndefined();
  expect(summary.status).toBe('Completed');
  await expectLoaded(job, geometry);
  const anew = new Job(base, { preserveHardLinks: true }, undefined, geometry);
  removeTree(anew.source);
  renameSync(job.source, anew.source);
  const { progress } = await anew.session();
  renameSync(anew.source, job.source);
  const { filesDone, bytesDone, filesFailed, filesPending } = progress;
  expect(summary.progress).toMatchObject({ filesDone, bytesDone, filesFailed, filesPending });
}

const REPLACEMENTS: Record<string, (job: Job) => void> = {
  'another directory': (job) => {
    for (let i = 0; i < 5; i++) job.file(`d/new-${i}`);
    job.file('d/sub/locked', 'another');
  },
  nothing: () => undefined,
  'a file': (job) => writeFileSync(job.path('d'), 'a file now'),
  'a symbolic link': (job) => symlinkSync('beside', job.path('d')),
};

describe('a directory with a failed entry that is not in its place any more', () => {
  it.each(Object.keys(REPLACEMENTS))(
    'moved away, with %s in its place: what is there is loaded, and the job completes',
    async (what) => {
      const job = await failedInside();
      takeAway(job, 'd');
      REPLACEMENTS[what](job);
      await expectWhole(job, await job.session());
    },
  );

  it('moved into a directory that was listed before: it is not loaded, and the end of the job says so', async () => {
    const told: string[] = [];
    const job = await failedInside({ onEvent: (event) => event.kind === 'message' && told.push(event.text) });
    renameSync(job.path('d'), job.path('moved'));
    const summary = await job.session();
    expect(summary.status).toBe('Completed');
    expect(told.join('\n')).toContain(
      'Of what had failed, 1 name is not found any more: the first is d, the log has all. What of that was moved into a directory that had been listed before is not loaded;',
    );
    expect(await findingsOf(job.world.store, SMALL)).toEqual([]);
  });

  it('removed while it is loaded: its entries fail, and are gone with the next session', async () => {
    const job = new Job(base);
    for (let i = 0; i < 30; i++) job.file(`d/file-${i}`);
    job.file('beside');
    let removed = 0;
    const watch: Watch = {
      entry(path, what) {
        if (path === 'd/file-3' && what === 'open' && removed++ === 0) rmSync(job.path('d'), { recursive: true });
      },
    };
    expect((await job.session(watch)).status).toBe('CompletedWithErrors');
    expect(removed).toBe(1);
    await expectWhole(job, await job.session());
  });

  const DAMAGES: Readonly<Record<string, (blob: Buffer) => Buffer | undefined>> = {
    cut: (blob) => blob.subarray(0, -1),
    longer: (blob) => Buffer.concat([blob, Buffer.from('x')]),
    missing: () => undefined,
  };
  it.each(Object.keys(DAMAGES))(
    'moved away, with segments that are %s in the container: they are off the books as they were put',
    async (what) => {
      const job = new Job(base);
      for (const name of ['d/locked', 'beside']) job.file(name);
      job.file('d/two-blocks', someBytes(2000, 1));
      job.file('d/large', someBytes(LARGE_BYTES, 2));
      expect((await job.session(lock('d/locked'))).status).toBe('CompletedWithErrors');
      const { blobs } = job.world.store;
      const segments = [...blobs].filter(([name]) => decodeObjectName(name)?.type === ObjectType.segment);
      expect(segments.length).toBeGreaterThan(2);
      for (const [name, blob] of segments) {
        const damaged = DAMAGES[what](Buffer.from(blob));
        if (damaged) blobs.set(name, damaged);
        else blobs.delete(name);
      }
      takeAway(job, 'd');
      await expectWhole(job, await job.session());
    },
  );

  it('a directory above it was moved: the topmost that is not in its place is given up', async () => {
    const job = new Job(base);
    job.file('p/q/d/locked');
    job.file('p/q/d/one');
    job.file('p/q/two');
    job.file('p/three');
    expect((await job.session(lock('p/q/d/locked'))).status).toBe('CompletedWithErrors');
    takeAway(job, 'p/q');
    job.file('p/q/four');
    await expectWhole(job, await job.session());
  });

  it('it comes back to its place: nothing is given up', async () => {
    const job = await failedInside();
    const before = await inodesOf(job.world.store, SMALL);
    const away = takeAway(job, 'd');
    renameSync(away, job.path('d'));
    await expectWhole(job, await job.session());
    const after = await inodesOf(job.world.store, SMALL);
    for (const [path, { id }] of before) expect(after.get(path)?.id).toBe(id);
  });

  it('one that is listed and cannot be found stays failed and loses nothing', async () => {
    const job = await failedInside();
    const before = await inodesOf(job.world.store, SMALL);
    const lost: Watch = {
      directory(path) {
        if (path === 'd' || path.startsWith('d/')) throw entryFailure('directory-changed', 'it cannot be found');
      },
      entry(path) {
        if (path === 'd') throw entryFailure('entry-vanished', 'it cannot be found');
      },
    };
    for (const watch of [lost, lost]) {
      expect((await job.session(watch)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ 'd/locked': 'directory-changed' });
      await expectFaithful(job.source, job.world.store, SMALL, ['d/locked']);
    }
    await expectWhole(job, await job.session());
    const after = await inodesOf(job.world.store, SMALL);
    for (const [path, { id }] of before) expect(after.get(path)?.id).toBe(id);
  });

  it('one that cannot be read stays failed and loses nothing', async () => {
    const job = await failedInside();
    const before = await inodesOf(job.world.store, SMALL);
    for (const watch of [lock('d'), lock('d')]) {
      expect((await job.session(watch)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ 'd/locked': 'directory-unreadable' });
      await expectFaithful(job.source, job.world.store, SMALL, ['d/locked']);
    }
    await expectWhole(job, await job.session());
    const after = await inodesOf(job.world.store, SMALL);
    for (const [path, { id }] of before) expect(after.get(path)?.id).toBe(id);
  });

  it('where more rows are given up than one transaction takes', async () => {
    const job = new Job(base, {}, undefined, GEOMETRY);
    job.file('d/locked');
    for (let i = 0; i < 1100; i++) mkdirSync(join(job.path('d'), `directory-${i}`), { recursive: true });
    for (let i = 0; i < 8500; i++) job.file(`d/many/file-${i}`, 'x');
    const first = await job.session(lock('d/locked'));
    expect(first.error).toBeUndefined();
    expect(first.status).toBe('CompletedWithErrors');
    takeAway(job, 'd');
    job.file('d/new');
    let commits = 0;
    job.world.onCommit = () => void commits++;
    const second = await job.session();
    job.world.onCommit = undefined;
    expect(commits).toBeGreaterThan(12);
    await expectWhole(job, second, GEOMETRY);
  });

  it('the root cannot be given up: the job says so, and goes on when it is back', async () => {
    const job = new Job(base);
    job.file('locked');
    job.file('other');
    expect((await job.session(lock('locked'))).status).toBe('CompletedWithErrors');
    const away = `${job.source}-away`;
    renameSync(job.source, away);
    mkdirSync(job.source);
    job.file('new');
    const second = await job.session();
    expect(second.status).toBe('Failed');
    expect(isClfsError(second.error, 'source')).toBe(true);
    expect(String(second.error)).toContain('another directory than the one that this job loaded');
    removeTree(job.source);
    renameSync(away, job.source);
    await expectWhole(job, await job.session());
  });

  it('a file system that is not mounted is not given up', async () => {
    const job = await failedInside();
    // What was loaded of d was another file system; it is looked at while that is not mounted.
    const mounted: Watch = { device: (path) => (path === 'd' || path.startsWith('d/') ? '9:9' : undefined) };
    const fresh = new Job(base);
    removeTree(fresh.source);
    renameSync(job.source, fresh.source);
    expect((await fresh.session({ ...lock('d/locked'), ...mounted })).status).toBe('CompletedWithErrors');
    const away = takeAway(fresh, 'd');
    mkdirSync(fresh.path('d'));
    expect((await fresh.session()).status).toBe('CompletedWithErrors');
    expect(reasons(fresh)).toEqual({ 'd/locked': 'directory-changed' });
    rmSync(fresh.path('d'), { recursive: true });
    renameSync(away, fresh.path('d'));
    await expectWhole(fresh, await fresh.session(mounted));
  });
});

describe('what cannot be told from another place is not given up', () => {
  const AWAY = [
    ['nothing', () => undefined, undefined],
    ['a file', (job: Job) => job.file('d'), undefined],
    ['a directory of the file system above', (job: Job) => mkdirSync(job.path('d')), undefined],
    ['one of a third file system', (job: Job) => mkdirSync(job.path('d')), '7:7'],
  ] as const;
  it.each(AWAY)('where another file system was mounted there is %s', async (_, put, device) => {
    const at = (text: string | undefined) => (path: string) =>
      path === 'd' || path.startsWith('d/') ? text : undefined;
    const job = new Job(base);
    for (const name of ['d/one', 'd/locked', 'beside']) job.file(name);
    expect((await job.session({ ...lock('d/locked'), device: at('9:9') })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'd');
    put(job);
    const blobs = job.world.store.blobs.size;
    expect((await job.session({ device: at(device) })).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ 'd/locked': 'directory-changed' });
    expect(job.world.store.blobs.size).toBeGreaterThanOrEqual(blobs);
    rmSync(job.path('d'), { recursive: true, force: true });
    renameSync(away, job.path('d'));
    await expectWhole(job, await job.session({ device: at('9:9') }));
  });

  const HERE: SourcePlace = { root: { inode: '2', source: 'disk A' }, mounts: { '64': '/ ext4 /dev/sdb1' } };
  const PLACES: readonly [string, SourcePlace | undefined][] = [
    ['it cannot be told where the source is', undefined],
    ['a file system on the way is not mounted', { ...HERE, mounts: {} }],
    ['another one is mounted on the way', { ...HERE, mounts: { '64': '/ ext4 /dev/sdc1' } }],
  ];
  it.each(PLACES)('while %s', async (_, place) => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/locked', 'beside']) job.file(name);
    expect((await job.session({ ...lock('d/locked'), place: () => HERE })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'd');
    mkdirSync(job.path('d'));
    expect((await job.session({ place: () => place })).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ 'd/locked': 'directory-changed' });
    bringBack(job, away, 'd');
    await expectWhole(job, await job.session({ place: () => HERE }));
  });
});

describe('a directory that was made anew and has the inode number of the old one', () => {
  const born = (ns: bigint): Watch => ({ born: (path) => (path === 'd' ? ns : undefined) });

  it('is another one', async () => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/locked', 'd/sub/two', 'beside']) job.file(name);
    expect((await job.session({ ...lock('d/locked'), ...born(1n) })).status).toBe('CompletedWithErrors');
    for (const name of ['one', 'locked', 'sub']) rmSync(job.path(`d/${name}`), { recursive: true });
    for (const name of ['d/new', 'd/sub/newer']) job.file(name);
    await expectWhole(job, await job.session(born(2n)));
  });

  it('is met in another place, and loaded there at once', async () => {
    const job = new Job(base);
    for (const name of ['a/one', 'b/two', 'c']) job.file(name);
    // Both have one number: b was made when a, which is gone, had been loaded.
    const same: Watch = { same: { b: 'a' }, born: (path) => (path === 'a' ? 1n : path === 'b' ? 2n : undefined) };
    const summary = await job.session(same);
    expect(summary.status).toBe('Completed');
    expect([...(await inodesOf(job.world.store, SMALL)).keys()]).toEqual(
      expect.arrayContaining(['a/one', 'b/one', 'c']),
    );
  });
});

describe('while the place of an entry is not proven', () => {
  const HERE: SourcePlace = {
    root: { inode: '2', source: 'disk A' },
    mounts: { [Buffer.from('m').toString('hex')]: '/ nfs4 server:/export' },
  };
  const unmounted = { place: () => ({ ...HERE, mounts: {} }) };
  const mounted = { place: () => HERE };

  it('nothing of another tree is loaded: the job is refused, and goes on when the source is back', async () => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/two', 'three']) job.file(name);
    let puts = 0;
    // The bucket object is put, and nothing else.
    job.world.onPut = () => (++puts > 1 ? 'killed before' : undefined);
    await job.session(mounted).catch(() => undefined);
    job.world.onPut = undefined;
    for (const other of [
      { root: { inode: '3', source: 'disk A' }, mounts: {} },
      { root: { inode: '3', source: 'disk A' }, mounts: HERE.mounts },
    ]) {
      const refused = await job.session({ place: () => other });
      expect(refused.status).toBe('Failed');
      expect(refused.error).toMatchObject({ code: 'source' });
    }
    await expectWhole(job, await job.session(mounted));
  });

  it('what is missing stays failed', async () => {
    const job = new Job(base);
    for (const name of ['m/locked', 'm/one', 'locked']) job.file(name);
    expect((await job.session({ ...lock('m/locked', 'locked'), ...mounted })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'm/locked');
    rmSync(job.path('locked'));
    // What is above is proven: there it is gone.
    expect((await job.session(unmounted)).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ 'm/locked': 'directory-changed' });
    renameSync(away, job.path('m/locked'));
    await expectWhole(job, await job.session(mounted));
  });

  it('each name of a linked file counts that is not looked at', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('a', 'linked');
    for (const name of ['b', 'm/c']) job.link('a', name);
    expect((await job.session({ ...lock('a', 'b', 'm/c'), ...mounted })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'm/c');
    const second = await job.session(unmounted);
    expect(second.status).toBe('CompletedWithErrors');
    expect(second.progress.filesFailed).toBe(1);
    expect(reasons(job)).toEqual({ 'm/c': 'directory-changed' });
    renameSync(away, job.path('m/c'));
    await expectWhole(job, await job.session(mounted));
  });

  it('what is mounted over a directory that was loaded is no part of the source, however often it is met', async () => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/locked', 'two']) job.file(name);
    const alone = { place: () => ({ ...HERE, mounts: {} }) };
    const over: Watch = {
      place: () => ({ ...HERE, mounts: { [Buffer.from('d').toString('hex')]: '/ xfs 1 2' } }),
      device: (path) => (path === 'd' || path.startsWith('d/') ? '9:9' : undefined),
      born: (path) => (path === 'd' ? 77n : undefined),
    };
    expect((await job.session({ ...lock('d/locked'), ...alone })).status).toBe('CompletedWithErrors');
    const blobs = job.world.store.blobs.size;
    for (let session = 0; session < 3; session++) {
      expect((await job.session(over)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ 'd/locked': 'directory-changed' });
      expect(job.world.store.blobs.size).toBeGreaterThanOrEqual(blobs);
    }
    await expectWhole(job, await job.session(alone));
  });

  it('an empty directory is not loaded where a file system was', async () => {
    const job = new Job(base);
    for (const name of ['m/one', 'two']) job.file(name);
    expect((await job.session({ ...lock('m'), ...mounted })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'm');
    mkdirSync(job.path('m'));
    expect((await job.session(unmounted)).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ m: 'directory-changed' });
    bringBack(job, away, 'm');
    await expectWhole(job, await job.session(mounted));
  });

  const AT_M = Buffer.from('m').toString('hex');
  const wanted: SourcePlace = { ...HERE, mounts: { [AT_M]: WHEN_WANTED } };
  const other: SourcePlace = { ...HERE, mounts: { [AT_M]: '/ nfs4 server:/other' } };
  it.each<[string, SourcePlace, SourcePlace]>([
    ['was to be mounted when it is wanted', wanted, wanted],
    ['was mounted by its server, and could not be read', unmounted.place(), HERE],
  ])('nor where one %s, and nothing is mounted any more', async (_, before, after) => {
    const job = new Job(base);
    for (const name of ['m/one', 'two']) job.file(name);
    let place = before;
    const mounting: Watch = {
      place: () => place,
      directory(path) {
        if (path !== 'm') return;
        place = after;
        throw entryFailure('directory-unreadable', 'permission denied');
      },
    };
    expect((await job.session(mounting)).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'm');
    mkdirSync(job.path('m'));
    for (let session = 0; session < 2; session++) {
      expect((await job.session(unmounted)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ m: 'directory-changed' });
    }
    bringBack(job, away, 'm');
    await expectWhole(job, await job.session(mounted));
  });

  it('what has been mounted at a name that had failed is loaded', async () => {
    const job = new Job(base);
    for (const name of ['m/one', 'two']) job.file(name);
    expect((await job.session({ ...lock('m'), ...unmounted })).status).toBe('CompletedWithErrors');
    await expectWhole(job, await job.session(mounted));
  });

  it.each<[string, SourcePlace]>([
    ['when it is wanted', wanted],
    ['by its server', { ...HERE, mounts: {} }],
  ])('so is what is mounted %s, by the look itself', async (_, before) => {
    const job = new Job(base);
    for (const name of ['m/one', 'two']) job.file(name);
    expect((await job.session({ ...lock('m'), place: () => before })).status).toBe('CompletedWithErrors');
    let isMounted = false;
    const mounting: Watch = {
      place: () => (isMounted ? HERE : before),
      entry(path) {
        if (path === 'm') isMounted = true;
      },
    };
    await expectWhole(job, await job.session(mounting));
    expect(isMounted).toBe(true);
  });

  it('what is loaded of a file system that is mounted when it is wanted is no other one', async () => {
    const job = new Job(base);
    for (const name of ['m/one', 'm/locked', 'two']) job.file(name);
    let isMounted = false;
    const mounting: Watch = {
      place: () => (isMounted ? HERE : wanted),
      directory(path) {
        if (path === 'm') isMounted = true;
      },
    };
    expect((await job.session({ ...lock('m/locked'), ...mounting })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'm/locked');
    const born = (path: string) => (path === 'm' ? 77n : undefined);
    expect((await job.session({ place: () => other, born })).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ 'm/locked': 'directory-changed' });
    renameSync(away, job.path('m/locked'));
    await expectWhole(job, await job.session(mounted));
  });

  /** What is in m is on a file system of its own, which is mounted when it is opened. */
  const mountedByOpening = (hooks: Watch = {}): Watch => {
    let isMounted = false;
    return {
      place: () => (isMounted ? HERE : unmounted.place()),
      device: (path) => (path === 'm' || path.startsWith('m/') ? '9:9' : undefined),
      directory(path) {
        if (path === 'm') isMounted = true;
        hooks.directory?.(path);
      },
      entry(path, what) {
        if (path === 'm') isMounted = true;
        hooks.entry?.(path, what);
      },
    };
  };
  const killedAt = (job: Job, place: string): Watch => ({
    directory(path) {
      if (path === place) job.world.kill();
    },
  });

  it('what is mounted when it is wanted, and not any more when a session begins, is mounted then', async () => {
    const job = new Job(base);
    for (const name of ['m/a/b/one', 'm/a/locked', 'm/two', 'three']) job.file(name);
    await job.session(mountedByOpening(killedAt(job, 'm/a/b'))).catch(() => undefined);
    expect((await job.session(mountedByOpening(lock('m/a/locked')))).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ 'm/a/locked': 'entry-unreadable' });
    await expectWhole(job, await job.session(mountedByOpening()));
  });

  it('what was mounted while a session ran that was killed is part of the source', async () => {
    const job = new Job(base);
    for (const name of ['m/a/b/one', 'm/two', 'three']) job.file(name);
    await job.session(mountedByOpening(killedAt(job, 'm'))).catch(() => undefined);
    const away = takeAway(job, 'm');
    mkdirSync(job.path('m'));
    for (let session = 0; session < 2; session++) {
      expect((await job.session(unmounted)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ m: 'directory-changed' });
    }
    bringBack(job, away, 'm');
    await expectWhole(job, await job.session({ ...mountedByOpening(), ...mounted }));
  });

  it('nor is one where a file system was when the job began, and nothing had been listed yet', async () => {
    const job = new Job(base);
    for (const name of ['m/one', 'two']) job.file(name);
    let opened = 0;
    const killed: Watch = {
      directory() {
        if (opened++ > 0) job.world.kill();
      },
    };
    await job.session({ ...killed, ...mounted }).catch(() => undefined);
    expect(opened).toBeGreaterThan(1);
    const away = takeAway(job, 'm');
    mkdirSync(job.path('m'));
    for (let session = 0; session < 2; session++) {
      expect((await job.session(unmounted)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ m: 'directory-changed' });
    }
    // It is mounted only while the name is recorded.
    let isMounted = true;
    const flapping: Watch = {
      place: () => (isMounted ? mounted : unmounted).place(),
      directory(path) {
        if (path === 'm') isMounted = false;
      },
    };
    expect((await job.session(flapping)).status).toBe('CompletedWithErrors');
    expect(isMounted).toBe(false);
    expect(reasons(job)).toEqual({ m: 'directory-changed' });
    bringBack(job, away, 'm');
    await expectWhole(job, await job.session(mounted));
  });

  it('what was looked at while a file system went away does not count', async () => {
    const job = new Job(base);
    for (const name of ['m/locked', 'm/one']) job.file(name);
    expect((await job.session({ ...lock('m/locked'), ...mounted })).status).toBe('CompletedWithErrors');
    const away = takeAway(job, 'm/locked');
    let looks = 0;
    const leaving: Watch = {
      place: () => (looks > 0 ? { ...HERE, mounts: {} } : HERE),
      entry(path) {
        if (path === 'm/locked') looks++;
      },
    };
    expect((await job.session(leaving)).status).toBe('CompletedWithErrors');
    expect(looks).toBe(1);
    expect(reasons(job)).toEqual({ 'm/locked': 'directory-changed' });
    renameSync(away, job.path('m/locked'));
    await expectWhole(job, await job.session(mounted));
  });
});

describe('a directory that was loaded by the path that it had before', () => {
  it('renamed, and met again: refused once, and loaded by the next session', async () => {
    const job = new Job(base);
    job.file('a/d/one');
    job.file('a/d/sub/two', someBytes(LARGE_BYTES, 4));
    job.file('a/three');
    job.file('b/four');
    expect((await job.session(lock('b'))).status).toBe('CompletedWithErrors');
    renameSync(job.path('a/d'), job.path('b/d'));
    expect((await job.session()).status).toBe('CompletedWithErrors');
    expect(reasons(job)).toEqual({ 'b/d': 'directory-reached-twice' });
    await expectWhole(job, await job.session());
  });

  it('while it has both paths it is loaded once', async () => {
    const job = new Job(base);
    job.file('a/one');
    job.file('b/two');
    expect((await job.session(lock('b'))).status).toBe('CompletedWithErrors');
    const before = await inodesOf(job.world.store, SMALL);
    // As a bind mount of a: b/a leads to the same directory.
    mkdirSync(job.path('b/a'));
    const bound: Watch = { same: { 'b/a': 'a' } };
    for (let session = 0; session < 3; session++) {
      expect((await job.session(bound)).status).toBe('CompletedWithErrors');
      expect(reasons(job)).toEqual({ 'b/a': 'directory-reached-twice' });
    }
    const after = await inodesOf(job.world.store, SMALL);
    for (const path of ['a', 'a/one']) expect(after.get(path)?.id).toBe(before.get(path)?.id);
  });
});

describe('linked files with names in a directory that is given up', () => {
  const CONTENTS = [
    ['small', Buffer.from('linked content')],
    ['of two blocks', someBytes(2000, 5)],
    ['large', someBytes(LARGE_BYTES, 6)],
  ] as const;

  async function linkedJob(content: Buffer): Promise<Job> {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('d/linked', content);
    job.link('d/linked', 'e/linked');
    job.link('d/linked', 'e/again');
    job.link('d/linked', 'd/sub/linked');
    job.file('d/locked');
    job.file('e/other');
    expect((await job.session(lock('d/locked'))).status).toBe('CompletedWithErrors');
    return job;
  }

  it.each(CONTENTS)('%s: the inode loses the back pointers, and nothing of it is read again', async (_, content) => {
    const job = await linkedJob(content);
    const before = await inodesOf(job.world.store, SMALL);
    rmSync(job.path('d'), { recursive: true });
    const second = await job.session(lock('e/linked', 'e/again'));
    expect(second.status).toBe('Completed');
    expect(second.progress.filesDone).toBe(4);
    const after = await inodesOf(job.world.store, SMALL);
    expect(after.get('e/linked')).toMatchObject({ id: before.get('e/linked')?.id, linkCount: 2 });
    expect(after.get('e/again')).toEqual(after.get('e/linked'));
    await expectLoaded(job);
  });

  it.each(CONTENTS)('%s: no name is left, and by a name that is found then it is loaded anew', async (_, content) => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('d/linked', content);
    job.link('d/linked', 'd/sub/linked');
    job.file('d/locked');
    job.file('other');
    expect((await job.session(lock('d/locked'))).status).toBe('CompletedWithErrors');
    const before = await inodesOf(job.world.store, SMALL);
    const away = takeAway(job, 'd');
    mkdirSync(job.path('d'));
    linkSync(join(away, 'linked'), job.path('d/again'));
    linkSync(join(away, 'linked'), job.path('d/linked'));
    removeTree(away);
    await expectWhole(job, await job.session());
    const after = await inodesOf(job.world.store, SMALL);
    expect(after.get('d/linked')).toEqual(after.get('d/again'));
    expect(after.get('d/linked')?.id).not.toBe(before.get('d/linked')?.id);
  });

  it('with a name that is found in the same session: it is one inode, with the names that are left', async () => {
    const job = await linkedJob(Buffer.from('content'));
    takeAway(job, 'd');
    job.link('e/linked', 'd/linked');
    job.file('d/new');
    await expectWhole(job, await job.session());
    const after = await inodesOf(job.world.store, SMALL);
    expect(after.get('d/linked')?.linkCount).toBe(3);
    expect(after.get('d/linked')).toEqual(after.get('e/again'));
  });

  it('an inode names the directories that list it, the first of them also in the name of its blob', async () => {
    const job = await linkedJob(Buffer.from('content'));
    rmSync(job.path('d'), { recursive: true });
    expect((await job.session()).status).toBe('Completed');
    const [name] = [...job.world.store.blobs.keys()].filter(
      (key) => decodeObjectName(key)?.type === ObjectType.regular && decodeObjectName(key)?.version !== 9,
    );
    const inode = decodeInode(decodeObject(job.world.store.blobs.get(name) as Buffer, 1e6, openLz4()).body);
    expect(inode.backPointers).toHaveLength(2);
    expect(new Set(inode.backPointers?.map((id) => Buffer.from(id).toString('hex'))).size).toBe(1);
  });
});

describe('what else tells of it', () => {
  it('the manifest has the lines of what is there, with the number of their names', async () => {
    const manifest = join(dirname(new Job(base).source), 'manifest');
    const job = new Job(base, { preserveHardLinks: true, manifest });
    job.file('d/linked', 'linked');
    job.link('d/linked', 'e/linked');
    job.file('d/locked');
    job.file('d/sub/file');
    job.file('dd/beside');
    expect((await job.session(lock('d/locked'))).status).toBe('CompletedWithErrors');
    rmSync(job.path('d'), { recursive: true });
    expect((await job.session()).status).toBe('Completed');
    const lines = readFileSync(manifest, 'utf8').trim().split('\n');
    const entries = lines.map(
      (line) => JSON.parse(line) as { readonly path: string; readonly nlink: number; readonly link_group?: string },
    );
    expect(entries.map(({ path }) => path).sort()).toEqual(['.', 'dd', 'dd/beside', 'e', 'e/linked']);
    expect(entries.find(({ path }) => path === 'e/linked')).toMatchObject({ nlink: 1 });
    expect(entries.find(({ path }) => path === 'e/linked')).not.toHaveProperty('link_group');
  });
});

describe('a session that ends while a directory is given up', () => {
  /** A job that is to give `d` up, with all that can be in it, and to write two linked inodes again. */
  async function toGiveUp(): Promise<Job> {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('d/locked');
    job.file('d/large', someBytes(LARGE_BYTES, 7));
    for (let i = 0; i < 12; i++) job.file(`d/sub/deep/file-${i}`);
    job.file('d/sub/linked', 'linked');
    job.link('d/sub/linked', 'e/linked');
    job.file('d/other', someBytes(2000, 8));
    job.link('d/other', 'other');
    job.file('d/only', 'only');
    job.link('d/only', 'd/sub/only');
    job.file('plain');
    expect((await job.session(lock('d/locked'))).status).toBe('CompletedWithErrors');
    takeAway(job, 'd');
    job.file('d/new');
    return job;
  }

  async function expectEnd(job: Job): Promise<void> {
    const { status, progress } = await job.session();
    expect(status).toBe('Completed');
    const bytes = ['d/new', 'e/linked', 'other', 'plain'].reduce((sum, name) => sum + statSync(job.path(name)).size, 0);
    expect(progress).toMatchObject({ filesDone: 7, bytesDone: bytes, filesPending: 0 });
    await expectLoaded(job);
  }

  it('at each commit: the next session goes on', async () => {
    let commit = 1;
    for (let reached = true; reached; commit++) {
      const job = await toGiveUp();
      let commits = 0;
      job.world.onCommit = () => {
        if (++commits !== commit) return;
        job.world.kill();
        throw new Error('killed');
      };
      await job.session().catch(() => undefined);
      reached = commits >= commit;
      job.world.onCommit = undefined;
      if (reached) await expectEnd(job);
    }
    expect(commit).toBeGreaterThan(15);
  });

  it.each(['error', 'answer lost', 'killed before', 'killed after', 'killed, stored late'] as const)(
    'at each put (%s): the next session goes on',
    async (trouble) => {
      let put = 1;
      for (let reached = true; reached; put++) {
        const job = await toGiveUp();
        let puts = 0;
        job.world.onPut = () => (++puts === put ? trouble : undefined);
        await job.session().catch(() => undefined);
        reached = puts >= put;
        job.world.onPut = undefined;
        if (reached) await expectEnd(job);
      }
      // The two linked inodes, what is in d, d, the root, the log and the bucket object.
      expect(put).toBeGreaterThan(6);
    },
  );
});

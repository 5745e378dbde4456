import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ClfsError } from '../src/error.js';
import { ObjectType } from '../src/format/ids.js';
import { load } from '../src/load/load.js';
import { beginJob } from '../src/load/open-job.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { expectFaithful, SMALL } from './support/check.js';
import { inodesOf } from './support/names.js';
import { removeTree } from './support/tree.js';
import { Job, lock, makeBase } from './support/whole-job.js';

const base = makeBase('hostile');
afterAll(() => removeTree(base));

describe('a repair that leaves the root as it is', () => {
  async function halfDone() {
    const job = new Job(base, { compression: 'DISABLED' });
    job.file('a/good', 'the good content');
    job.file('b/bad');
    expect((await job.session(lock('b/bad'))).status).toBe('CompletedWithErrors');
    return job;
  }
  it('is checked too: a blob that was deleted behind its back is found', async () => {
    const job = await halfDone();
    const [name] = [...job.world.store.blobs].find(([, body]) => body.includes('the good content')) ?? [''];
    const blob = job.world.store.blobs.get(name) as Buffer;
    await job.world.store.delete(name);
    const second = await job.session();
    expect(second.status).toBe('Failed');
    expect(second.error).toMatchObject({ code: 'container-differs' });
    await job.world.store.put(name, blob);
    const third = await job.session();
    expect(third.status).toBe('Completed');
    expect(third.listing).toBe('checked');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
  it('says so when it was not checked', async () => {
    const job = await halfDone();
    const second = await job.session({}, { checkListing: false });
    expect(second.status).toBe('Completed');
    expect(second.listing).toBe('not checked: it was turned off');
  });
  it('counts each entry once', async () => {
    const job = await halfDone();
    const second = await job.session();
    expect(second.progress).toMatchObject({ filesDone: 5, filesFailed: 0, filesPending: 0, filesTotal: 5 });
  });
});

describe('a job that never began', () => {
  it('keeps its state when that cannot record that the bucket object is there', async () => {
    const job = new Job(base);
    job.file('d/file');
    job.world.onCommit = () => {
      throw new ClfsError('state', 'the disk is full');
    };
    await expect(job.session()).rejects.toMatchObject({ code: 'state' });
    expect(job.world.store.blobs.size).toBe(1);
    job.world.onCommit = undefined;
    expect((await job.session({}, { newSession: true })).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a second start that cannot open the container keeps the state of the first', async () => {
    const job = new Job(base);
    job.file('d/file');
    let puts = 0;
    job.world.onPut = () => (puts++ === 0 ? 'answer lost' : undefined);
    await expect(job.session({}, { newSession: true })).rejects.toMatchObject({ code: 'service-unavailable' });
    job.world.onPut = undefined;
    const second = {
      statePath: job.statePath,
      wish: { source: Buffer.from(job.source), container: '/c' },
      settings: {},
      lz4: openLz4(),
      hooks: {},
      check: async () => undefined,
      open: () => Promise.reject(new ClfsError('container', 'no such place')),
    };
    await expect(beginJob(second)).rejects.toMatchObject({ code: 'container' });
    expect(existsSync(join(job.statePath, 'job.db'))).toBe(true);
    expect((await job.session({}, { newSession: true })).status).toBe('Completed');
  });
});

describe('reports of a session that was stopped in a repair', () => {
  it('still name what failed', async () => {
    const job = new Job(base);
    for (const n of ['x', 'y', 'z']) job.file(`d/${n}`);
    job.file('e/ok');
    expect((await job.session(lock('d/x', 'd/y'))).status).toBe('CompletedWithErrors');
    const stop = new AbortController();
    stop.abort();
    const second = await job.session({}, { signal: stop.signal });
    expect(second.status).toBe('Cancelled');
    expect(second.progress.filesFailed).toBe(2);
    expect(second.problemsFile && existsSync(second.problemsFile)).toBe(true);
  });
  it('do not count what was repaired before the stop as failed', async () => {
    const job = new Job(base);
    for (const n of ['x', 'y', 'z']) job.file(`d/${n}`);
    expect((await job.session(lock('d/x', 'd/y'))).status).toBe('CompletedWithErrors');
    const second = await job.session(lock('d/y'), { maxErrors: 0 });
    expect(second.status).toBe('Failed');
    const { filesDone, filesFailed, filesTotal, filesPending } = second.progress;
    expect({ filesDone, filesFailed, filesTotal, filesPending }).toEqual({
      filesDone: 4,
      filesFailed: 1,
      filesTotal: 5,
      filesPending: 0,
    });
    expect(readFileSync(join(job.statePath, 'problems.txt'), 'utf8')).toBe(`${job.path('d/y')}\n`);
  });
});

describe('the manifest of a job', () => {
  it.each(Array.from({ length: 10 }, (_, i) => i + 2))(
    'has no line of a transaction that was undone: number %i',
    async (at) => {
      const target = join(base, `manifest-${at}.jsonl`);
      const job = new Job(base, { manifest: target });
      for (const directory of ['a', 'b']) for (const name of ['one', 'two']) job.file(`${directory}/${name}`);
      let transactions = 0;
      const { now } = job.world.hooks;
      // Asked for at the end of a transaction, before it is committed.
      const failing = () => {
        if (++transactions === at) throw new ClfsError('state', 'the disk is full');
        return now?.() ?? 0;
      };
      Object.assign(job.world.hooks, { now: failing });
      const first = await job.session();
      if (first.status !== 'Completed') expect((await job.session()).status).toBe('Completed');
      const paths = readFileSync(target, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { path_hex: string }).path_hex);
      expect([...paths].sort()).toEqual([...new Set(paths)].sort());
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );
});

describe('the inode number of a linked file that is gone', () => {
  it('used again for a file of another type: that one is loaded', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('d1/f');
    job.link('d1/f', 'd1/g');
    mkdirSync(job.path('d2'));
    expect((await job.session(lock('d2'))).status).toBe('CompletedWithErrors');
    const inode = statSync(job.path('d1/f'), { bigint: true }).ino;
    for (const name of ['d1/f', 'd1/g']) rmSync(job.path(name));
    symlinkSync('target', job.path('d2/s'));
    linkSync(job.path('d2/s'), job.path('d2/t'));
    job.world.revive();
    const { container, clock, hooks } = job.world;
    const summary = await load({
      source: job.source,
      destination: '/unused',
      statePath: job.statePath,
      newSession: false,
      preserveHardLinks: true,
      internals: {
        container,
        clock,
        hooks,
        geometry: SMALL,
        wrapSource: (tree) => ({
          ...tree,
          place: () => ({ root: { source: 'of a test' }, mounts: {} }),
          openDirectory(path, expected) {
            const directory = tree.openDirectory(path, expected);
            const look = directory.attributesOf.bind(directory);
            directory.attributesOf = (name) => {
              const attributes = look(name);
              return attributes.type === ObjectType.symlink ? { ...attributes, inode } : attributes;
            };
            return directory;
          },
        }),
      },
    });
    expect(summary.error).toBeUndefined();
    expect(summary.status).toBe('Completed');
    const inodes = await inodesOf(job.world.store, SMALL);
    expect(inodes.get('d2/s')?.linkCount).toBe(2);
    expect(inodes.get('d2/t')).toEqual(inodes.get('d2/s'));
  });
});

describe('a session that was stopped', () => {
  it('leaves no timer that keeps the process alive', async () => {
    const job = new Job(base);
    job.file('d/bad');
    const open = new Set<object>();
    const { after } = job.world.clock;
    const watched: typeof after = (delayMs, call) => {
      const timer = after(delayMs, () => {
        open.delete(entry);
        call();
      });
      const entry = {
        cancel() {
          open.delete(entry);
          timer.cancel();
        },
      };
      open.add(entry);
      return entry;
    };
    Object.assign(job.world.clock, { after: watched });
    expect((await job.session(lock('d/bad'), { maxErrors: 0 })).status).toBe('Failed');
    expect(open.size).toBe(0);
  });
});

describe('a container in which a part costs as much to list as the whole', () => {
  it('is not listed for each left-over', async () => {
    const job = new Job(base);
    for (let i = 0; i < 100; i++) job.file(`d/file-${i}`);
    let puts = 0;
    job.world.onPut = () => (++puts === 50 ? 'killed after' : undefined);
    expect((await job.session()).status).toBe('Failed');
    job.world.onPut = undefined;
    let listings = 0;
    const { list } = job.world.container;
    const counted: typeof list = (prefix) => {
      listings++;
      return list(prefix);
    };
    Object.assign(job.world.container, { listsByPrefix: false, list: counted });
    expect((await job.session()).status).toBe('Completed');
    // Once for the left-overs, once for the check at the end.
    expect(listings).toBe(2);
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('a job that is finished already', () => {
  it('leaves nothing open', async () => {
    const job = new Job(base);
    job.file('d/file');
    const destination = `${job.statePath}-container`;
    const session = (newSession: boolean) =>
      load({ source: job.source, destination, statePath: job.statePath, newSession, threads: 1 });
    const linkOf = (fd: string) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    };
    // SQLite lets go of its files when its statements are collected.
    const open = () =>
      readdirSync('/proc/self/fd')
        .map(linkOf)
        .filter((path) => path.startsWith(base) && !path.startsWith(`${job.statePath}/`));
    expect((await session(true)).status).toBe('Completed');
    const before = open();
    for (let i = 0; i < 3; i++) expect((await session(false)).status).toBe('Completed');
    expect(open()).toEqual(before);
  });
});

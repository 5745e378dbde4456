import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CURRENT_DIRECTORY, makeNode } from '../src/posix/libc.js';
import { entryFailure } from '../src/source/source-tree.js';
import { expectFaithful, SMALL } from './support/check.js';
import { KillableWorld } from './support/killable-world.js';
import { inodesOf } from './support/names.js';
import { removeTree, someBytes } from './support/tree.js';
import { Job, lock, makeBase, type Watch } from './support/whole-job.js';

const base = makeBase('changes');
afterAll(() => removeTree(base));

const { firstSegmentBytes, fileSegmentBytes } = SMALL;
const LARGE_BYTES = firstSegmentBytes + fileSegmentBytes * 6;
/** A file of this size has the inode and one segment, and needs no record of its own. */
const TWO_BLOCKS_BYTES = firstSegmentBytes + fileSegmentBytes - 100;

/** Calls each change once: at the opening of the path by which its content is read for the n-th time. */
function changesAtOpening(
  paths: readonly string[],
  changes: ReadonlyMap<number, () => void>,
): Watch & { readonly done: () => number } {
  let openings = 0;
  let done = 0;
  return {
    entry(path, what) {
      if (what !== 'open' || !paths.includes(path)) return;
      const change = changes.get(++openings);
      if (!change) return;
      done++;
      change();
    },
    done: () => done,
  };
}

describe('files that change while they are read (issue 12, number 1)', () => {
  it('a large file with two names that is appended to once keeps its first segment', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('a/log', someBytes(LARGE_BYTES, 1));
    job.link('a/log', 'b/log');
    // The first opening finds out that it is large, the second reads its segments.
    const watch = changesAtOpening(
      ['a/log', 'b/log'],
      new Map([[2, () => appendFileSync(job.path('a/log'), 'one line more')]]),
    );
    const summary = await job.session(watch);
    expect(watch.done()).toBe(1);
    expect(summary.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a log that grows while it is read, and is then truncated to two blocks, keeps its segment', async () => {
    const job = new Job(base);
    job.file('log', someBytes(LARGE_BYTES, 2));
    let first = true;
    let truncated = 0;
    const watch: Watch = {
      read(path, position) {
        if (path !== 'log' || position === 0) return;
        if (first) appendFileSync(job.path('log'), someBytes(3000, 3));
        else if (truncated++ === 0) truncateSync(job.path('log'), TWO_BLOCKS_BYTES);
        first = false;
      },
    };
    const summary = await job.session(watch);
    expect(truncated).toBeGreaterThan(0);
    expect(summary.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a session that dies, then one truncation to two blocks: the segment is kept', async () => {
    const job = new Job(base);
    job.file('log', someBytes(LARGE_BYTES, 4));
    job.file('small');
    // The bucket object goes through; the first entry does not.
    let puts = 0;
    job.world.onPut = () => (++puts === 2 ? 'killed before' : undefined);
    expect((await job.session()).status).toBe('Failed');
    job.world.onPut = undefined;
    let truncated = 0;
    const watch: Watch = {
      read(path, position) {
        if (path === 'log' && position > 0 && truncated++ === 0) truncateSync(job.path('log'), TWO_BLOCKS_BYTES);
      },
    };
    const summary = await job.session(watch);
    expect(truncated).toBeGreaterThan(0);
    expect(summary.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('what is open and has lost its name', () => {
  // The clock of the machine gives the times of changes.
  const MOMENTS = ['opened', 'read'] as const;
  const WAYS = MOMENTS.flatMap((moment) => [false, true].map((isAsync) => ({ moment, isAsync })));
  /** Does something once, when a file has been opened, or when it is read. */
  const once = (moment: (typeof MOMENTS)[number], of: string, isAsync: boolean, what: () => void) => {
    let done = 0;
    const change = (path: string) => {
      if (path === of && done++ === 0) what();
    };
    const watch: Watch = { isAsync, [moment]: change };
    return { watch, done: () => done };
  };

  it.each(WAYS)('a file that is removed is not loaded (%o)', async ({ moment, isAsync }) => {
    const job = new Job(base, {}, new KillableWorld(true));
    job.file('d/goes');
    job.file('d/stays');
    const { watch, done } = once(moment, 'd/goes', isAsync, () => job.change('d', () => rmSync(job.path('d/goes'))));
    const summary = await job.session(watch);
    expect(done()).toBeGreaterThan(0);
    expect(summary.status).toBe('CompletedWithErrors');
    expect([...(await inodesOf(job.world.store, SMALL)).keys()].sort()).toEqual(['', 'd', 'd/stays']);
  });

  it.each(WAYS)('a file that is moved away is not loaded by its old name (%o)', async ({ moment, isAsync }) => {
    const job = new Job(base, {}, new KillableWorld(true));
    job.file('d/goes', someBytes(TWO_BLOCKS_BYTES, 7));
    const { watch, done } = once(moment, 'd/goes', isAsync, () =>
      job.change('d', () => renameSync(job.path('d/goes'), job.path('d/new'))),
    );
    const summary = await job.session(watch);
    expect(done()).toBeGreaterThan(0);
    expect(summary.status).toBe('CompletedWithErrors');
    expect([...(await inodesOf(job.world.store, SMALL)).keys()].sort()).toEqual(['', 'd']);
  });

  it.each(WAYS)('of a file that is replaced the new one is loaded (%o)', async ({ moment, isAsync }) => {
    const job = new Job(base, {}, new KillableWorld(true));
    job.file('d/file', 'old');
    const { watch, done } = once(moment, 'd/file', isAsync, () =>
      job.change('d', () => {
        job.file('d/next', 'new content');
        renameSync(job.path('d/next'), job.path('d/file'));
      }),
    );
    const summary = await job.session(watch);
    expect(done()).toBeGreaterThan(0);
    expect(summary.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it.each([false, true])(
    'a directory that is moved away under its listing is not loaded (asynchronous: %s)',
    async (isAsync) => {
      const job = new Job(base, {}, new KillableWorld(true));
      job.file('stays');
      mkdirSync(job.path('goes'));
      job.file('goes/link');
      let done = 0;
      const watch: Watch = {
        isAsync,
        listing(path, entries) {
          if (path === 'goes' && done++ === 0) renameSync(job.path('goes'), `${job.source}-goes`);
          return entries;
        },
      };
      const summary = await job.session(watch);
      expect(done).toBeGreaterThan(0);
      expect(summary.status).toBe('CompletedWithErrors');
      expect([...(await inodesOf(job.world.store, SMALL)).keys()].sort()).toEqual(['', 'stays']);
    },
  );
});

describe('an entry that is another one when it is tried again (issue 12, number 13)', () => {
  const TURNS: Record<string, (path: string) => void> = {
    symlink: (path) => symlinkSync('elsewhere', path),
    directory: (path) => mkdirSync(`${path}/with/more`, { recursive: true }),
    fifo: (path) => makeNode(CURRENT_DIRECTORY, Buffer.from(path), 0o010644, 0, 0),
  };

  it.each(Object.keys(TURNS).flatMap((kind) => [[kind, false] as const, [kind, true] as const]))(
    'a file that became a %s between listing and reading is loaded as that by the next session (hard links preserved: %s)',
    async (kind, preserveHardLinks) => {
      const job = new Job(base, { preserveHardLinks });
      job.file('d/turns');
      job.file('d/stays');
      let turned = 0;
      const watch: Watch = {
        entry(path, what) {
          if (path !== 'd/turns' || what !== 'open' || turned++ > 0) return;
          job.change('d', () => {
            rmSync(job.path('d/turns'));
            TURNS[kind](job.path('d/turns'));
          });
        },
      };
      const first = await job.session(watch);
      expect(turned).toBeGreaterThan(0);
      expect(first.status).toBe('CompletedWithErrors');
      await expectFaithful(job.source, job.world.store, SMALL, ['d/turns']);
      const second = await job.session();
      expect(second.error).toBeUndefined();
      expect(second.status).toBe('Completed');
      expect(second.progress.filesFailed).toBe(0);
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );

  it('a symlink that became a file is loaded as a file', async () => {
    const job = new Job(base);
    mkdirSync(job.path('d'));
    symlinkSync('elsewhere', job.path('d/turns'));
    let turned = 0;
    const first = await job.session({
      entry(path) {
        if (path !== 'd/turns' || turned++ > 0) return;
        job.change('d', () => {
          rmSync(job.path('d/turns'));
          job.file('d/turns');
        });
      },
    });
    expect(turned).toBeGreaterThan(0);
    expect(first.status).toBe('CompletedWithErrors');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a failed file that has vanished is no failure any more', async () => {
    const job = new Job(base);
    job.file('d/gone');
    job.file('d/stays');
    expect((await job.session(lock('d/gone'))).status).toBe('CompletedWithErrors');
    job.change('d', () => rmSync(job.path('d/gone')));
    const second = await job.session();
    expect(second.status).toBe('Completed');
    expect(second.progress.filesFailed).toBe(0);
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it.each([false, true])(
    'a name that is listed and cannot be found stays failed (hard links preserved: %s)',
    async (preserveHardLinks) => {
      const job = new Job(base, { preserveHardLinks });
      job.file('d/away/inner');
      job.file('d/lost');
      job.file('d/stays');
      // An automounter says so while the server is away, and a file system of what it has lost.
      const ghosts: Watch = {
        entry(path) {
          if (path === 'd/away' || path === 'd/lost') throw entryFailure('entry-vanished', 'it cannot be found');
        },
      };
      for (let sessions = 1; sessions <= 3; sessions++) {
        const { status, progress } = await job.session(ghosts);
        expect([status, progress.filesFailed]).toEqual(['CompletedWithErrors', 2]);
      }
      expect((await job.session()).status).toBe('Completed');
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );

  it('a failed directory that has vanished is no failure any more', async () => {
    const job = new Job(base);
    job.file('d/gone/inner');
    job.file('d/stays');
    expect((await job.session(lock('d/gone'))).status).toBe('CompletedWithErrors');
    job.change('d', () => rmSync(job.path('d/gone'), { recursive: true }));
    const second = await job.session();
    expect(second.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a failed directory that became a file is loaded as that', async () => {
    const job = new Job(base);
    job.file('d/turns/inner');
    job.file('d/stays');
    expect((await job.session(lock('d/turns'))).status).toBe('CompletedWithErrors');
    job.change('d', () => {
      rmSync(job.path('d/turns'), { recursive: true });
      job.file('d/turns');
    });
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a failed directory that was replaced by another one is loaded as it is now', async () => {
    const job = new Job(base);
    job.file('d/turns/inner');
    job.file('d/stays');
    expect((await job.session(lock('d/turns'))).status).toBe('CompletedWithErrors');
    job.change('d', () => {
      rmSync(job.path('d/turns'), { recursive: true });
      job.file('d/turns/other');
    });
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('an entry listed without a type whose lstat fails (issue 12, "read, not run")', () => {
  const unseen = (name: string): Watch => ({
    untyped: new Set([name]),
    entry(path, what) {
      if (path === name && what === 'look') throw entryFailure('entry-unreadable', 'input/output error');
    },
  });

  it.each(['symlink', 'directory', 'fifo'] as const)('a %s is not tried again as a regular file', async (kind) => {
    const job = new Job(base);
    job.file('d/stays');
    if (kind === 'symlink') symlinkSync('stays', job.path('d/unseen'));
    else if (kind === 'fifo') makeNode(CURRENT_DIRECTORY, Buffer.from(job.path('d/unseen')), 0o010644, 0, 0);
    else job.file('d/unseen/below/file');
    const first = await job.session(unseen('d/unseen'));
    expect(first.status).toBe('CompletedWithErrors');
    expect(first.progress.filesFailed).toBe(1);
    const second = await job.session();
    expect(second.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a name of a linked file is joined with the other names', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('d/one');
    job.link('d/one', 'e/unseen');
    expect((await job.session(unseen('e/unseen'))).status).toBe('CompletedWithErrors');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    const inodes = await inodesOf(job.world.store, SMALL);
    expect(inodes.get('e/unseen')).toEqual(inodes.get('d/one'));
    expect(inodes.get('d/one')?.linkCount).toBe(2);
  });
});

describe.each([
  ['one call after another', false],
  ['many calls at once', true],
])('a directory that was renamed away, and another put in its place, of a source with %s', (_, isAsync) => {
  /**
   * Puts another `d` in the place of the first at its n-th opening. `restore` takes that back, as if nothing had been.
   */
  function replacesAtOpening(
    job: Job,
    opening: number,
    fill: () => void,
  ): Watch & { restore(): void; readonly done: () => boolean } {
    const former = join(job.source, '..', 'former');
    let openings = 0;
    return {
      isAsync,
      directory(path) {
        if (path !== 'd' || ++openings !== opening) return;
        job.change('', () => {
          renameSync(job.path('d'), former);
          mkdirSync(job.path('d'));
          fill();
        });
      },
      restore() {
        job.change('', () => {
          rmSync(job.path('d'), { recursive: true });
          renameSync(former, job.path('d'));
        });
      },
      done: () => openings >= opening,
    };
  }

  const reasons = (job: Job) =>
    readFileSync(join(job.statePath, 'failures.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string; reason: string })
      .map(({ path, reason }) => `${path.slice(job.source.length + 1)} ${reason}`)
      .sort();
  const others = (job: Job) => () => {
    for (const name of ['one', 'two', 'three']) job.file(`d/${name}`, `of the other: ${name}`);
  };

  it('between its listing and the loading of its entries: nothing of the other is loaded for them', async () => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/two', 'beside']) job.file(name);
    const watch = replacesAtOpening(job, 2, others(job));
    expect((await job.session(watch)).status).toBe('CompletedWithErrors');
    expect(watch.done()).toBe(true);
    expect(reasons(job)).toEqual(['d/one directory-changed', 'd/two directory-changed']);
    watch.restore();
    await expectFaithful(job.source, job.world.store, SMALL, ['d/one', 'd/two']);
  });

  it('between the listing of its parent and its own: nothing of the other is listed for it', async () => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/two', 'beside']) job.file(name);
    const watch = replacesAtOpening(job, 1, others(job));
    expect((await job.session(watch)).status).toBe('CompletedWithErrors');
    expect(watch.done()).toBe(true);
    expect(reasons(job)).toEqual(['d directory-changed']);
    watch.restore();
    await expectFaithful(job.source, job.world.store, SMALL, ['d']);
  });

  it('before its failed entries are looked at again: nothing of the other is found for them', async () => {
    const job = new Job(base);
    for (const name of ['d/one', 'd/two', 'beside']) job.file(name);
    expect((await job.session({ ...lock('d/one', 'd/two'), isAsync })).progress.filesFailed).toBe(2);
    // The first opening finds out whether it is in its place.
    const watch = replacesAtOpening(job, 2, others(job));
    expect((await job.session(watch)).status).toBe('CompletedWithErrors');
    expect(watch.done()).toBe(true);
    expect(reasons(job)).toEqual(['d/one directory-changed', 'd/two directory-changed']);
    watch.restore();
    await expectFaithful(job.source, job.world.store, SMALL, ['d/one', 'd/two']);
  });

  it('between its listing and the writing of a linked file: a link in the other one is no name of it', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('e/linked');
    job.link('e/linked', 'd/linked');
    const watch = replacesAtOpening(job, 2, () => linkSync(job.path('e/linked'), job.path('d/linked')));
    expect((await job.session(watch)).status).toBe('CompletedWithErrors');
    expect(watch.done()).toBe(true);
    expect(reasons(job)).toEqual(['d/linked directory-changed']);
    watch.restore();
    expect((await inodesOf(job.world.store, SMALL)).get('e/linked')?.linkCount).toBe(1);
  });
});

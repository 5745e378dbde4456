import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { ObjectType } from '../src/format/ids.js';
import { jobStatus } from '../src/load/job-status.js';
import type { LoadEvent } from '../src/load/options.js';
import { expectFaithful, SMALL } from './support/check.js';
import { inodesOf } from './support/names.js';
import { removeTree, someBytes } from './support/tree.js';
import { Job, lock, makeBase } from './support/whole-job.js';

const base = makeBase('links');
afterAll(() => removeTree(base));

const LARGE_BYTES = SMALL.firstSegmentBytes + SMALL.fileSegmentBytes * 4;

/** A job whose `d1/linked` and `d2/linked` are one file; with other files beside both, or alone. */
function linkedJob(content: string | Buffer = 'linked content', alone = false): Job {
  const job = new Job(base, { preserveHardLinks: true, compression: 'DISABLED' });
  job.file('d1/linked', content);
  job.link('d1/linked', 'd2/linked');
  if (alone) return job;
  for (const directory of ['d1', 'd2']) for (const name of ['one', 'two', 'three']) job.file(`${directory}/${name}`);
  return job;
}

async function expectLinked(job: Job, ...names: readonly string[]): Promise<void> {
  const inodes = await inodesOf(job.world.store, SMALL);
  expect(inodes.get(names[0])?.linkCount).toBe(names.length);
  for (const name of names) expect(inodes.get(name)).toEqual(inodes.get(names[0]));
}

describe('a failed linked file that is tried again (issue 12, number 2)', () => {
  it.each([
    ['small', 'linked content'],
    ['of two blocks', someBytes(2000, 1)],
    ['large', someBytes(LARGE_BYTES, 2)],
  ] as const)('%s: the files beside its names stay', async (_, content) => {
    const job = linkedJob(content);
    const first = await job.session(lock('d1/linked', 'd2/linked'));
    expect(first.status).toBe('CompletedWithErrors');
    // A linked file is one failure; each of its names is reported.
    expect(first.progress.filesFailed).toBe(1);
    const problems = readFileSync(join(job.statePath, 'problems.txt'), 'utf8');
    expect(problems.trim().split('\n').sort()).toEqual([job.path('d1/linked'), job.path('d2/linked')]);
    await expectFaithful(job.source, job.world.store, SMALL, ['d1/linked', 'd2/linked']);
    const second = await job.session();
    expect(second.error).toBeUndefined();
    expect(second.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it('fails twice and is healed then', async () => {
    const job = linkedJob();
    for (let session = 0; session < 2; session++) {
      const summary = await job.session(lock('d1/linked', 'd2/linked'));
      expect(summary.status).toBe('CompletedWithErrors');
      expect(summary.progress.filesFailed).toBe(1);
      await expectFaithful(job.source, job.world.store, SMALL, ['d1/linked', 'd2/linked']);
    }
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it('a late further name of a file that is written already is added to it', async () => {
    const job = linkedJob();
    expect((await job.session(lock('d2'))).status).toBe('CompletedWithErrors');
    await expectFaithful(job.source, job.world.store, SMALL, ['d2']);
    const second = await job.session();
    expect(second.status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it('a late further name that fails at first: the files beside the former name stay', async () => {
    const job = linkedJob();
    expect((await job.session(lock('d2'))).status).toBe('CompletedWithErrors');
    const second = await job.session(lock('d1/linked', 'd2/linked'));
    expect(second.status).toBe('CompletedWithErrors');
    expect(second.progress.filesFailed).toBe(1);
    await expectFaithful(job.source, job.world.store, SMALL, ['d2/linked']);
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  /**
   * `d1` lacks a plain file and `d2` could not be listed: `d1` is written again while the linked file waits for its
   * further name.
   */
  async function halfDone(): Promise<Job> {
    const job = linkedJob();
    expect((await job.session(lock('d1/one', 'd2'))).status).toBe('CompletedWithErrors');
    await expectFaithful(job.source, job.world.store, SMALL, ['d1/one', 'd2']);
    // The listing of d2 is recorded before the plain file is at the service.
    job.world.onPut = async (_, body) => {
      if (body.includes('content of d1/one')) await setTimeout(100);
      return undefined;
    };
    return job;
  }

  it('a directory that is written again meanwhile keeps its name of a file that waits for another one', async () => {
    const job = await halfDone();
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it('… also when that file then fails', async () => {
    const job = await halfDone();
    expect((await job.session(lock('d1/linked', 'd2/linked'))).status).toBe('CompletedWithErrors');
    await expectFaithful(job.source, job.world.store, SMALL, ['d2/linked']);
    await expectLinked(job, 'd1/linked');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it.each(['d1', 'd2'] as const)(
    'the name in %s that is gone when the file is tried again is no back pointer and no entry',
    async (gone) => {
      const job = linkedJob('linked content', true);
      expect((await job.session(lock('d1/linked', 'd2/linked'))).status).toBe('CompletedWithErrors');
      job.change(gone, () => rmSync(job.path(`${gone}/linked`)));
      expect((await job.session()).status).toBe('Completed');
      await expectFaithful(job.source, job.world.store, SMALL);
      await expectLinked(job, gone === 'd1' ? 'd2/linked' : 'd1/linked');
    },
  );

  it('a late further name that fails and is then gone: the former name stays, alone', async () => {
    const job = linkedJob('linked content', true);
    expect((await job.session(lock('d2'))).status).toBe('CompletedWithErrors');
    expect((await job.session(lock('d1/linked', 'd2/linked'))).status).toBe('CompletedWithErrors');
    job.change('d2', () => rmSync(job.path('d2/linked')));
    const third = await job.session();
    expect(third.status).toBe('Completed');
    expect(third.progress.filesFailed).toBe(0);
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked');
  });

  it('a directory with one of the names that is locked when the file is tried again: only that name is missing, and healed later', async () => {
    const job = linkedJob();
    expect((await job.session(lock('d1/linked', 'd2/linked'))).status).toBe('CompletedWithErrors');
    const second = await job.session(lock('d1'));
    expect(second.status).toBe('CompletedWithErrors');
    await expectFaithful(job.source, job.world.store, SMALL, ['d1/linked']);
    await expectLinked(job, 'd2/linked');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it('a further name that is found while the directory of the former one is locked becomes a link of it once that is healed', async () => {
    const job = linkedJob();
    expect((await job.session(lock('d2'))).status).toBe('CompletedWithErrors');
    const second = await job.session(lock('d1'));
    expect(second.status).toBe('CompletedWithErrors');
    await expectFaithful(job.source, job.world.store, SMALL, ['d2/linked']);
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it('a name that is gone when the file is written first is named, and no back pointer', async () => {
    const job = linkedJob();
    let opened = 0;
    const first = await job.session({
      // Links are written after everything has been listed.
      entry(path, what) {
        if (what === 'open' && path === 'd1/three' && opened++ === 0)
          job.change('d1', () => rmSync(job.path('d1/linked')));
      },
    });
    expect(opened).toBeGreaterThan(0);
    expect(first.status).toBe('CompletedWithErrors');
    expect(readFileSync(join(job.statePath, 'problems.txt'), 'utf8')).toBe(`${job.path('d1/linked')}\n`);
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd2/linked');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a failed linked file whose names were all removed is no failure any more', async () => {
    const job = linkedJob();
    expect((await job.session(lock('d1/linked', 'd2/linked'))).status).toBe('CompletedWithErrors');
    for (const directory of ['d1', 'd2']) job.change(directory, () => rmSync(job.path(`${directory}/linked`)));
    const second = await job.session();
    expect(second.status).toBe('Completed');
    expect(second.progress.filesFailed).toBe(0);
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a failed linked file whose names lead to other files now is loaded as these', async () => {
    const job = linkedJob();
    expect((await job.session(lock('d1/linked', 'd2/linked'))).status).toBe('CompletedWithErrors');
    for (const directory of ['d1', 'd2']) {
      job.change(directory, () => {
        job.file(`${directory}/new`, `a file of its own in ${directory}`);
        renameSync(job.path(`${directory}/new`), job.path(`${directory}/linked`));
      });
    }
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked');
    await expectLinked(job, 'd2/linked');
  });
});

describe('the bytes that are done', () => {
  const SIZES = { small: 70, large: LARGE_BYTES, larger: LARGE_BYTES + 2 * SMALL.fileSegmentBytes + 1 };
  type Size = keyof typeof SIZES;

  it.each<[Size, Size]>([
    ['small', 'small'],
    ['small', 'large'],
    ['large', 'small'],
    ['large', 'larger'],
    ['larger', 'large'],
  ])('are those of what counts when a %s linked file is written again as a %s one', async (before, after) => {
    const job = linkedJob(someBytes(SIZES[before], 1));
    const bytesOfFiles = async () => {
      const sizes = new Map<string, number>();
      for (const [path, { id, lengthBytes }] of await inodesOf(job.world.store, SMALL))
        if (path.includes('/')) sizes.set(id, Number(lengthBytes));
      return [...sizes.values()].reduce((sum, size) => sum + size, 0);
    };
    const first = await job.session(lock('d2'));
    expect(first.progress.bytesDone).toBe(await bytesOfFiles());
    writeFileSync(job.path('d1/linked'), someBytes(SIZES[after] + 1, 2));
    const second = await job.session();
    expect(second.status).toBe('Completed');
    await expectLinked(job, 'd1/linked', 'd2/linked');
    expect((await inodesOf(job.world.store, SMALL)).get('d1/linked')?.lengthBytes).toBe(BigInt(SIZES[after] + 1));
    expect(second.progress.bytesDone).toBe(await bytesOfFiles());
    expect(jobStatus(job.statePath).bytesDone).toBe(second.progress.bytesDone);
    expect(second.progress.sessionBytes).toBeGreaterThanOrEqual(0);
  });
});

describe('links that become copies of their own', () => {
  it('are counted at the end of a load, in its summary and by status', async () => {
    const job = new Job(base, { preserveHardLinks: true });
    job.file('d1/linked', 'linked content');
    for (const directory of ['d2', 'd3']) job.link('d1/linked', `${directory}/linked`);
    job.file('d1/other');
    const texts: string[] = [];
    const onEvent = (event: LoadEvent) => void (event.kind === 'message' && texts.push(event.text));
    const first = await job.session(lock('d2', 'd3'), { onEvent, logLevel: 'WARNING' });
    expect(first.status).toBe('CompletedWithErrors');
    expect(first.linkCopies).toBe(0);
    expect(texts.filter((text) => text.includes('hard link'))).toEqual([]);
    // Nothing shows any more that what was loaded is the file that has the other names.
    job.change('d1', () => rmSync(job.path('d1/linked')));
    const second = await job.session({}, { onEvent, logLevel: 'WARNING' });
    expect(second.status).toBe('Completed');
    await expectLinked(job, 'd2/linked', 'd3/linked');
    await expectLinked(job, 'd1/linked');
    const log = readFileSync(join(job.statePath, 'clfsload.log'), 'utf8');
    expect(second.linkCopies).toBe(2);
    expect(jobStatus(job.statePath).linkCopies).toBe(2);
    expect(log.match(/becomes a copy of its own/g)?.length ?? 0).toBe(2);
    expect(texts.filter((text) => text.includes('hard link'))).toEqual([
      '2 hard links became copies of their own: the file has more than 1023 links, or cannot be shown to be one that is loaded already; the log tells which.',
    ]);
  });
});

describe('an inode that is written and not recorded (issue 12, numbers 3 and 4)', () => {
  it('Cleanup leaves a linked inode that a later session has written again', async () => {
    const job = linkedJob();
    let killed = 0;
    job.world.onPut = (_, body) => (body.includes('linked content') && killed++ === 0 ? 'killed after' : undefined);
    expect((await job.session()).status).toBe('Failed');
    expect(killed).toBe(1);
    const stopped = await job.session(lock('d1/linked', 'd2/linked'), { maxErrors: 0 });
    expect(stopped.status).toBe('Failed');
    expect(stopped.progress.filesFailed).toBe(1);
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
    await expectLinked(job, 'd1/linked', 'd2/linked');
  });

  it.each([
    ['', false],
    [' with two names', true],
  ] as const)('the inode of a large file%s that cannot be read after the kill is no orphan', async (_, linked) => {
    const job = new Job(base, { preserveHardLinks: true, compression: 'DISABLED' });
    job.file('d/large', Buffer.concat([Buffer.from('the large one'), someBytes(LARGE_BYTES, 5)]));
    if (linked) job.link('d/large', 'e/large');
    job.file('d/small');
    const names = linked ? ['d/large', 'e/large'] : ['d/large'];
    let killed = 0;
    job.world.onPut = (_name, body) => (body.includes('the large one') && killed++ === 0 ? 'killed after' : undefined);
    expect((await job.session()).status).toBe('Failed');
    expect(killed).toBe(1);
    expect((await job.session(lock(...names))).status).toBe('CompletedWithErrors');
    await expectFaithful(job.source, job.world.store, SMALL, names);
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('a directory that was being written when the process died (issue 12, "read, not run")', () => {
  it.each(['at once', 'late'] as const)(
    'is written under another name by a repair: the former put is stored %s',
    async (stored) => {
      const job = new Job(base);
      for (let i = 0; i < 60; i++) job.file(`d/file-${i}`);
      job.file('d/bad');
      let killed = 0;
      // Names of directories say their type: the first one is d's.
      job.world.onPut = (name) =>
        name.includes('.0002.') && killed++ === 0
          ? stored === 'late'
            ? 'killed, stored late'
            : 'killed after'
          : undefined;
      expect((await job.session(lock('d/bad'))).status).toBe('Failed');
      expect(killed).toBe(1);
      const former = new Set(job.world.store.blobs.keys());
      const second = await job.session();
      expect(second.status).toBe('Completed');
      await job.world.deliver();
      await expectFaithful(job.source, job.world.store, SMALL);
      // What was sent before the kill is not sent again with other bytes.
      const again = job.world.answers.filter(
        ({ name, type }) => former.has(name) && (type === ObjectType.directory || type === ObjectType.segment),
      );
      expect(again.map(({ name }) => name)).toEqual([]);
    },
  );
});

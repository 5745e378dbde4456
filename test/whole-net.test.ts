import { afterAll, describe, expect, it } from 'vitest';
import { hash64Hex } from '../src/format/hash.js';
import { idHex, ObjectType } from '../src/format/ids.js';
import { BUCKET_NAME, decodeObjectName } from '../src/format/names.js';
import type { JobState } from '../src/state/job-state.js';
import { JobState as State } from '../src/state/job-state.js';
import type { Leftover } from '../src/state/leftovers.js';
import { expectFaithful, SMALL } from './support/check.js';
import { removeTree, someBytes } from './support/tree.js';
import { Job, lock, makeBase } from './support/whole-job.js';

const base = makeBase('net');
afterAll(() => removeTree(base));

/** A job with every kind of object, and links. */
function makeJob(): Job {
  const job = new Job(base, { preserveHardLinks: true });
  for (let i = 0; i < 20; i++) job.file(`d/file-${i}`);
  job.file('d/two-blocks', someBytes(2000, 1));
  job.file('e/large', someBytes(600 + 2500 * 9, 2));
  job.file('e/linked', 'linked');
  job.link('e/linked', 'd/linked');
  return job;
}

const nameOf = (job: Job, type: number, which = 0) =>
  [...job.world.store.blobs.keys()].filter((name) => decodeObjectName(name)?.type === type)[which];

/**
 * Does something to the container in the moment in which the bucket object is put for the second time: before the
 * listing.
 */
function beforeListing(job: Job, act: () => void): void {
  let done = false;
  job.world.onPut = (name) => {
    if (name === BUCKET_NAME && job.world.store.blobs.size > 1 && !done) {
      done = true;
      act();
    }
    return undefined;
  };
}

describe('what happens to the container behind a job (issue 12, shown by 5)', () => {
  const blobs = (job: Job) => job.world.store.blobs;
  const cases: readonly [string, (job: Job) => string, RegExp][] = [
    ['a regular inode is deleted', (job) => nameOf(job, ObjectType.regular), /1 regular inode missing/],
    ['a segment is deleted', (job) => nameOf(job, ObjectType.segment), /1 segment missing/],
    ['an indirect block is deleted', (job) => nameOf(job, ObjectType.indirect), /1 indirect block missing/],
    ['a directory is deleted', (job) => nameOf(job, ObjectType.directory), /1 directory inode missing/],
    [
      'the log is deleted',
      (job) => [...blobs(job).keys()].find((name) => name.endsWith('.log')) ?? '',
      /the log .* is missing/,
    ],
  ];

  it.each(cases)(
    '%s: the job fails with the reason, and completes once the blob is put back',
    async (_what, pick, reason) => {
      const job = makeJob();
      let name = '';
      let body: Buffer = Buffer.alloc(0);
      beforeListing(job, () => {
        name = pick(job);
        body = blobs(job).get(name) ?? body;
        expect(blobs(job).delete(name)).toBe(true);
      });
      const first = await job.session();
      expect(first.status).toBe('Failed');
      expect(first.error).toMatchObject({ code: 'container-differs' });
      expect((first.error as Error).message).toMatch(reason);
      expect((first.error as Error).message).toContain('clfsload fsck');
      job.world.onPut = undefined;
      // The log is put anew by each session: without it nothing is wrong any more.
      if (!name.endsWith('.log')) {
        const again = await job.session();
        expect(again.status).toBe('Failed');
        expect((again.error as Error).message).toMatch(reason);
        blobs(job).set(name, body);
      }
      const last = await job.session();
      expect(last.error).toBeUndefined();
      expect(last.status).toBe('Completed');
      expect(last.listing).toBe('checked');
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );

  const additions: readonly [string, (job: Job) => [string, Buffer], RegExp][] = [
    ['a foreign blob', () => ['somebody-elses', Buffer.from('x')], /"somebody-elses" is no blob of the job/],
    [
      'a copy of a segment under another id',
      (job) => [otherId(nameOf(job, ObjectType.segment)), Buffer.from('x')],
      /1 segment too many/,
    ],
    [
      'an older version of an inode',
      (job) => [nameOf(job, ObjectType.regular).replace('.00000000009.', '.00000000008.'), Buffer.from('x')],
      /1 regular inode too many/,
    ],
  ];

  it.each(additions)(
    '%s is added: the job fails with the reason, and completes once it is removed',
    async (_what, make, reason) => {
      const job = makeJob();
      let name = '';
      beforeListing(job, () => {
        const [added, body] = make(job);
        name = added;
        blobs(job).set(added, body);
      });
      const first = await job.session();
      expect(first.status).toBe('Failed');
      expect((first.error as Error).message).toMatch(reason);
      job.world.onPut = undefined;
      blobs(job).delete(name);
      expect((await job.session()).status).toBe('Completed');
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );

  it('a blob is cut, or exchanged for one of another name: told, though the number is right', async () => {
    const job = makeJob();
    let name = '';
    let body: Buffer = Buffer.alloc(0);
    beforeListing(job, () => {
      name = nameOf(job, ObjectType.segment);
      body = blobs(job).get(name) ?? body;
      blobs(job).set(name, body.subarray(1));
    });
    expect(((await job.session()).error as Error).message).toMatch(/the segments have \d+ bytes in place of \d+/);
    job.world.onPut = undefined;
    blobs(job).delete(name);
    blobs(job).set(otherId(name), body);
    expect(((await job.session()).error as Error).message).toMatch(
      /the names or lengths of some of \d+ segments are others/,
    );
    blobs(job).delete(otherId(name));
    blobs(job).set(name, body);
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('with checkListing false nothing is compared, and the summary says so', async () => {
    const job = makeJob();
    beforeListing(job, () => blobs(job).set('somebody-elses', Buffer.from('x')));
    const summary = await job.session({}, { checkListing: false });
    expect(summary.status).toBe('Completed');
    expect(summary.listing).toBe('not checked: it was turned off');
  });

  it('a repair after the commit is checked too, though the root is not written again', async () => {
    const job = makeJob();
    job.file('d/sub/locked');
    expect((await job.session(lock('d/sub/locked'))).status).toBe('CompletedWithErrors');
    beforeListing(job, () => blobs(job).delete(nameOf(job, ObjectType.segment)));
    const second = await job.session();
    expect(second.status).toBe('Failed');
    expect(second.error).toMatchObject({ code: 'container-differs' });
  });
});

/** The name of the same kind and owner with another id, whose hash is right. */
function otherId(name: string): string {
  return name.replace(/^[0-9A-F]{16}_[0-9A-F]{32}/, '8F1A7B2C3D4E5F60_0123456789ABCDEF0123456789ABCDEF');
}

describe('a removal that would take away what counts is refused', () => {
  /** Stops a load before its commit, plants a left-over, and goes on. */
  async function planted(make: (state: JobState, job: Job) => Leftover): Promise<void> {
    const job = makeJob();
    job.file('d/bad');
    // With a failure in it the entries of d stay recorded; those of e do not.
    expect((await job.session(lock('d/bad'))).status).toBe('CompletedWithErrors');
    const state = State.open(`${job.statePath}/job.db`, 'WAL');
    const leftover = make(state, job);
    const inode = decodeObjectName(
      [...job.world.store.blobs.keys()].find((name) => handleOf(name).equals(leftover.handle)) ?? '',
    );
    const before = [...job.world.store.blobs.keys()].filter(
      (name) => name.includes(`_${idHex(leftover.handle)}.`) || name.includes(hash64Hex(leftover.handle)),
    );
    expect(before.length, 'something is there to be taken away').toBeGreaterThan(0);
    expect(inode?.version).toBe(leftover.version);
    state.transact(() => state.leftovers.add(leftover));
    state.close();
    for (let session = 0; session < 2; session++) {
      const summary = await job.session();
      expect(summary.status).toBe('Failed');
      expect(summary.error).toMatchObject({ code: 'unsafe-removal' });
      for (const name of before) expect(job.world.store.blobs.has(name), name).toBe(true);
    }
  }

  const handleOf = (name: string) => decodeObjectName(name)?.id ?? Buffer.alloc(0);
  const sequenceOf = (handle: Buffer) => Number(handle.readBigUInt64LE(8));
  const common = { version: 9, generation: 0, indirectBlocks: 0 };
  /** Ids of the directories d and e: found in the order of the listing. */
  const directoryNamed = (state: JobState, name: string) =>
    state.directories.children(1, 0, 100).find((child) => Buffer.from(child.name).toString() === name)?.id ?? 0;

  it('an entry that the state knows', () =>
    planted((state, job) => {
      const [chunk] = state.chunks.ofDirectory(directoryNamed(state, 'd'), 0, 1);
      // The first entry that is not the one which failed.
      const sequence = chunk.firstSequence + (chunk.leftOut && (chunk.leftOut[0] & 1) !== 0 ? 1 : 0);
      const handle =
        [...job.world.store.blobs.keys()].map(handleOf).find((id) => id.length === 24 && sequenceOf(id) === sequence) ??
        Buffer.alloc(24);
      return {
        ...common,
        handle,
        sequence,
        segments: 1,
        owner: { kind: 'entry', directory: directoryNamed(state, 'd') },
      };
    }));

  it('an entry that only its directory in the container knows', () =>
    planted((state, job) => {
      const directory = directoryNamed(state, 'e');
      expect(state.chunks.hasRows(directory)).toBe(false);
      const names = [...job.world.store.blobs.keys()];
      const segment = names.find((name) => decodeObjectName(name)?.type === ObjectType.indirect) ?? '';
      const large =
        names.find(
          (name) => decodeObjectName(name)?.type === ObjectType.regular && segment.includes(name.slice(0, 16)),
        ) ?? '';
      const handle = handleOf(large);
      return { ...common, handle, sequence: sequenceOf(handle), segments: 9, owner: { kind: 'entry', directory } };
    }));

  it('a directory in the version that counts', () =>
    planted((state, job) => {
      const directory = directoryNamed(state, 'e');
      const { sequence, revision } = state.directories.get(directory);
      const handle =
        [...job.world.store.blobs.keys()].map(handleOf).find((id) => id.length === 24 && sequenceOf(id) === sequence) ??
        Buffer.alloc(0);
      return {
        ...common,
        handle,
        sequence,
        version: 9 + revision,
        generation: revision,
        segments: 0,
        owner: { kind: 'directory', directory },
      };
    }));

  it('a linked inode in the version that counts', () =>
    planted((state, job) => {
      const group = state.links.get(1);
      const handle = handleOf(group.written?.name ?? '');
      expect(job.world.store.blobs.has(group.written?.name ?? '')).toBe(true);
      const directory = directoryNamed(state, 'e');
      return {
        ...common,
        handle,
        sequence: group.sequence,
        segments: 1,
        owner: { kind: 'group', group: group.id, directory },
      };
    }));
});

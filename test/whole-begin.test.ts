import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ClfsError } from '../src/error.js';
import { readBucketUuid } from '../src/load/bucket-object.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { expectFaithful, SMALL } from './support/check.js';
import { removeTree } from './support/tree.js';
import { Job, makeBase } from './support/whole-job.js';

const base = makeBase('begin');
afterAll(() => removeTree(base));

/** A job that was refused: its bucket object is stored, and the answer was lost. */
async function refusedJob(): Promise<Job> {
  const job = new Job(base);
  job.file('d/file');
  let puts = 0;
  job.world.onPut = () => (puts++ === 0 ? 'answer lost' : undefined);
  await expect(job.session({}, { newSession: true })).rejects.toMatchObject({ code: 'service-unavailable' });
  job.world.onPut = undefined;
  expect(puts).toBe(1);
  expect(job.world.store.blobs.size).toBe(1);
  return job;
}

describe('a job refused while its bucket object was stored (issue 12, number 11)', () => {
  it('goes on with its own bucket object when it is started again as a new one', async () => {
    const job = await refusedJob();
    const uuid = await readBucketUuid(job.world.store, openLz4());
    expect(uuid).toBeDefined();
    const summary = await job.session({}, { newSession: true });
    expect(summary.error).toBeUndefined();
    expect(summary.status).toBe('Completed');
    expect(await readBucketUuid(job.world.store, openLz4())).toBe(uuid);
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('is refused again when anything else is in the container, and leaves all of it', async () => {
    const job = await refusedJob();
    await job.world.store.put('something-else', Buffer.from('x'));
    const before = new Map(job.world.store.blobs);
    await expect(job.session({}, { newSession: true })).rejects.toMatchObject({ code: 'container-not-empty' });
    expect(new Map(job.world.store.blobs)).toEqual(before);
    // Once that is away there is a way on.
    await job.world.store.delete('something-else');
    expect((await job.session({}, { newSession: true })).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('another job does not take the container over', async () => {
    const job = await refusedJob();
    const before = new Map(job.world.store.blobs);
    const other = new Job(base, {}, job.world);
    other.file('other');
    await expect(other.session({}, { newSession: true })).rejects.toMatchObject({ code: 'container-not-empty' });
    expect(new Map(job.world.store.blobs)).toEqual(before);
    expect(existsSync(join(other.statePath, 'job.db'))).toBe(false);
    expect((await job.session({}, { newSession: true })).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('goes on when the container was made empty meanwhile', async () => {
    const job = await refusedJob();
    job.world.store.blobs.clear();
    expect((await job.session({}, { newSession: true })).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

describe('a job that is refused when it may have put its bucket object', () => {
  const refusal = new ClfsError('access-denied', 'the service answered 403');

  it('keeps its state where the container cannot be read, and goes on by another authorization', async () => {
    const job = new Job(base);
    job.file('d/file');
    const { container } = job.world;
    const get = container.get;
    container.get = async () => {
      throw refusal;
    };
    await expect(job.session({}, { newSession: true })).rejects.toBe(refusal);
    expect(job.world.store.blobs.size).toBe(1);
    container.get = get;
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('keeps its state where a try was not answered, and the next one refused', async () => {
    const job = new Job(base);
    job.file('d/file');
    const { container, store } = job.world;
    const put = container.put;
    Object.assign(container, {
      uncertainUntilMs: 1,
      put: async (name: string, body: Uint8Array) => {
        await store.put(name, body);
        throw refusal;
      },
    });
    await expect(job.session({}, { newSession: true })).rejects.toBe(refusal);
    Object.assign(container, { uncertainUntilMs: 0, put });
    expect((await job.session({}, { newSession: true })).status).toBe('Completed');
    await expectFaithful(job.source, store, SMALL);
  });

  it('leaves nothing behind where its first try was refused', async () => {
    const job = new Job(base);
    job.world.container.put = async () => {
      throw refusal;
    };
    await expect(job.session({}, { newSession: true })).rejects.toBe(refusal);
    expect(existsSync(job.statePath)).toBe(false);
  });
});

describe('a job that was killed before it began', () => {
  async function killedJob(): Promise<Job> {
    const job = new Job(base);
    job.file('d/file');
    job.world.onPut = () => 'killed before';
    await expect(job.session({}, { newSession: true })).rejects.toThrow();
    job.world.onPut = undefined;
    job.world.revive();
    return job;
  }

  it('goes on where its container is still empty', async () => {
    const job = await killedJob();
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('is refused where there is something in its container now, and puts nothing beside it', async () => {
    const job = await killedJob();
    await job.world.store.put('something-else', Buffer.from('x'));
    await expect(job.session({}, { checkListing: false })).rejects.toMatchObject({ code: 'container-not-empty' });
    expect([...job.world.store.blobs.keys()]).toEqual(['something-else']);
  });
});

describe('a temporary file that a container cannot get rid of', () => {
  it('fails the job after its commit, and each further session until it is gone', async () => {
    const job = new Job(base, {});
    job.file('a');
    let isThere = true;
    Object.assign(job.world.container, {
      async tidy() {
        if (job.world.store.blobs.size > 1 && isThere) throw new ClfsError('service', 'Cannot remove tmp-1.');
      },
    });
    for (let session = 0; session < 2; session++) {
      const { status, error } = await job.session();
      expect(status).toBe('Failed');
      expect((error as Error).message).toBe('Cannot remove tmp-1.');
    }
    isThere = false;
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

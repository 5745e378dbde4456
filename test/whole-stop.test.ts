import { afterAll, describe, expect, it } from 'vitest';
import { ObjectType } from '../src/format/ids.js';
import { decodeObjectName } from '../src/format/names.js';
import { jobStatus } from '../src/load/job-status.js';
import type { LoadSummary } from '../src/load/options.js';
import { expectFaithful, SMALL } from './support/check.js';
import { KillableWorld } from './support/killable-world.js';
import { removeTree, someBytes } from './support/tree.js';
import { Job, lock, makeBase } from './support/whole-job.js';

const base = makeBase('stop');
afterAll(() => removeTree(base));

/** One chunk of files takes more than ten seconds on the slow link. */
const FILES = 250;
const PACE_MS = 45;
/** A kill may lose what was done in so many milliseconds before it. */
const LOST_MS = 5000;

/** A job with one chunk of files, and a directory whose one file can be locked. */
function slowJob(): Job {
  const job = new Job(base, {}, new KillableWorld(true));
  for (let i = 0; i < FILES; i++) job.file(`d/file-${i}`);
  job.file('bad/locked');
  return job;
}

const filesOf = (answers: KillableWorld['answers']) =>
  answers.filter(({ type }) => type === ObjectType.regular).map(({ name }) => name);
const answered = (job: Job, untilMs = Number.POSITIVE_INFINITY) =>
  filesOf(job.world.answers.filter(({ atMs }) => atMs <= untilMs));

/**
 * What was answered while the program still listened: it asks for what it has to be durable, last when it stops
 * waiting.
 */
const heard = (job: Job) => filesOf(job.world.answers.slice(0, job.world.flushed));

/** Checks that what was answered when a session ended is recorded, and brings the job to its end. */
async function expectKept(job: Job, summary: LoadSummary | undefined, answers: readonly string[]): Promise<void> {
  const status = jobStatus(job.statePath);
  // A put can be answered in the moment in which the session ends.
  expect(status.entriesDone).toBeGreaterThanOrEqual(answers.length - 1);
  if (summary) {
    expect(summary.progress.filesDone).toBe(status.entriesDone);
    expect(summary.progress.bytesDone).toBe(status.bytesDone);
    expect(summary.progress.filesFailed).toBe(status.entriesFailed);
  }
  job.world.paceMs = 0;
  job.world.onPut = undefined;
  const last = await job.session();
  expect(last.error).toBeUndefined();
  expect(last.status).toBe('Completed');
  const known = new Set(answers);
  expect(answered(job).filter((name) => known.has(name)).length).toBeLessThanOrEqual(1);
  await expectFaithful(job.source, job.world.store, SMALL);
}

describe('a clean stop keeps what is done, within a chunk too (issue 12, number 6)', () => {
  it('by a signal', async () => {
    const job = slowJob();
    job.world.paceMs = PACE_MS;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 2000);
    const summary = await job.session({}, { signal: stop.signal });
    clearTimeout(timer);
    const answers = heard(job);
    expect(summary.status).toBe('Cancelled');
    expect(answers.length).toBeGreaterThan(20);
    expect(answers.length).toBeLessThan(FILES);
    await expectKept(job, summary, answers);
  });

  it('by the error limit', async () => {
    const job = slowJob();
    job.world.paceMs = PACE_MS;
    const summary = await job.session(lock('bad/locked'), { maxErrors: 0 });
    const answers = heard(job);
    expect(summary.status).toBe('Failed');
    expect(summary.progress.filesFailed).toBe(1);
    expect(answers.length).toBeLessThan(FILES);
    await expectKept(job, summary, answers);
  });

  it('by a service that fails for good', async () => {
    const job = slowJob();
    let puts = 0;
    job.world.onPut = () => (++puts > 100 ? 'error' : undefined);
    const summary = await job.session();
    const answers = heard(job);
    expect(summary.status).toBe('Failed');
    expect(summary.error).toMatchObject({ code: 'service-unavailable' });
    expect(answers.length).toBeGreaterThan(90);
    await expectKept(job, summary, answers);
  });

  it('by a service that refuses one put of many', async () => {
    const job = slowJob();
    let puts = 0;
    job.world.onPut = () => (++puts === 100 ? 'error' : undefined);
    const summary = await job.session();
    const answers = heard(job);
    expect(summary.status).toBe('Failed');
    expect(answers.length).toBeGreaterThan(90);
    await expectKept(job, summary, answers);
  });
});

describe('a kill on a slow link (issue 12, number 6)', () => {
  it('loses at most what was done in the last seconds', async () => {
    const job = slowJob();
    job.world.paceMs = PACE_MS;
    let killedAtMs = 0;
    const timer = setTimeout(() => {
      killedAtMs = Date.now();
      job.world.kill();
    }, LOST_MS + 4000);
    const summary = await job.session();
    clearTimeout(timer);
    expect(killedAtMs).toBeGreaterThan(0);
    expect(summary.status).toBe('Failed');
    const answers = answered(job, killedAtMs - LOST_MS);
    expect(answers.length).toBeGreaterThan(40);
    expect(answered(job).length).toBeLessThan(FILES);
    await expectKept(job, undefined, answers);
  });
});

describe('a large file of which one segment hangs', () => {
  const SEGMENTS = 21;
  const SIZE = SMALL.firstSegmentBytes + SEGMENTS * SMALL.fileSegmentBytes - 1000;
  const segmentsOf = (job: Job) =>
    job.world.answers.filter(({ type }) => type === ObjectType.segment).map(({ name }) => name);

  it.each([
    ['the first', 1, 'stopped', false],
    ['the sixth', 6, 'stopped', false],
    ['the last', 'last', 'stopped', false],
    ['the first, of a linked file', 1, 'killed', true],
  ] as const)(
    '%s: what was recorded of the others is not sent again when the job was stopped or killed',
    async (_what, hangs, end, linked) => {
      const job = new Job(base, { preserveHardLinks: linked, compression: 'DISABLED' }, new KillableWorld(true));
      job.file('d/large', someBytes(SIZE, 1));
      if (linked) job.link('d/large', 'e/large');
      let puts = 0;
      job.world.onPut = (name, body) => {
        if (decodeObjectName(name)?.type !== ObjectType.segment) return undefined;
        puts++;
        // The last one is shorter than the others.
        const isIt = hangs === 'last' ? body.length < SMALL.fileSegmentBytes : puts === hangs;
        if (!isIt) return undefined;
        return new Promise<undefined>(() => undefined);
      };
      const stop = new AbortController();
      const timer = setTimeout(() => (end === 'stopped' ? stop.abort() : job.world.kill()), 2500);
      const first = await job.session({}, { signal: stop.signal });
      clearTimeout(timer);
      expect(first.status).toBe(end === 'stopped' ? 'Cancelled' : 'Failed');
      const before = segmentsOf(job);
      expect(before.length).toBe(SEGMENTS - 1);
      const lacking = hangs === 'last' ? SMALL.fileSegmentBytes - 1000 : SMALL.fileSegmentBytes;
      expect(jobStatus(job.statePath).bytesDone).toBe(SIZE - SMALL.firstSegmentBytes - lacking);
      job.world.onPut = undefined;
      const last = await job.session();
      expect(last.error).toBeUndefined();
      expect(last.status).toBe('Completed');
      expect(last.listing).toBe('checked');
      expect(last.progress.bytesDone).toBe(SIZE);
      const after = segmentsOf(job);
      expect(after.length).toBe(1);
      expect(before).not.toContain(after[0]);
      await expectFaithful(job.source, job.world.store, SMALL);
    },
  );

  it('what was recorded beyond the gap counts no more when the file has changed', async () => {
    const job = new Job(base, { compression: 'DISABLED' }, new KillableWorld(true));
    job.file('d/large', someBytes(SIZE, 1));
    let puts = 0;
    job.world.onPut = (name) =>
      decodeObjectName(name)?.type === ObjectType.segment && ++puts === 6
        ? new Promise<undefined>(() => undefined)
        : undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 2000);
    expect((await job.session({}, { signal: stop.signal })).status).toBe('Cancelled');
    clearTimeout(timer);
    expect(segmentsOf(job).length).toBe(SEGMENTS - 1);
    job.world.onPut = undefined;
    job.change('d', () => job.file('d/large', someBytes(SIZE - SMALL.fileSegmentBytes, 2)));
    const last = await job.session();
    expect(last.status).toBe('Completed');
    expect(last.listing).toBe('checked');
    expect(last.progress.bytesDone).toBe(SIZE - SMALL.fileSegmentBytes);
    await expectFaithful(job.source, job.world.store, SMALL);
  });
});

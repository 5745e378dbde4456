import { describe, expect, it } from 'vitest';
import type { Kind } from '../engine/kinds.js';
import { ClfsError } from '../error.js';
import type { WorkerLink } from '../remote/link.js';
import { type Candidate, decode, encode, type Question } from '../remote/messages.js';
import type { MemberLanes } from './member-lanes.js';
import { serveJobs } from './serve-jobs.js';

interface TestKinds {
  readonly note: Kind<string, string, string>;
}

/** A worker whose drivers the test plays, on a clock that goes as fast as it is asked. */
function setUp(
  driver: (candidate: Candidate) => object | undefined,
  openLanes: (setup: unknown, aheadMs: number) => Promise<MemberLanes<TestKinds>>,
) {
  let ms = 0;
  const stop = new AbortController();
  const reports: string[] = [];
  const asked: Question[] = [];
  const timers = new Set<() => void>();
  const clock = {
    now: () => 0,
    monotonic: () => ms,
    async sleep(delayMs: number) {
      ms += delayMs;
    },
    after(_delayMs: number, callback: () => void) {
      timers.add(callback);
      return { cancel: () => void timers.delete(callback) };
    },
  };
  const link: WorkerLink = {
    longestBytes: 65536,
    async apply(bytes, waitMs) {
      ms += waitMs;
      const answer = driver(JSON.parse(Buffer.from(bytes).toString()) as Candidate);
      return answer && Buffer.from(JSON.stringify(answer));
    },
    async ask(_epoch, bytes) {
      const question = decode<Question>(bytes);
      asked.push(question);
      return encode({ to: question.say });
    },
    pull: async () => undefined,
    close: async () => undefined,
  };
  const parts = { link, clock, name: 'host/1', threads: 1, signal: stop.signal, openLanes };
  return {
    stop,
    reports,
    asked,
    timers,
    run: () => serveJobs({ ...parts, report: (text) => void reports.push(text) }),
    now: () => ms,
    pass(passedMs: number) {
      ms += passedMs;
    },
  };
}

/** Lanes of which one is in trouble as soon as it has begun. */
function troubledLanes(begun: () => void): MemberLanes<TestKinds> {
  return {
    runner: {
      lanes: 1,
      start(events) {
        begun();
        events.failed(new ClfsError('target', 'No space left.'), 1);
      },
      submit: () => undefined,
      stop: () => undefined,
      abandon: () => undefined,
      close: async () => undefined,
    },
    lease: { extend: () => undefined, end: () => undefined, leftMs: () => 1 },
    counters: () => ({ requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 }),
    setCap: () => undefined,
    answerBy: () => undefined,
    close: async () => undefined,
  };
}

const setup = encode({}).toString('base64');

describe('a worker that a driver has no use for', () => {
  it('leaves it to others for a minute, so that another driver is heard', async () => {
    const asked: number[] = [];
    const { stop, reports, run, now } = setUp(
      ({ refusedBy = [] }) => {
        if (!refusedBy.includes('quick')) {
          asked.push(now());
          return { epoch: 'quick', refused: 'it is not for you' };
        }
        if (asked.length === 3) stop.abort();
        return undefined;
      },
      () => Promise.reject(new Error('no lanes are opened')),
    );
    await run();
    expect(asked).toHaveLength(3);
    for (const at of [1, 2]) expect(asked[at] - asked[at - 1]).toBeGreaterThanOrEqual(60_000);
    expect(reports).toEqual(['The driver of job quick refuses this worker: it is not for you.']);
  });

  it('opens lanes by how far its clock is ahead of that of the driver', async () => {
    const told: number[] = [];
    const { stop, run } = setUp(
      () => ({ epoch: 'job', leaseMs: 30_000, clockMs: 4000, setup }),
      async (_setup, aheadMs) => {
        told.push(aheadMs);
        stop.abort();
        throw new Error('nothing is mounted there.');
      },
    );
    await run();
    expect(told).toEqual([-4000]);
  });

  it('tries again when it could not take part: what it lacked may be there', async () => {
    let opened = 0;
    const { stop, reports, run, now } = setUp(
      ({ refusedBy = [] }) =>
        refusedBy.includes('job') ? undefined : { epoch: 'job', leaseMs: 30_000, clockMs: 0, setup },
      async () => {
        if (++opened === 3) stop.abort();
        throw new Error('nothing is mounted there.');
      },
    );
    await run();
    expect(now()).toBeGreaterThanOrEqual(120_000);
    expect(reports).toEqual(['This worker cannot take part in job job: nothing is mounted there.']);
  });

  it('stays away from a job in which it has trouble for longer each time, and begins anew when it went well', async () => {
    const workMs = [0, 0, 0, 0, 0, 0, 0, 0, 0, 65 * 60_000, 0];
    const { stop, reports, run, pass } = setUp(
      ({ refusedBy = [] }) =>
        refusedBy.includes('job') ? undefined : { epoch: 'job', leaseMs: 30_000, clockMs: 0, setup },
      async () =>
        troubledLanes(() => {
          pass(workMs.shift() ?? 0);
          if (workMs.length === 0) stop.abort();
        }),
    );
    await run();
    const minutes = reports.flatMap((text) => /tries again .* in (?:a minute|(\d+) minutes)/.exec(text)?.[1] ?? []);
    const tries = reports.filter((text) => text.includes('tries again'));
    expect(tries[0]).toBe('Worker host/1: tries again to take part in job job in a minute.');
    expect(tries[9]).toBe(tries[0]);
    expect(tries).toHaveLength(11);
    expect(minutes).toEqual(['2', '4', '8', '16', '32', '64', '64', '64', '2']);
  });

  it('ends when it is told to, though what it needs does not answer', async () => {
    const worker = setUp(
      () => ({ epoch: 'job', leaseMs: 30_000, clockMs: 0, setup }),
      () => {
        queueMicrotask(() => worker.stop.abort());
        return new Promise(() => undefined);
      },
    );
    await worker.run();
    expect(worker.asked).toMatchObject([{ say: 'leave', reason: 'it was told to end' }]);
  });

  it('is there for other jobs when what it needs does not answer, and tries again when it has', async () => {
    let answer: (late: MemberLanes<TestKinds>) => void = () => undefined;
    let opened = 0;
    let closed = 0;
    let others = 0;
    const worker = setUp(
      ({ refusedBy = [] }) => {
        if (!refusedBy.includes('job')) return { epoch: 'job', leaseMs: 30_000, clockMs: 0, setup };
        const late = { ...troubledLanes(() => undefined), close: async () => void closed++ };
        if (++others === 100) answer(late);
        return undefined;
      },
      () => {
        if (++opened === 2) {
          worker.stop.abort();
          throw new Error('it is asked again');
        }
        queueMicrotask(() => {
          for (const timer of worker.timers) timer();
        });
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    );
    await worker.run();
    expect(worker.now()).toBeGreaterThan(200_000);
    expect([others >= 100, closed, worker.timers.size]).toEqual([true, 1, 0]);
    expect(worker.reports[0]).toMatch(/^This worker cannot take part in job job: Its source, .* for 120 s\.$/);
  });

  it('tells no driver of a secret, whatever it is in', async () => {
    const secret = 'c2VjcmV0LWtleQ==';
    const worker = setUp(
      ({ refusedBy = [] }) => {
        if (!refusedBy.includes('job')) return { epoch: 'job', leaseMs: 30_000, clockMs: 0, setup };
        worker.stop.abort();
        return undefined;
      },
      async () => {
        throw new ClfsError('container', `There is no directory "/AccountName=a;AccountKey=${secret}".`);
      },
    );
    await worker.run();
    expect(worker.asked).toMatchObject([{ say: 'leave', reason: expect.stringContaining('AccountKey=-REDACTED-') }]);
    expect(JSON.stringify(worker.asked)).not.toContain(secret);
  });

  it('goes on when what comes is no answer', async () => {
    let asked = 0;
    const { stop, reports, run } = setUp(
      () => {
        if (++asked === 3) stop.abort();
        return { what: 'of another program' };
      },
      () => Promise.reject(new Error('no lanes are opened')),
    );
    await run();
    expect([asked, reports]).toEqual([3, []]);
  });
});

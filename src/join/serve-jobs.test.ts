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
function setUp(driver: (candidate: Candidate) => object | undefined, openLanes: () => Promise<MemberLanes<TestKinds>>) {
  let ms = 0;
  const stop = new AbortController();
  const reports: string[] = [];
  const clock = {
    now: () => 0,
    monotonic: () => ms,
    async sleep(delayMs: number) {
      ms += delayMs;
    },
    after: () => ({ cancel: () => undefined }),
  };
  const link: WorkerLink = {
    longestBytes: 65536,
    async apply(bytes, waitMs) {
      ms += waitMs;
      const answer = driver(JSON.parse(Buffer.from(bytes).toString()) as Candidate);
      return answer && Buffer.from(JSON.stringify(answer));
    },
    ask: async (_epoch, bytes) => encode({ to: decode<Question>(bytes).say }),
    pull: async () => undefined,
    close: async () => undefined,
  };
  const parts = { link, clock, name: 'host/1', threads: 1, signal: stop.signal, openLanes };
  return {
    stop,
    reports,
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

  it('tries again when it could not take part: what it lacked may be there', async () => {
    let opened = 0;
    const { stop, reports, run, now } = setUp(
      ({ refusedBy = [] }) => (refusedBy.includes('job') ? undefined : { epoch: 'job', leaseMs: 30_000, setup }),
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
      ({ refusedBy = [] }) => (refusedBy.includes('job') ? undefined : { epoch: 'job', leaseMs: 30_000, setup }),
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

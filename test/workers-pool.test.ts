import { describe, expect, it } from 'vitest';
import { Lease } from '../src/container/lease.js';
import { createRateLimit } from '../src/container/rate-limit.js';
import { Traffic } from '../src/container/traffic.js';
import { Engine } from '../src/engine/engine.js';
import { createInlineRunner } from '../src/engine/inline-runner.js';
import { joinRunners } from '../src/engine/joined-runner.js';
import type { Kind } from '../src/engine/kinds.js';
import { createLane } from '../src/engine/lane.js';
import type { Runner, RunnerEvents } from '../src/engine/runner.js';
import { type Plan, workOf } from '../src/engine/work.js';
import { ClfsError } from '../src/error.js';
import type { Listener, WorkerLink } from '../src/remote/link.js';
import { Member } from '../src/remote/member.js';
import {
  type Answer,
  type Candidate,
  encode,
  PROTOCOL,
  type Question,
  WIRE_FORMAT,
  type WorkerCounters,
} from '../src/remote/messages.js';
import { readAnswer, readWelcome } from '../src/remote/read-messages.js';
import { RemotePool } from '../src/remote/remote-pool.js';
import type { Clock } from '../src/time/clock.js';
import { VERSION } from '../src/version.js';
import { VirtualTime } from './lives/virtual-time.js';

interface PoolKinds {
  readonly note: Kind<string, string, string>;
}

const LEASE_MS = 10_000;
const COUNTERS = { requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 };

function clockOf(time: VirtualTime): Clock {
  return {
    now: () => time.ms,
    monotonic: () => time.ms,
    sleep: (delayMs, signal) => time.sleep(delayMs, signal),
    after: (delayMs, call) => time.after(delayMs, call),
  };
}

const candidateOf = (worker: string, more: Partial<Candidate> = {}): Candidate => ({
  protocol: PROTOCOL,
  wire: WIRE_FORMAT,
  version: VERSION,
  worker,
  name: 'host/1',
  lanes: 1,
  user: 0,
  clockMs: 0,
  ...more,
});

/** A pool whose workers the test plays, message by message. */
function setUp(more: { readonly ownLanes?: number; readonly capMbps?: number } = {}) {
  const time = new VirtualTime();
  const reports: string[] = [];
  const waiting: number[] = [];
  const shares: number[] = [];
  const offered: number[] = [];
  let heldUpMs = 0;
  let listener: Listener | undefined;
  const pool = new RemotePool<PoolKinds>({
    link: {
      longestBytes: 65536,
      queue: 'queue',
      listen(told) {
        listener = told;
      },
      offer: (ticket) => void offered.push(ticket),
      withdraw: () => undefined,
      close: async () => undefined,
    },
    clock: { ...clockOf(time), monotonic: () => time.ms + heldUpMs },
    epoch: 'epoch',
    leaseMs: LEASE_MS,
    lateArrivalMs: 0,
    setup: {},
    capMbps: 0,
    ownLanes: 0,
    ...more,
    ownShare: (share) => void shares.push(share),
    report: (text) => void reports.push(text),
    counted: ({ waitingMs }) => void waiting.push(waitingMs),
  });
  const raw = (bytes: Uint8Array) => {
    let answer: Answer | undefined;
    listener?.question(bytes, (told) => {
      answer = readAnswer(told);
    });
    return answer;
  };
  const ask = (question: Question) => raw(encode(question));
  /** Asks what is answered later. */
  const hear = (question: Question, heard: (answer: Answer | undefined) => void) =>
    listener?.question(encode(question), (told) => heard(readAnswer(told)));
  const apply = (candidate: unknown) => {
    const answer = listener?.candidate(Buffer.from(JSON.stringify(candidate)));
    return answer && readWelcome(answer);
  };
  const join = (worker: string, candidate: Partial<Candidate> = {}) => {
    expect(apply(candidateOf(worker, candidate))).toMatchObject({ epoch: 'epoch' });
    expect(ask({ say: 'begin', worker })).toEqual({ to: 'begin' });
  };
  const close = async () => {
    await pool.close();
    time.clear();
  };
  const connected = (open: boolean) => listener?.connected(open);
  /** Time goes by in which the driver does nothing, and hears nobody. */
  const holdUp = (ms: number) => {
    heldUpMs += ms;
  };
  return { time, pool, connected, holdUp, reports, waiting, shares, offered, raw, ask, hear, apply, join, close };
}

type SetUp = ReturnType<typeof setUp>;

/** What a runner tells. */
function listenTo(pool: RemotePool<PoolKinds>) {
  const told: unknown[] = [];
  pool.start({
    part: (ticket, { part }) => void told.push(['part', ticket, part]),
    done: (ticket, { result }) => void told.push(['done', ticket, result]),
    lost: (ticket, _untilMs, { share }) => void told.push(['lost', ticket, share]),
    failed: (error, ticket) => void told.push(['failed', String(error), ticket]),
    remoteLanes: () => undefined,
  });
  return told;
}

const take = (
  { ask }: SetUp,
  worker: string,
  ticket: number,
  { attempt = ticket, deliveries = 1, piece = 0, most = 1000 } = {},
) => ask({ say: 'take', worker, ticket, attempt, deliveries, piece, most });

describe('a pool of workers', () => {
  it('leaves out what no worker sends, says so once, and goes on', async () => {
    const set = setUp();
    const { pool, raw, apply, join, ask, reports, close } = set;
    const told = listenTo(pool);
    for (const bytes of [Buffer.alloc(0), Buffer.from('what?'), encode(null), encode({ say: 'sing' }), encode(7)])
      expect(raw(bytes)).toBeUndefined();
    for (const nonsense of [null, 7, [], {}, { ...candidateOf('w'), lanes: 1e9 }, { ...candidateOf('w'), name: 7 }])
      expect(apply(nonsense)).toBeUndefined();
    join('w');
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    expect(take(set, 'w', 1)).toMatchObject({ to: 'take', go: true });
    for (const wrong of [
      { say: 'here', worker: 'w', counters: { ...COUNTERS, requests: 'many' } },
      { say: 'tell', worker: 'w', ticket: 1, number: 0, more: false, what: 'done', bytes: 'text' },
      { say: 'take', worker: 'w', ticket: 1 },
    ])
      expect(raw(encode(wrong))).toBeUndefined();
    const result = { kind: 'note', result: 'b' };
    ask({ say: 'tell', worker: 'w', ticket: 1, number: 0, more: false, what: 'done', bytes: encode(result) });
    expect(told).toEqual([['done', 1, 'b']]);
    expect(reports.filter((text) => text.includes('not of a worker'))).toHaveLength(1);
    await close();
  });

  it('shows the rate of what a worker has read of the service, too: that is all that one of an export does', async () => {
    const set = setUp();
    set.join('w');
    await set.time.sleep(10_000);
    for (const bytesReceived of [4_000_000, 10_000_000, 8_000_000])
      set.ask({ say: 'here', worker: 'w', counters: { ...COUNTERS, bytesSent: 500_000, bytesReceived } });
    expect(set.pool.workers.presence).toMatchObject([{ name: 'host/1', bytesPerSecond: 1_050_000 }]);
    await set.close();
  });

  it('says what each has done since it takes part, and stays at that when all is over, however long the end takes', async () => {
    const set = setUp();
    set.join('w');
    set.join('v', { name: 'host/2' });
    const here = (worker: string, bytesSent: number) =>
      set.ask({ say: 'here', worker, counters: { ...COUNTERS, bytesSent } });
    here('v', 1_000_000);
    set.ask({ say: 'leave', worker: 'v', reason: 'it was told to end', suspect: false });
    // The rate is of the last ten seconds.
    for (let second = 0; second < 15; second++) {
      here('w', 3_000_000);
      await set.time.sleep(1000);
    }
    const last = [
      { name: 'host/1', bytesPerSecond: 0, bytes: 3_000_000 },
      { name: 'host/2', trouble: 'it was told to end', bytes: 1_000_000 },
    ];
    expect(set.pool.workers.presence).toMatchObject(last);
    const closed = set.pool.close();
    await set.time.sleep(60_000);
    await closed;
    expect(set.pool.workers.presence).toMatchObject(last);
    await set.close();
  });

  it('lets a worker go that asks for what it knows nothing of: it would ask for ever', async () => {
    const set = setUp();
    set.join('w');
    const answers: unknown[] = [];
    set.hear({ say: 'ask', worker: 'w', what: 'what?' }, (answer) => answers.push(answer));
    await set.time.sleep(1);
    expect(answers).toEqual([{ to: 'nobody' }]);
    expect(set.reports.at(-1)).toBe('host/1 has gone: it asks for what the driver does not know');
    await set.close();
  });

  it.each([
    ['no data', Buffer.from('no result'), 'done'],
    ['nothing', encode(null), 'done'],
    ['the result of a task of another kind', encode({ kind: 'song', result: 'b' }), 'done'],
    ['no part of a task', encode(['note']), 'part'],
    ['no failure', encode(undefined), 'failed'],
  ] as const)('gives to others what a worker has that tells %s', async (_, bytes, what) => {
    const set = setUp();
    const { pool, join, ask, reports, close } = set;
    const told = listenTo(pool);
    join('w');
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    take(set, 'w', 1);
    expect(ask({ say: 'tell', worker: 'w', ticket: 1, number: 0, more: false, what, bytes })).toEqual({ to: 'nobody' });
    expect(told).toEqual([['lost', 1, 0]]);
    expect(reports.at(-1)).toMatch(/^host\/1 has gone: what it tells cannot be understood.* given to others$/);
    await close();
  });

  it('gives up what workers have when the server is away for a lease, though it may never come back', async () => {
    const set = setUp({ ownLanes: 1 });
    const { time, pool, join, connected, close } = set;
    const told = listenTo(pool);
    join('w');
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
    take(set, 'w', 1);
    connected(false);
    await time.sleep(LEASE_MS - 1000);
    expect(told).toEqual([]);
    await time.sleep(5000);
    expect(told).toEqual([
      ['lost', 1, 0],
      ['lost', 2, 0],
    ]);
    await close();
  });

  it('gives up what a worker had that is dead, however often the driver is held up meanwhile', async () => {
    const set = setUp();
    const { time, pool, holdUp, join, close } = set;
    const told = listenTo(pool);
    join('w');
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    take(set, 'w', 1);
    for (let turn = 0; turn < 10; turn++) {
      await time.sleep(3000);
      holdUp(3000);
    }
    expect(told).toMatchObject([['lost', 1, 1]]);
    await close();
  });

  it('holds nothing against a worker that it could not hear of, since it was held up itself', async () => {
    const set = setUp();
    const { time, pool, holdUp, join, ask, close } = set;
    const told = listenTo(pool);
    join('w');
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    take(set, 'w', 1);
    for (let turn = 0; turn < 5; turn++) {
      holdUp(10 * LEASE_MS);
      await time.sleep(LEASE_MS / 2);
      expect(ask({ say: 'here', worker: 'w', counters: COUNTERS })).toMatchObject({ to: 'here' });
    }
    expect(told).toEqual([]);
    await close();
  });

  it('gives back what nobody has taken when its last worker goes, where there are other lanes', async () => {
    const set = setUp({ ownLanes: 2 });
    const { pool, join, ask, close } = set;
    const told = listenTo(pool);
    for (const worker of ['first', 'second']) join(worker);
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
    take(set, 'first', 1);
    ask({ say: 'leave', worker: 'second', reason: 'enough', suspect: false });
    expect(told).toEqual([]);
    ask({ say: 'leave', worker: 'first', reason: 'enough', suspect: false });
    expect(told).toEqual([
      ['lost', 1, 0],
      ['lost', 2, 0],
    ]);
    await close();
  });

  it('leaves a job with lanes of its own to them when its only worker goes before it has taken anything', async () => {
    const { time, pool, join, ask, offered, close } = setUp({ ownLanes: 1 });
    const work = workOf<PoolKinds>();
    const todo = Array.from({ length: 8 }, (_, at) => `${at}`);
    const done: string[] = [];
    const give = (task: string) =>
      work('note', { task, units: 1024, done: (result) => void done.push(result), lost: () => void todo.push(task) });
    const plan: Plan<PoolKinds> = {
      next(turn) {
        while (turn.room > 0 && todo.length > 0) turn.give(give(todo.shift() as string));
      },
      advance: () => 'end',
      bytesAhead: () => 0,
    };
    const lane = createLane<PoolKinds, undefined>({ note: async (task) => task }, undefined, {
      stop: () => undefined,
      abandon: () => undefined,
      close: async () => undefined,
    });
    join('w');
    const clock = clockOf(time);
    const store = { transact: <T>(change: () => T) => change() };
    const engine = new Engine({ plan, store, clock, allLanes: true, cancelled: () => new Error('cancelled') });
    const runner: Runner<PoolKinds> = joinRunners(createInlineRunner(lane), pool);
    const run = engine.run(runner, new AbortController().signal);
    while (offered.length === 0) await new Promise((resolve) => setImmediate(resolve));
    ask({ say: 'leave', worker: 'w', reason: 'enough', suspect: false });
    await run;
    expect(done.sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    await close();
  });

  it.each([
    ['a worker has gone, held up or not', 1],
    ['the server was away', 0],
  ])('counts it against what a worker had only where %s', async (_, share) => {
    const set = setUp();
    const { time, pool, join, connected, close } = set;
    const told = listenTo(pool);
    await time.sleep(5000);
    join('w');
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    take(set, 'w', 1);
    if (share > 0) time.pass(5000);
    else {
      connected(false);
      await time.sleep(5000);
      connected(true);
    }
    await time.sleep(LEASE_MS);
    expect(told).toEqual([]);
    await time.sleep(LEASE_MS);
    expect(told).toEqual([['lost', 1, share]]);
    await close();
  });

  it('shares the cap with the lanes of this process: all together never have more', async () => {
    const { join, ask, shares, close } = setUp({ capMbps: 100, ownLanes: 4 });
    const workers = new Map<string, number>();
    const sum = () => {
      let mbps = shares.at(-1) ?? 100;
      for (const worker of workers.keys()) {
        const answer = ask({ say: 'here', worker, counters: COUNTERS });
        if (answer?.to === 'here') mbps += answer.capMbps;
      }
      return mbps;
    };
    for (const [worker, lanes] of [
      ['a', 4],
      ['b', 12],
    ] as const) {
      workers.set(worker, lanes);
      join(worker, { lanes });
      expect(sum()).toBeCloseTo(100);
    }
    expect(shares).toEqual([50, 20]);
    ask({ say: 'leave', worker: 'b', reason: 'enough', suspect: false });
    workers.delete('b');
    expect(sum()).toBeCloseTo(100);
    // As the lanes of this process keep to it.
    const traffic = new Traffic(1);
    const limit = createRateLimit(100, traffic);
    expect(limit.durationMs(1_000_000)).toBeCloseTo(80);
    [traffic.capMbps[0]] = shares;
    expect(limit.durationMs(1_000_000)).toBeCloseTo(160);
    await close();
  });

  it('shows for how long some worker has waited for the service, whatever the others tell', async () => {
    const { join, ask, waiting, close } = setUp();
    for (const worker of ['a', 'b']) join(worker);
    ask({ say: 'here', worker: 'a', counters: { ...COUNTERS, waitingMs: 5000 } });
    ask({ say: 'here', worker: 'b', counters: COUNTERS });
    expect(waiting).toEqual([5000, 5000]);
    ask({ say: 'leave', worker: 'a', reason: 'enough', suspect: false });
    expect(waiting.at(-1)).toBe(0);
    await close();
  });

  it('tells once of a worker that it refuses, and leaves it to other drivers when it asks again', async () => {
    const { apply, reports, close } = setUp();
    for (const worker of ['life-1', 'life-2'])
      expect(apply({ ...candidateOf(worker), protocol: 99 })).toMatchObject({ refused: expect.any(String) });
    expect(reports.filter((text) => text.includes('is refused'))).toHaveLength(1);
    expect(apply(candidateOf('life-3', { refusedBy: ['another', 'epoch'] }))).toBeUndefined();
    expect(apply(candidateOf('life-4', { refusedBy: ['another'] }))).toMatchObject({ epoch: 'epoch' });
    await close();
  });

  it('refuses a worker of another version, whose tasks are not the same, whatever the protocol', async () => {
    const { apply, reports, close } = setUp();
    expect(apply({ ...candidateOf('w'), version: '0.1.9' })).toMatchObject({
      refused: expect.stringContaining(`it is clfsload 0.1.9, the driver is ${VERSION}`),
    });
    expect(reports).toHaveLength(1);
    await close();
  });

  it('says whose trouble it was that ended a task, and the job with it', async () => {
    const set = setUp();
    const { pool, join, ask, close } = set;
    const told = listenTo(pool);
    join('w');
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
    const broken = { code: 'target', message: 'No space left.' };
    for (const [ticket, result] of [
      [1, { done: 3, broken }],
      [2, { done: 4, broken: undefined }],
    ] as const) {
      take(set, 'w', ticket);
      const bytes = encode({ kind: 'note', result });
      ask({ say: 'tell', worker: 'w', ticket, number: 0, more: false, what: 'done', bytes });
    }
    expect(told).toEqual([
      ['done', 1, { done: 3, broken: { code: 'target', message: 'host/1: No space left.' } }],
      ['done', 2, { done: 4, broken: undefined }],
    ]);
    await close();
  });

  it.each([
    ['a part, where a machine may have it of itself', 'service-unavailable', 0.25],
    ['all, where the next one may have it too', 'service', 1],
  ] as const)('blames a task for %s, and says what has ended it', async (_, code, share) => {
    const set = setUp();
    const { pool, join, ask, close } = set;
    const lost: unknown[] = [];
    const ignored = { part: () => undefined, done: () => undefined, failed: () => undefined };
    pool.start({
      ...ignored,
      lost: (ticket, _untilMs, blame) => void lost.push([ticket, blame]),
      remoteLanes: () => undefined,
    });
    join('w');
    for (const ticket of [1, 2]) {
      pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
      take(set, 'w', ticket);
    }
    ask({ say: 'leave', worker: 'w', reason: 'no answer', suspect: false, trouble: { code, ticket: 2 } });
    expect(lost).toEqual([
      [1, { share: 0 }],
      [2, { share, broken: { code, message: 'host/1: no answer' } }],
    ]);
    await close();
  });

  it('blames no task for a trouble that came with none', async () => {
    const set = setUp();
    const { pool, join, ask, close } = set;
    const told = listenTo(pool);
    join('w');
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    take(set, 'w', 1);
    ask({ say: 'leave', worker: 'w', reason: 'EMFILE', suspect: false, trouble: { code: 'open-files' } });
    expect(told).toContainEqual(['lost', 1, 0]);
    await close();
  });

  it('ends with the reason of the last worker when that has gone in trouble, unless another one comes soon', async () => {
    const set = setUp();
    const { time, pool, join, ask, close } = set;
    const told = listenTo(pool);
    const goInTrouble = (worker: string, ticket: number) => {
      join(worker);
      take(set, worker, ticket);
      const trouble = { code: 'target', ticket } as const;
      ask({ say: 'leave', worker, reason: `No space for ${worker}.`, suspect: false, trouble });
    };
    for (const ticket of [1, 2, 3]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
    goInTrouble('a', 1);
    await time.sleep(2900);
    join('b');
    await time.sleep(9000);
    // Of one that goes without a word it is not known that it had a trouble: somebody else may come.
    goInTrouble('c', 2);
    ask({ say: 'leave', worker: 'b', reason: 'enough', suspect: false });
    await time.sleep(60_000);
    const lost = [
      ['lost', 1, 0.25],
      ['lost', 2, 0.25],
    ];
    expect(told).toEqual(lost);
    pool.submit(0, 4, { kind: 'note', task: 'a' }, 1);
    goInTrouble('d', 3);
    await time.sleep(2000);
    expect(told).toEqual([...lost, ['lost', 3, 0.25]]);
    await time.sleep(2000);
    expect(told.slice(3)).toEqual([['failed', 'ClfsError: host/1: No space for d.', 4]]);
    await close();
  });

  it('waits as long for another one though it was held up itself, or the server was away: nobody could come', async () => {
    const set = setUp();
    const { time, pool, join, ask, holdUp, connected, close } = set;
    const told = listenTo(pool);
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    pool.submit(0, 2, { kind: 'note', task: 'a' }, 1);
    join('a');
    take(set, 'a', 1);
    const trouble = { code: 'target', ticket: 1 } as const;
    ask({ say: 'leave', worker: 'a', reason: 'No space.', suspect: false, trouble });
    await time.sleep(1500);
    holdUp(60_000);
    connected(false);
    await time.sleep(10_000);
    connected(true);
    await time.sleep(1000);
    expect(told).toEqual([['lost', 1, 0.25]]);
    join('b');
    await time.sleep(10_000);
    expect(told).toEqual([['lost', 1, 0.25]]);
    await close();
  });

  it('waits for one that makes sure that it can take part, for as long as that takes', async () => {
    const set = setUp();
    const { time, pool, join, ask, apply, close } = set;
    const told = listenTo(pool);
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
    const goInTrouble = (worker: string, ticket: number) => {
      join(worker);
      take(set, worker, ticket);
      const trouble = { code: 'target', ticket } as const;
      ask({ say: 'leave', worker, reason: 'No space.', suspect: false, trouble });
    };
    goInTrouble('a', 1);
    apply(candidateOf('b'));
    await time.sleep(15_000);
    expect(told).toEqual([['lost', 1, 0.25]]);
    // It cannot: then nobody is waited for.
    ask({ say: 'leave', worker: 'b', reason: 'another source', suspect: false });
    await time.sleep(2000);
    expect(told.slice(1)).toEqual([['failed', 'ClfsError: host/1: No space.', 2]]);
    await close();
  });

  it('tells nobody that all is over who cannot hear it, and does not wait for that', async () => {
    for (const isAway of [false, true]) {
      const { time, pool, join, connected } = setUp();
      listenTo(pool);
      join('w');
      if (isAway) connected(false);
      else await time.sleep(LEASE_MS / 2);
      const begun = time.ms;
      await pool.close();
      expect(time.ms - begun).toBeLessThan(100);
      time.clear();
    }
  });

  it('gives whoever has a task the rest of it, though the job stops: it would be waited for', async () => {
    const set = setUp();
    const { pool, join, ask, close } = set;
    const told = listenTo(pool);
    join('w');
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a'.repeat(100_000) }, 1);
    expect(take(set, 'w', 1)).toMatchObject({ go: true, pieces: 2 });
    pool.stop();
    expect(take(set, 'w', 1, { piece: 1 })).toMatchObject({ go: true });
    expect(take(set, 'w', 2)).toEqual({ to: 'take', go: false });
    const bytes = encode({ kind: 'note', result: 'nothing' });
    ask({ say: 'tell', worker: 'w', ticket: 1, number: 0, more: false, what: 'done', bytes });
    expect(told).toEqual([['done', 1, 'nothing']]);
    await close();
  });

  it('refuses a late copy of what it has refused: who asked has forgotten the ticket, and nobody would do it', async () => {
    const set = setUp();
    const { time, pool, join, ask, offered, close } = set;
    const told = listenTo(pool);
    for (const worker of ['full', 'free']) join(worker);
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1000);
    const done = (worker: string, ticket: number) => {
      const bytes = encode({ kind: 'note', result: 'b' });
      ask({ say: 'tell', worker, ticket, number: 0, more: false, what: 'done', bytes });
    };
    expect(take(set, 'full', 1, { attempt: 1 })).toMatchObject({ go: true });
    expect(take(set, 'full', 2, { attempt: 2 })).toEqual({ to: 'take', go: false });
    done('full', 1);
    // It has room now, and each of its copies comes again.
    for (const attempt of [2, 1, 2]) expect(take(set, 'full', 2, { attempt })).toEqual({ to: 'take', go: false });
    await time.sleep(1000);
    // Once for the first refusal and all that came soon after it.
    expect(offered).toEqual([1, 2, 2]);
    expect(take(set, 'free', 2, { attempt: 1 })).toMatchObject({ go: true });
    done('free', 2);
    expect(told).toEqual([
      ['done', 1, 'b'],
      ['done', 2, 'b'],
    ]);
    await close();
  });

  it('gives a ticket to one that it has refused when that tries again', async () => {
    const set = setUp();
    const { pool, join, ask, close } = set;
    listenTo(pool);
    join('w');
    for (const ticket of [1, 2]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1000);
    expect(take(set, 'w', 1, { attempt: 1 })).toMatchObject({ go: true });
    expect(take(set, 'w', 2, { attempt: 2 })).toMatchObject({ go: false });
    const bytes = encode({ kind: 'note', result: 'b' });
    ask({ say: 'tell', worker: 'w', ticket: 1, number: 0, more: false, what: 'done', bytes });
    expect(take(set, 'w', 2, { attempt: 3 })).toMatchObject({ go: true });
    // What is sent again, as its answer was lost, is granted again.
    expect(take(set, 'w', 2, { attempt: 3 })).toMatchObject({ go: true });
    await close();
  });

  it('gives nobody what the queue has given out before, and has it done as a new task; it says so once', async () => {
    const set = setUp();
    const { pool, join, reports, close } = set;
    const told = listenTo(pool);
    join('w');
    for (const ticket of [1, 2, 3]) pool.submit(0, ticket, { kind: 'note', task: 'a' }, 1);
    for (const ticket of [1, 2]) expect(take(set, 'w', ticket, { deliveries: 2 })).toEqual({ to: 'take', go: false });
    // Who has it already is given the rest of it, however often that was found.
    expect(take(set, 'w', 3)).toMatchObject({ go: true });
    expect(take(set, 'w', 3, { deliveries: 2 })).toMatchObject({ go: true });
    expect(told).toEqual([
      ['lost', 1, 0],
      ['lost', 2, 0],
    ]);
    expect(take(set, 'w', 1)).toEqual({ to: 'take', go: false });
    expect(reports.filter((text) => text.includes('given out as a new one'))).toHaveLength(1);
    await close();
  });

  it('says that nobody is there, once, while work waits', async () => {
    const { time, pool, reports, join, ask, close } = setUp();
    const isTold = () => reports.filter((text) => text.includes('no worker takes part')).length;
    listenTo(pool);
    await time.sleep(20_000);
    expect(isTold()).toBe(0);
    pool.submit(0, 1, { kind: 'note', task: 'a' }, 1);
    await time.sleep(20_000);
    expect(isTold()).toBe(1);
    join('w');
    await time.sleep(5000);
    ask({ say: 'leave', worker: 'w', reason: 'enough', suspect: false });
    await time.sleep(20_000);
    expect(isTold()).toBe(2);
    await close();
  });
});

/** After so long the driver that the test plays answers. */
const ANSWER_MS = 10;
const LONGEST_BYTES = 65536;

/** A worker whose driver the test plays. */
function memberOf(
  answer: (question: Question) => Answer | undefined,
  { trouble, counters = COUNTERS }: { readonly trouble?: string; readonly counters?: WorkerCounters } = {},
) {
  const time = new VirtualTime();
  const asked: Question[] = [];
  const lease = new Lease(1);
  let events: RunnerEvents<PoolKinds> | undefined;
  const begun: number[] = [];
  const refused: number[] = [];
  const wishes: string[] = [];
  let waiting = 1;
  const link: WorkerLink = {
    longestBytes: LONGEST_BYTES,
    apply: async () => undefined,
    async ask(_epoch, bytes, waitMs) {
      await time.sleep(ANSWER_MS);
      if (bytes.length > LONGEST_BYTES) return undefined;
      const { deserialize } = await import('node:v8');
      const question = deserialize(bytes) as Question;
      asked.push(question);
      const told = answer(question);
      if (told) return encode(told);
      await time.sleep(waitMs);
      return undefined;
    },
    async pull(_queue, _most, waitMs, found) {
      const accept = () => undefined;
      const refuse = (ticket: number) => () => void refused.push(ticket);
      if (waiting-- > 0 && trouble === undefined) found({ ticket: 1, deliveries: 1, accept, refuse: refuse(1) });
      else {
        await time.sleep(waitMs);
        if (lease.leftMs({ monotonicMs: time.ms, nowMs: time.ms }) <= 0)
          found({ ticket: 2, deliveries: 1, accept, refuse: refuse(2) });
      }
      return trouble;
    },
    close: async () => undefined,
  };
  const member = new Member<PoolKinds>({
    link,
    clock: clockOf(time),
    epoch: 'epoch',
    worker: 'w',
    leaseMs: LEASE_MS,
    lease,
    runner: {
      lanes: 1,
      start(told) {
        events = told;
      },
      submit: (_lane, ticket) => void begun.push(ticket),
      // Threads that have not begun hear nothing.
      stop: () => void (begun.length > 0 && wishes.push('stop')),
      abandon: () => void (begun.length > 0 && wishes.push('abandon')),
      close: async () => undefined,
    },
    laneUnits: 1024,
    signal: new AbortController().signal,
    counters: () => counters,
    setCap: () => undefined,
  });
  return { time, lease, asked, begun, refused, wishes, events: () => events, end: member.run() };
}

describe('a worker', () => {
  const here = { to: 'here', wish: 'work', queue: 'queue', capMbps: 0 } as const;
  const task = { to: 'take', go: true, units: 1, pieces: 1, bytes: encode({ kind: 'note', task: 'a' }) } as const;

  it.each([
    ['as stopped', 'cancelled'],
    ['by a trouble', 'service-unavailable'],
  ] as const)(
    'whose lease has run out tells nothing of what has ended %s then, and does not go on when it is answered',
    async (_, code) => {
      let silent = false;
      const { time, lease, asked, begun, events, end } = memberOf(({ say }) => {
        if (silent) return undefined;
        return say === 'here' ? here : say === 'take' ? task : { to: 'begin' };
      });
      while (begun.length === 0) await time.sleep(10);
      // So that its lease ends between two looks at it.
      await time.sleep(3500);
      silent = true;
      const leftMs = () => lease.leftMs({ monotonicMs: time.ms, nowMs: time.ms });
      while (leftMs() > 0) await time.sleep(1);
      // What comes first is what a lane was about to put, and may not.
      events()?.failed(new ClfsError(code, 'It has ended.'), 1);
      silent = false;
      expect(await end).toMatchObject({ why: 'lease' });
      await time.sleep(60_000);
      expect(asked.filter(({ say }) => say === 'tell')).toEqual([]);
      expect(leftMs()).toBeLessThanOrEqual(0);
      time.clear();
    },
  );

  it.each([
    ['and why, where that is known', 'open-files', { why: 'trouble', trouble: { code: 'open-files' } }],
    ['and nothing of why, where a thread has died', 'worker', { why: 'broken' }],
  ] as const)('says that a thread has ended beside its tasks, %s', async (_, code, ended) => {
    const { time, begun, events, end } = memberOf(({ say }) =>
      say === 'here' ? here : say === 'take' ? task : { to: say as 'begin' },
    );
    while (begun.length === 0) await time.sleep(10);
    events()?.failed(new ClfsError(code, 'A worker thread ended.'));
    expect(await end).toEqual({ text: 'A worker thread ended.', ...ended });
    time.clear();
  });

  it('that has ended gives back at once what it is still given', async () => {
    const { time, begun, refused, events, end } = memberOf(({ say }) =>
      say === 'here' ? here : say === 'take' ? task : { to: say as 'begin' },
    );
    while (begun.length === 0) await time.sleep(10);
    events()?.failed(new ClfsError('worker', 'A worker thread ended.'));
    await end;
    await time.sleep(10_000);
    expect([begun, refused]).toEqual([[1], [2]]);
    time.clear();
  });

  it('has its lease from when it asked, not from when it was answered', async () => {
    const { time, lease, asked } = memberOf(({ say }) => (say === 'here' ? here : { to: say as 'begin' }));
    let longestMs = 0;
    for (let at = 0; at < 5000; at++) {
      await time.sleep(1);
      longestMs = Math.max(longestMs, lease.leftMs({ monotonicMs: time.ms, nowMs: time.ms }));
    }
    expect(asked.filter(({ say }) => say === 'here').length).toBeGreaterThan(3);
    expect(longestMs).toBeGreaterThan(0);
    expect(longestMs).toBeLessThanOrEqual(LEASE_MS - ANSWER_MS);
    time.clear();
  });

  it('ends its part when it is sent a task that cannot be understood, and takes no other answers for one', async () => {
    const wrong = { ...task, bytes: Buffer.from('no task') };
    let asks = 0;
    const { time, end, begun } = memberOf(({ say }) => {
      if (say === 'take') return ++asks > 1 ? wrong : ({ to: 'take', go: true } as Answer);
      return say === 'here' ? here : { to: say as 'begin' };
    });
    expect(await end).toMatchObject({ why: 'broken' });
    expect([asks, begun]).toEqual([2, []]);
    time.clear();
  });

  it('tells a long result in messages that the server takes, also while it has much to say of itself', async () => {
    const counters = { ...COUNTERS, stalled: `the source has not answered for 60 s: ${'d/'.repeat(2000)}` };
    const told: string[] = [];
    const { time, begun, events } = memberOf(
      (question) => {
        if (question.say === 'tell') told.push(question.more ? 'piece' : question.what);
        return question.say === 'here' ? here : question.say === 'take' ? task : { to: question.say as 'tell' };
      },
      { counters },
    );
    while (begun.length === 0) await time.sleep(10);
    events()?.done(1, { kind: 'note', result: 'x'.repeat(3 * LONGEST_BYTES) });
    await time.sleep(10_000);
    expect(told).toEqual(['piece', 'piece', 'piece', 'done']);
    time.clear();
  });

  it.each(['stop', 'abandon'] as const)(
    'that gets the rest of a task after the driver has said "%s" tells the thread that begins with it',
    async (wish) => {
      let wanted: typeof wish | 'work' = 'work';
      let isTold = false;
      const { time, begun, wishes } = memberOf((question) => {
        if (question.say === 'here') {
          isTold ||= wanted !== 'work';
          return { ...here, wish: wanted };
        }
        if (question.say !== 'take') return { to: question.say as 'begin' };
        wanted = wish;
        if (question.piece > 0) return isTold ? { ...task, pieces: 2, bytes: task.bytes.subarray(9) } : undefined;
        return { ...task, pieces: 2, bytes: task.bytes.subarray(0, 9) };
      });
      while (begun.length === 0) await time.sleep(10);
      expect(isTold).toBe(true);
      expect(wishes).toEqual([wish]);
      time.clear();
    },
  );

  it('that hears of its driver, and may not take tasks, leaves with the reason', async () => {
    const { time, end } = memberOf(({ say }) => (say === 'here' ? here : { to: say as 'begin' }), {
      trouble: 'it is not permitted',
    });
    const begunMs = time.ms;
    expect(await end).toEqual({ why: 'stuck', text: 'it cannot take tasks: it is not permitted' });
    expect(time.ms - begunMs).toBeGreaterThan(30_000);
    time.clear();
  });

  it('that does not hear of its driver when it begins says that it has gone: it may have been heard', async () => {
    const { time, end } = memberOf(() => undefined);
    expect(await end).toMatchObject({ why: 'lease' });
    time.clear();
  });
});

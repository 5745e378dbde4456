import { describe, expect, it } from 'vitest';
import { Lease } from '../src/container/lease.js';
import { Engine } from '../src/engine/engine.js';
import { createInlineRunner } from '../src/engine/inline-runner.js';
import type { Kind } from '../src/engine/kinds.js';
import { createLane } from '../src/engine/lane.js';
import { type Advance, type Plan, type Turn, type Work, workOf } from '../src/engine/work.js';
import type { WorkerLink } from '../src/remote/link.js';
import { Member } from '../src/remote/member.js';
import { PROTOCOL, WIRE_FORMAT } from '../src/remote/messages.js';
import { RemotePool } from '../src/remote/remote-pool.js';
import type { Clock } from '../src/time/clock.js';
import { VERSION } from '../src/version.js';
import { Gate } from './lives/gate.js';
import { Random } from './lives/random.js';
import { VirtualTime } from './lives/virtual-time.js';
import { MemoryServer } from './support/memory-server.js';

interface ModelKinds {
  readonly write: Kind<{ readonly name: string; readonly steps: number; readonly filler: Uint8Array }, string, string>;
}

const LEASE_MS = 10_000;
const LATE_MS = 20_000;
/** Who was given something has begun with it by then, or has lost it with its lease, whatever has happened meanwhile. */
const LONGEST_HELD_MS = 150_000;
/** A life that is not over then never ends: whoever could do something has been there for long. */
const LONGEST_MS = 3_600_000;
const work = workOf<ModelKinds>();

/** A process that can be frozen and killed. */
class ModelProcess extends Gate {
  readonly clock: Clock;

  constructor(time: VirtualTime) {
    super(time);
    const now = () => time.ms;
    this.clock = this.makeClock(now, now);
  }
}

/** What is in the container of the model, and what is recorded of it. */
class ModelJob implements Plan<ModelKinds> {
  readonly blobs = new Map<string, number>();
  readonly counted = new Set<string>();
  readonly leftovers = new Set<string>();
  readonly used = new Set<string>();
  /** Done, or lost. */
  readonly ended = new Set<string>();
  readonly faults: string[] = [];
  readonly #random: Random;
  readonly #todo: number[];
  readonly #items: number;
  readonly #unitsOf: () => number;
  #done = 0;
  #attempts = 0;

  constructor(items: number, random: Random, unitsOf: () => number) {
    this.#items = items;
    this.#unitsOf = unitsOf;
    this.#random = random;
    this.#todo = Array.from({ length: items }, (_, index) => index);
  }

  get isDone(): boolean {
    return this.#done === this.#items;
  }

  next(turn: Turn<ModelKinds>): void {
    while (turn.room > 0) {
      const item = this.#todo.shift();
      if (item === undefined) return;
      turn.give(this.#work(item));
    }
  }

  advance(): Advance {
    if (!this.isDone) this.faults.push('the plan was asked to go on while something was not done');
    return 'end';
  }

  bytesAhead(): number {
    return 0;
  }

  #work(item: number): Work<ModelKinds> {
    const name = `item ${item}, try ${++this.#attempts}`;
    const steps = this.#random.below(5);
    const told: string[] = [];
    const names = Array.from({ length: steps + 1 }, (_, step) => `${name}, step ${step}`);
    let ended = false;
    return work('write', {
      task: { name, steps, filler: Buffer.alloc(this.#random.chance(30) ? 5000 : 10) },
      units: this.#unitsOf(),
      part: (part) => {
        if (ended) this.faults.push(`${name}: a part after its end`);
        told.push(part);
        this.counted.add(part.trim());
      },
      done: (result) => {
        if (ended) this.faults.push(`${name}: ended twice`);
        ended = true;
        this.ended.add(name);
        const parts = [...told, result].map((text) => text.trim());
        if (parts.join('; ') !== names.join('; ')) this.faults.push(`${name} told ${parts.join('; ')}`);
        this.counted.add(result.trim());
        this.#done++;
      },
      lost: () => {
        ended = true;
        this.ended.add(name);
        for (const each of names) if (!this.counted.has(each)) this.leftovers.add(each);
        this.#todo.push(item);
      },
    });
  }
}

/** One life of a driver with workers that come, freeze, are cut off and die. */
async function live(seed: number) {
  const random = new Random(seed);
  const time = new VirtualTime();
  const rough = random.chance(60);
  const net = new MemoryServer(time, new Random(seed + 0.5), {
    dropped: rough ? random.below(20) : 0,
    doubled: rough ? random.below(20) : 0,
    delayed: rough ? random.below(20) : 0,
    longestDelayMs: 1 + random.below(15_000),
  });
  const driver = new ModelProcess(time);
  // Workers with little room, who take a task for small until they have it, are refused often.
  const isTight = random.chance(50);
  const laneUnits = isTight ? 16 : 1024;
  const items = isTight ? 30 + random.below(100) : 5 + random.below(60);
  const unitsOf = () => (isTight ? (random.chance(60) ? 1 : 32) : 1 + random.below(600));
  const job = new ModelJob(items, random, unitsOf);
  const happened = new Map<string, number>();
  const count = (what: string) => happened.set(what, (happened.get(what) ?? 0) + 1);
  let committedMs = Number.POSITIVE_INFINITY;
  const put = (name: string) => {
    if (time.ms > committedMs) job.faults.push(`${name} arrived after the commit`);
    if (job.blobs.has(name) && !name.endsWith('again')) count('put twice');
    job.blobs.set(name, time.ms);
  };

  const laneOf = (process: ModelProcess, lease: Lease) => {
    const isOpen = () => lease.leftMs({ monotonicMs: time.ms, nowMs: time.ms }) > 0;
    return createLane<ModelKinds, undefined>(
      {
        async write({ name, steps }, _shared, part) {
          if (job.used.has(name)) job.faults.push(`${name} is done twice`);
          job.used.add(name);
          for (let step = 0; step <= steps; step++) {
            await process.clock.sleep(random.below(1500));
            // Threads of a worker that does not take part any more are no more.
            if (!isOpen()) return await new Promise<never>(() => undefined);
            // The request is on its way whatever becomes of who sent it; what is told waits for its answer. It is late where
            // the way to the service fails together with its sender.
            await new Promise<void>((resolve) => {
              const land = () => {
                put(`${name}, step ${step}`);
                process.arrive(resolve);
              };
              const lateMs = LATE_MS - 300 - random.small(2000);
              time.after(200, () => void (process.isFrozen || process.isDead ? time.after(lateMs, land) : land()));
            });
            if (step < steps) part(`${name}, step ${step}`.padEnd(random.chance(20) ? 4000 : 0));
          }
          return `${name}, step ${steps}`;
        },
      },
      undefined,
      { stop: () => undefined, abandon: () => undefined, close: async () => undefined },
    );
  };

  const takePart = async (process: ModelProcess, link: WorkerLink, id: string) => {
    const facts = { protocol: PROTOCOL, wire: WIRE_FORMAT, version: VERSION, lanes: 1, user: 0, clockMs: 0 };
    const candidate = Buffer.from(JSON.stringify({ ...facts, worker: id, name: id }));
    while (!(await link.apply(candidate, 2000))) await process.clock.sleep(500);
    const lease = new Lease(1);
    const end = await new Member<ModelKinds>({
      link,
      clock: process.clock,
      epoch: 'epoch',
      worker: id,
      leaseMs: LEASE_MS,
      lease,
      runner: createInlineRunner(laneOf(process, lease)),
      laneUnits,
      signal: new AbortController().signal,
      counters: () => ({ requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 }),
      setCap: () => undefined,
    }).run();
    count(`ended: ${end.why}`);
  };

  const workers: ModelProcess[] = [];
  const add = () => {
    const process = new ModelProcess(time);
    const link = net.worker(process);
    const name = `worker-${workers.push(process)}`;
    void (async () => {
      for (let life = 1; ; life++) await takePart(process, link, `${name}-life-${life}`);
    })();
  };
  for (let at = 0; at < 3; at++) add();
  let over = false;
  const trouble = async () => {
    for (let events = random.below(12); events > 0 && !over; events--) {
      await time.sleep(random.below(8000));
      const process = random.pick(workers);
      const forMs = random.chance(50) ? random.below(LEASE_MS) : LEASE_MS + random.below(60_000);
      switch (random.below(6)) {
        case 0:
          process.die();
          count('killed');
          add();
          break;
        case 1:
        case 2:
          process.freeze();
          count('frozen');
          time.after(forMs, () => process.wake(random));
          break;
        case 3:
          net.setCut(process, true);
          count('cut off');
          time.after(forMs, () => net.setCut(process, false));
          break;
        case 4:
          net.leave(random.chance(50));
          count('server away');
          time.after(forMs, () => net.comeBack());
          break;
        default:
          add();
      }
    }
    // In the end there is somebody who can do it.
    add();
  };

  const link = await net.driver(driver)({ job: 'job', epoch: 'epoch' });
  const offer = link.offer.bind(link);
  const offered = new Set<number>();
  link.offer = (ticket) => {
    if (offered.has(ticket)) count('refused for want of room');
    offered.add(ticket);
    offer(ticket);
  };
  const withdraw = link.withdraw.bind(link);
  const names = new Map<number, string>();
  link.withdraw = (ticket) => {
    withdraw(ticket);
    const name = names.get(ticket) ?? '';
    // It was given to somebody, or given up.
    time.after(LONGEST_HELD_MS, () => {
      if (!over && !job.used.has(name) && !job.ended.has(name))
        job.faults.push(`${name} is somebody's who does not do it`);
    });
  };
  const pool = new RemotePool<ModelKinds>({
    link,
    clock: driver.clock,
    epoch: 'epoch',
    leaseMs: LEASE_MS,
    lateArrivalMs: LATE_MS,
    setup: {},
    capMbps: 0,
    ownLanes: 0,
    report: () => undefined,
    counted: () => undefined,
  });
  const submit = pool.submit.bind(pool);
  pool.submit = (lane, ticket, task, ...more) => {
    names.set(ticket, task.task.name);
    submit(lane, ticket, task, ...more);
  };
  const engine = new Engine<ModelKinds>({
    plan: job,
    store: { transact: (change) => change() },
    clock: driver.clock,
    allLanes: true,
    onlyRemote: true,
    cancelled: () => new Error('cancelled'),
  });
  const troubled = trouble();
  let failure: Error | undefined;
  const run = engine.run(pool, new AbortController().signal).catch((error: Error) => {
    failure = error;
  });
  const hangs = await Promise.race([run.then(() => false), time.sleep(LONGEST_MS).then(() => true)]);
  over = true;
  if (hangs) {
    time.clear();
    return { faults: [...job.faults, `it has not ended after ${LONGEST_MS} ms`], happened: [...happened] };
  }
  if (failure !== undefined && !failure.message.includes('workers in a row')) throw failure;
  const endMs = Math.max(engine.uncertainUntilMs, time.ms);
  if (engine.uncertainUntilMs > 0) count('something was lost');
  await time.sleep(endMs - time.ms + 1);
  if (failure === undefined) {
    committedMs = time.ms;
    for (const name of job.leftovers) {
      if (job.counted.has(name)) job.faults.push(`${name} counts, and is a left-over`);
      job.blobs.delete(name);
    }
    for (const name of job.counted) if (!job.blobs.has(name)) job.faults.push(`${name} counts, and is not there`);
    for (const name of job.blobs.keys())
      if (!job.counted.has(name)) job.faults.push(`${name} is there, and does not count`);
    if (!job.isDone) job.faults.push('not everything is done');
  } else count('given up');
  await pool.close();
  await troubled;
  for (const process of workers) process.wake(random);
  await time.sleep(200_000);
  for (const process of workers) process.die();
  time.clear();
  return { faults: job.faults, happened: [...happened, ...net.happened] };
}

describe('workers that freeze and wake, over a net that drops, doubles, delays and reorders', () => {
  const LIVES = Number(process.env.WORKER_LIVES ?? 60);
  it(`do everything once, and nothing arrives after the commit, in ${LIVES} lives`, async () => {
    const happened = new Map<string, number>();
    const from = Number(process.env.WORKER_LIVES_FROM ?? 1);
    for (let seed = from; seed < from + LIVES; seed++) {
      const life = await live(seed);
      for (const [what, times] of life.happened) happened.set(what, (happened.get(what) ?? 0) + times);
      expect(life.faults, `life ${seed}`).toEqual([]);
    }
    if (LIVES < 50) return;
    for (const what of ['killed', 'frozen', 'cut off', 'server away', 'server killed', 'given out again', 'dropped'])
      expect(happened.get(what) ?? 0, what).toBeGreaterThan(0);
    for (const what of ['doubled', 'delayed', 'refused for want of room', 'something was lost', 'ended: lease'])
      expect(happened.get(what) ?? 0, what).toBeGreaterThan(0);
  });
});

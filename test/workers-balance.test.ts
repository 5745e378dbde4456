import { describe, expect, it } from 'vitest';
import { Lease } from '../src/container/lease.js';
import { Engine } from '../src/engine/engine.js';
import { createInlineRunner } from '../src/engine/inline-runner.js';
import { joinRunners } from '../src/engine/joined-runner.js';
import type { Kind } from '../src/engine/kinds.js';
import { createLane } from '../src/engine/lane.js';
import { LANE_UNITS } from '../src/engine/lane-loads.js';
import type { Runner } from '../src/engine/runner.js';
import { type Advance, type Plan, type Turn, type Work, workOf } from '../src/engine/work.js';
import type { WorkerLink } from '../src/remote/link.js';
import { Member } from '../src/remote/member.js';
import { PROTOCOL, WIRE_FORMAT } from '../src/remote/messages.js';
import { RemotePool } from '../src/remote/remote-pool.js';
import type { Clock } from '../src/time/clock.js';
import { VERSION } from '../src/version.js';
import { Random } from './lives/random.js';
import { VirtualTime } from './lives/virtual-time.js';
import { MemoryServer } from './support/memory-server.js';

const MIB = 1048576;
/** As a load cuts large files: four segments, half of what a lane has at once. */
const RANGE_BYTES = 32 * MIB;
const RANGE_UNITS = LANE_UNITS / 2;

interface ModelKinds {
  readonly send: Kind<{ readonly bytes: number; readonly files: number }, null>;
}
const work = workOf<ModelKinds>();

/** A machine of the model: its lanes share its network, and each file takes a while by itself. */
interface Machine {
  readonly name: string;
  readonly lanes: number;
  readonly bytesPerSecond: number;
}

/** Gives everything there is as soon as there is room. */
class ListPlan implements Plan<ModelKinds> {
  readonly #works: Work<ModelKinds>[];

  constructor(works: Work<ModelKinds>[]) {
    this.#works = works;
  }

  next(turn: Turn<ModelKinds>): void {
    for (let next = turn.room > 0 ? this.#works.shift() : undefined; next; next = this.#works.shift()) {
      turn.give(next);
      if (turn.room <= 0) return;
    }
  }

  advance(): Advance {
    return 'end';
  }

  bytesAhead(): number {
    return 0;
  }
}

/** Does a job in virtual time. @returns when each machine did its last task, in seconds, and how many bytes it sent */
async function run(machines: readonly Machine[], works: Work<ModelKinds>[]) {
  const time = new VirtualTime();
  const clock: Clock = {
    now: () => time.ms,
    monotonic: () => time.ms,
    sleep: (ms) => time.sleep(ms),
    after: (ms, call) => time.after(ms, call),
  };
  const gate = () => ({ arrive: (call: () => void) => call(), isDead: false });
  const net = new MemoryServer(time, new Random(1));
  const pool = new RemotePool<ModelKinds>({
    link: await net.driver(gate(), MIB)({ job: 'job', epoch: 'epoch' }),
    clock,
    epoch: 'epoch',
    leaseMs: 30_000,
    lateArrivalMs: 0,
    setup: {},
    capMbps: 0,
    ownLanes: 0,
    report: () => undefined,
    counted: () => undefined,
  });
  const ends = new Map<string, { seconds: number; bytes: number }>();
  const abort = new AbortController();
  for (const { name, lanes, bytesPerSecond } of machines) {
    let wireFreeMs = 0;
    const end = { seconds: 0, bytes: 0 };
    ends.set(name, end);
    const lane = () =>
      createLane<ModelKinds, undefined>(
        {
          async send({ bytes, files }) {
            await time.sleep(5 * files);
            wireFreeMs = Math.max(wireFreeMs, time.ms) + (1000 * bytes) / bytesPerSecond;
            await time.sleep(wireFreeMs - time.ms);
            end.seconds = time.ms / 1000;
            end.bytes += bytes;
            return null;
          },
        },
        undefined,
        { stop: () => undefined, abandon: () => undefined, close: async () => undefined },
      );
    let runner: Runner<ModelKinds> = createInlineRunner(lane());
    for (let more = 1; more < lanes; more++) runner = joinRunners(createInlineRunner(lane()), runner);
    const carried = net.worker(gate(), MIB);
    const link: WorkerLink = {
      ...carried,
      // As with a server: what was pulled is there when that ends.
      async pull(...how) {
        const trouble = await carried.pull(...how);
        await time.sleep(10);
        return trouble;
      },
    };
    const facts = { protocol: PROTOCOL, wire: WIRE_FORMAT, version: VERSION, lanes, user: 0, clockMs: 0 };
    await link.apply(Buffer.from(JSON.stringify({ ...facts, worker: name, name })), 2000);
    void new Member<ModelKinds>({
      link,
      clock,
      epoch: 'epoch',
      worker: name,
      leaseMs: 30_000,
      lease: new Lease(lanes),
      runner,
      laneUnits: LANE_UNITS,
      signal: abort.signal,
      counters: () => ({ requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 }),
      setCap: () => undefined,
    }).run();
  }
  const engine = new Engine<ModelKinds>({
    plan: new ListPlan(works),
    store: { transact: (change) => change() },
    clock,
    allLanes: true,
    onlyRemote: true,
    cancelled: () => new Error('cancelled'),
  });
  await engine.run(pool, abort.signal);
  await pool.close();
  time.clear();
  return ends;
}

/** Large files, in parts, and then small ones. */
function worksOf(largeFiles: number, smallFiles: number): Work<ModelKinds>[] {
  const part = () =>
    work('send', { task: { bytes: RANGE_BYTES, files: 1 }, units: RANGE_UNITS, done: () => undefined });
  const large = Array.from({ length: largeFiles * (1024 / 32) }, part);
  const task = { bytes: smallFiles * 1000, files: smallFiles };
  return [...large, work('send', { task, units: smallFiles + 1, done: () => undefined })];
}

/** Seconds between the end of the first machine and that of the last one, and until the latter. */
function spreadOf(ends: Awaited<ReturnType<typeof run>>): { readonly spread: number; readonly total: number } {
  const seconds = [...ends.values()].map((end) => end.seconds);
  return { spread: Math.max(...seconds) - Math.min(...seconds), total: Math.max(...seconds) };
}

describe('workers of a model', () => {
  it('end together: sixteen files of 1 GB and ten small ones', async () => {
    const machines = ['a', 'b', 'c', 'd'].map((name) => ({ name, lanes: 4, bytesPerSecond: 100e6 }));
    const ends = await run(machines, worksOf(16, 10));
    const { spread, total } = spreadOf(ends);
    const ideal = (16 * 1024 * MIB) / 400e6;
    expect(total).toBeLessThan(1.1 * ideal);
    expect(spread).toBeLessThan(5);
    for (const { bytes } of ends.values()) expect(bytes / (4 * 1024 * MIB)).toBeGreaterThan(0.85);
  });

  it('end together where small tasks have been all there was: a few large ones are not taken by one of them', async () => {
    const machines = ['a', 'b', 'c', 'd'].map((name) => ({ name, lanes: 4, bytesPerSecond: 100e6 }));
    const small = work('send', { task: { bytes: 0, files: 1 }, units: 8, done: () => undefined });
    const ends = await run(machines, [...Array.from({ length: 2000 }, () => small), ...worksOf(1, 10)]);
    for (const { bytes } of ends.values()) expect(bytes / (256 * MIB)).toBeLessThan(2);
  });

  it('end together where one has a tenth of the network and four times the lanes', async () => {
    const fast = ['a', 'b', 'c'].map((name) => ({ name, lanes: 4, bytesPerSecond: 100e6 }));
    const ends = await run([...fast, { name: 'slow', lanes: 16, bytesPerSecond: 10e6 }], worksOf(16, 10));
    const { spread, total } = spreadOf(ends);
    const ideal = (16 * 1024 * MIB) / 310e6;
    expect(total).toBeLessThan(1.2 * ideal);
    expect(spread).toBeLessThan(12);
    // It does what it can.
    expect(ends.get('slow')?.bytes).toBeGreaterThan(0.7 * 10e6 * total);
  });
});

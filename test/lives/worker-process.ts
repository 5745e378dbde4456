import { Lease, maySendBy } from '../../src/container/lease.js';
import { createInlineRunner } from '../../src/engine/inline-runner.js';
import { ClfsError } from '../../src/error.js';
import type { MemberLanes } from '../../src/join/member-lanes.js';
import { serveJobs } from '../../src/join/serve-jobs.js';
import { requireOwnBucket } from '../../src/load/bucket-object.js';
import type { RemoteLoadSetup } from '../../src/load/load-kind.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { differenceFrom } from '../../src/source/same-tree.js';
import { withDevicesOf } from '../../src/source/shared-devices.js';
import type { Clock } from '../../src/time/clock.js';
import { createContext } from '../../src/worker/context.js';
import { shareLoadLane } from '../../src/worker/open-lane.js';
import type { LoadKinds } from '../../src/worker/tasks.js';
import { Caller, Killed } from './caller.js';
import type { CrewWorker, CrewWorkerParts } from './crew.js';
import { Gate } from './gate.js';
import type { Process, Surroundings } from './process.js';

const lz4 = openLz4();

/** What a worker of a load lives in. */
interface WorkerParts extends CrewWorkerParts<Process> {
  readonly around: Surroundings;
}

/** A worker on a machine of its own, with one lane: it can be frozen, told to end, and killed. */
export class WorkerProcess implements CrewWorker {
  readonly gate: Gate;
  readonly name: string;
  readonly #parts: WorkerParts;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  /** What works for the present job. */
  #caller: Caller | undefined;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    const { around, number } = parts;
    this.gate = new Gate(around.time);
    this.name = `worker ${number}`;
    this.#clock = this.gate.makeClock(
      () => around.time.ms + around.offsetMs,
      () => around.time.ms + number * 1_000_000,
    );
  }

  run(): Promise<void> {
    const { link, report } = this.#parts;
    return serveJobs<LoadKinds>({
      link: link(this.gate),
      clock: this.#clock,
      name: this.name,
      threads: 1,
      signal: this.#controller.signal,
      report,
      // There are no other jobs.
      openLanes: (setup) => this.#openLanes(setup as RemoteLoadSetup),
    });
  }

  leave(): void {
    this.#controller.abort();
  }

  /** It is killed. What it has sent is lost, or arrives. */
  die(): void {
    if (this.gate.isDead) return;
    this.gate.die();
    this.#caller?.abandon();
    this.#parts.died();
  }

  async #openLanes(setup: RemoteLoadSetup): Promise<MemberLanes<LoadKinds>> {
    const { around, driver, number } = this.#parts;
    const lease = new Lease(1);
    let closed = false;
    const caller = new Caller({
      around,
      moments: () => driver().moments,
      gate: this.gate,
      clock: this.#clock,
      isGone: () => closed || this.gate.isDead,
      crash: () => {
        this.die();
        throw new Killed('the worker was killed');
      },
      maySend: maySendBy(lease, this.#clock),
    });
    const source = caller.source(`8:${100 + number}`);
    const difference = differenceFrom(setup.source, source);
    if (difference !== undefined) throw new ClfsError('source', `${difference}.`);
    const { container } = caller;
    if (setup.bucketUuid !== undefined) await requireOwnBucket(container, lz4, setup.bucketUuid, 'the container');
    const constants = { ...setup.constants, secret: Buffer.from(setup.constants.secret) };
    const view = withDevicesOf(source, setup.source.device);
    const context = createContext(constants, view, container, lz4, 1, this.#clock, { mayBlock: true });
    const runner = createInlineRunner<LoadKinds>(shareLoadLane(context));
    this.#caller = caller;
    return {
      lease,
      runner,
      counters: () => ({
        requests: 0,
        bytesSent: 0,
        retries: 0,
        throttled: 0,
        waitingMs: 0,
        uncertainMs: Math.max(0, container.uncertainUntilMs - this.#clock.monotonic()),
      }),
      setCap: () => undefined,
      stuck: () => undefined,
      answerBy: () => undefined,
      // A thread ends at once, whatever it does; what it has sent goes on without it.
      async close() {
        lease.end();
        closed = true;
        caller.abandon();
        await runner.close();
      },
    };
  }
}

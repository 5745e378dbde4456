import { Lease, maySendBy } from '../../src/container/lease.js';
import { createInlineRunner } from '../../src/engine/inline-runner.js';
import { ClfsError } from '../../src/error.js';
import { requireOwnBucket } from '../../src/load/bucket-object.js';
import type { RemoteLoadSetup } from '../../src/load/load-kind.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { differenceFrom } from '../../src/source/same-tree.js';
import { withDevicesOf } from '../../src/source/shared-devices.js';
import { createContext } from '../../src/worker/context.js';
import { shareLoadLane } from '../../src/worker/open-lane.js';
import type { LoadKinds } from '../../src/worker/tasks.js';
import { Caller, Killed } from './caller.js';
import type { CrewWorker, CrewWorkerParts } from './crew.js';
import { CrewMember } from './crew-member.js';
import type { Process, Surroundings } from './process.js';

const lz4 = openLz4();

/** What a worker of a load lives in. */
interface WorkerParts extends CrewWorkerParts<Process> {
  readonly around: Surroundings;
}

/** A worker of a load. */
export function createLoadWorker({ around, ...parts }: WorkerParts): CrewWorker {
  const { driver, number } = parts;
  const { time } = around;
  /** What works for the present job. */
  let present: Caller | undefined;
  const open = async (setup: RemoteLoadSetup, member: CrewMember<LoadKinds, RemoteLoadSetup>) => {
    const lease = new Lease(1);
    let closed = false;
    const caller = new Caller({
      around,
      moments: () => driver().moments,
      gate: member.gate,
      clock: member.clock,
      isGone: () => closed || member.gate.isDead,
      crash: () => {
        member.die();
        throw new Killed('the worker was killed');
      },
      maySend: maySendBy(lease, member.clock),
    });
    const source = caller.source(`8:${100 + number}`);
    const difference = differenceFrom(setup.source, source);
    if (difference !== undefined) throw new ClfsError('source', `${difference}.`);
    const { container } = caller;
    if (setup.bucketUuid !== undefined) await requireOwnBucket(container, lz4, setup.bucketUuid, 'the container');
    const constants = { ...setup.constants, secret: Buffer.from(setup.constants.secret) };
    const view = withDevicesOf(source, setup.source.device);
    const context = createContext(constants, view, container, lz4, 1, member.clock, { mayBlock: true });
    const runner = createInlineRunner<LoadKinds>(shareLoadLane(context));
    present = caller;
    return {
      lease,
      runner,
      counters: () => ({
        requests: 0,
        bytesSent: 0,
        retries: 0,
        throttled: 0,
        waitingMs: 0,
        uncertainMs: Math.max(0, container.uncertainUntilMs - member.clock.monotonic()),
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
  };
  const work = { open, abandon: () => present?.abandon() };
  return new CrewMember<LoadKinds, RemoteLoadSetup>(parts, time, work, () => time.ms + around.offsetMs);
}

import { Lease, maySendBy } from '../../src/container/lease.js';
import { Traffic } from '../../src/container/traffic.js';
import { createInlineRunner } from '../../src/engine/inline-runner.js';
import { EXPORT_JOB, type RemoteExportSetup } from '../../src/export/export-kind.js';
import { SYSTEM_CALLS } from '../../src/export/target/target-calls.js';
import type { ExportKinds } from '../../src/export/tasks/kinds.js';
import { openExportLane } from '../../src/export/tasks/open-lane.js';
import type { MemberLanes } from '../../src/join/member-lanes.js';
import { askingPort } from '../lives/asking-port.js';
import type { CrewWorker, CrewWorkerParts } from '../lives/crew.js';
import { CrewMember } from '../lives/crew-member.js';
import type { ExportDriver } from './export-driver.js';
import { type CrewWorld, Machine } from './machine.js';

/** So long a thread goes on that is ended. */
const LONGEST_END_MS = 200;

/** What a worker of an export lives in. */
interface ExportWorkerParts extends CrewWorkerParts<ExportDriver> {
  readonly world: CrewWorld;
  /** Told what is to be closed when the life has ended. */
  atEnd(close: () => void): void;
}

/** A worker of an export, whose lane writes to the target. */
export function createExportWorker({ world, atEnd, ...parts }: ExportWorkerParts): CrewWorker {
  const { driver, number } = parts;
  /** What works for the present job. */
  let present: Machine | undefined;
  const open = async (
    setup: RemoteExportSetup,
    member: CrewMember<ExportKinds, RemoteExportSetup>,
  ): Promise<MemberLanes<ExportKinds>> => {
    const { clock } = member;
    const lease = new Lease(1);
    let closed = false;
    const isGone = () => closed || member.gate.isDead;
    const machine = new Machine({
      world,
      moments: () => driver().moments,
      gate: member.gate,
      isGone,
      die: () => member.die(),
      stop: () => driver().controller.abort(),
    });
    const options = { join: '', threads: 1, signal: member.signal, report: () => undefined };
    const here = await EXPORT_JOB.open(setup, options, 1);
    // What is under way goes on by its descriptors when nobody waits for it any more.
    atEnd(() => here.close());
    atEnd(() => machine.end());
    const { container } = machine;
    await EXPORT_JOB.requireContainer(setup, container);
    let ask: Parameters<MemberLanes<ExportKinds>['answerBy']>[0] = async () => undefined;
    const port = askingPort((what) => ask(what), isGone);
    const told = here.laneOf({
      place: setup.place,
      authorization: { query: '', bearer: '' },
      lanes: 1,
      traffic: new Traffic(1).memory,
      slot: 0,
      remote: { lease: lease.memory, lane: 0, aheadMs: 0 },
      port,
    });
    const ways = {
      now: SYSTEM_CALLS,
      later: machine.laterCalls,
      mayBlock: false,
      mayChange: maySendBy(lease, clock),
    };
    // By its own clock it looks whether it may change something.
    const lane = { ...told, remote: undefined };
    const instead = { container, ways, clock };
    const runner = createInlineRunner<ExportKinds>(await openExportLane(lane, told.authorization, instead));
    present = machine;
    return {
      lease,
      runner,
      counters: () => ({ requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 }),
      setCap: () => undefined,
      stuck: () => undefined,
      answerBy(asked) {
        ask = asked;
      },
      // Its thread goes on for a moment; what it has called by then goes on without it.
      async close() {
        lease.end();
        await clock.sleep(world.random.at(LONGEST_END_MS, number, world.calls));
        closed = true;
        machine.abandon();
        // What waits for an answer of the driver waits for ever.
        void runner.close();
      },
    };
  };
  const work = { open, abandon: () => present?.abandon() };
  return new CrewMember<ExportKinds, RemoteExportSetup>(parts, world.time, work);
}

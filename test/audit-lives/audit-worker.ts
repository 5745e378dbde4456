import { AUDIT_JOB, type RemoteAuditSetup } from '../../src/audit/audit-kind.js';
import type { AuditKinds } from '../../src/audit/tasks/kinds.js';
import { openAuditLane } from '../../src/audit/tasks/open-lane.js';
import type { Container } from '../../src/container/container.js';
import { Lease } from '../../src/container/lease.js';
import { Traffic } from '../../src/container/traffic.js';
import { createInlineRunner } from '../../src/engine/inline-runner.js';
import type { MemberLanes } from '../../src/join/member-lanes.js';
import { askingPort } from '../lives/asking-port.js';
import type { CrewWorker, CrewWorkerParts } from '../lives/crew.js';
import { CrewMember } from '../lives/crew-member.js';
import type { VirtualTime } from '../lives/virtual-time.js';

/** What a worker that reads a container lives in. */
interface AuditWorkerParts extends CrewWorkerParts<unknown> {
  readonly time: VirtualTime;
  readonly container: Container;
}

/** A worker of what reads a container whole: its lane reads, and may have been given up meanwhile. */
export function createAuditWorker({ time, container, ...parts }: AuditWorkerParts): CrewWorker {
  /** What works for the present job. */
  let present: (() => void) | undefined;
  const open = async (
    setup: RemoteAuditSetup,
    member: CrewMember<AuditKinds, RemoteAuditSetup>,
  ): Promise<MemberLanes<AuditKinds>> => {
    const lease = new Lease(1);
    let closed = false;
    await AUDIT_JOB.requireContainer(setup, container);
    const options = { join: '', threads: 1, signal: member.signal, report: () => undefined };
    const here = await AUDIT_JOB.open(setup, options, 1);
    let ask: Parameters<MemberLanes<AuditKinds>['answerBy']>[0] = async () => undefined;
    const told = here.laneOf({
      place: setup.place,
      authorization: { query: '', bearer: '' },
      lanes: 1,
      traffic: new Traffic(1).memory,
      slot: 0,
      remote: { lease: lease.memory, lane: 0, aheadMs: 0 },
      port: askingPort(
        (what) => ask(what),
        () => closed || member.gate.isDead,
      ),
    });
    const runner = createInlineRunner<AuditKinds>(await openAuditLane(told, told.authorization, container));
    // Its thread goes on for a moment, and what waits for an answer of the driver waits for ever.
    const end = () => {
      closed = true;
      lease.end();
      void runner.close().then(() => here.close());
    };
    present = end;
    return {
      lease,
      runner,
      counters: () => ({ requests: 0, bytesSent: 0, retries: 0, throttled: 0, waitingMs: 0, uncertainMs: 0 }),
      setCap: () => undefined,
      stuck: () => undefined,
      answerBy(asked) {
        ask = asked;
      },
      close: async () => end(),
    };
  };
  return new CrewMember<AuditKinds, RemoteAuditSetup>(parts, time, { open, abandon: () => present?.() });
}

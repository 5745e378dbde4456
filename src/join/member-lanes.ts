import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/authorization.js';
import { Lease, type RemoteLane } from '../container/lease.js';
import { openContainer } from '../container/open-container.js';
import { Traffic } from '../container/traffic.js';
import type { Kinds } from '../engine/kinds.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import { openIdentity } from '../identity/identity.js';
import { requireThreadDescriptors } from '../posix/descriptors.js';
import type { MemberParts } from '../remote/member.js';
import { systemClock } from '../time/clock.js';
import type { AnyJobKind, JobHere, JobSetup } from './job-kind.js';
import { unservedText } from './unserved.js';
import { wayIntoContainer } from './way-into-container.js';
import type { WorkerOptions } from './worker-options.js';

/** What a member needs of its machine. To be closed: nothing is sent after that. */
export interface MemberLanes<M extends Kinds<M>>
  extends Pick<MemberParts<M>, 'lease' | 'runner' | 'counters' | 'setCap' | 'stuck' | 'lacking'> {
  /** Has what lanes ask for answered by the driver. */
  answerBy(ask: (what: unknown) => Promise<{ readonly answer: unknown } | undefined>): void;
  close(): Promise<void>;
}

/** A thread that is silent for so long hangs, in whatever. */
const STUCK_MS = 120_000;
/** Until a worker takes part, a service that does not answer is an error soon. */
const FIRST_RETRY_WINDOW_MS = 15_000;

/**
 * Makes sure that this machine sees what the job is about, and opens threads for it.
 *
 * @throws ClfsError with the reason why this worker cannot take part
 */
export async function openMemberLanes<M extends Kinds<M>>(
  kind: AnyJobKind,
  setup: JobSetup,
  options: WorkerOptions & Pick<RemoteLane, 'aheadMs'>,
): Promise<MemberLanes<M>> {
  const { threads, aheadMs } = options;
  requireThreadDescriptors();
  const traffic = new Traffic(threads + 1);
  const lease = new Lease(threads);
  let here: JobHere<unknown> | undefined;
  let identity: Awaited<ReturnType<typeof openIdentity>> | undefined;
  try {
    here = await kind.open(setup, options, threads);
    const parsed = wayIntoContainer(setup.place, options.container);
    identity = await openIdentity(parsed, {
      ...options.identity,
      isNamedElsewhere: options.container === undefined,
      onTrouble: options.report,
    });
    const { authorization } = identity;
    await requireContainer(kind, setup, parsed.place, authorization, traffic);
    const [job, opened] = [here, identity];
    const ports: { readonly own: MessagePort; readonly lanes: MessagePort }[] = [];
    const runner = createThreadRunner<M, unknown, Authorization>({
      lanes: threads,
      entry: kind.entry,
      setupOf(lane) {
        const { port1: own, port2: port } = new MessageChannel();
        ports[lane] = { own, lanes: port };
        serve(own);
        const remote = { lease: lease.memory, lane, aheadMs };
        const told = { place: parsed.place, authorization, lanes: threads, traffic: traffic.memory, slot: lane + 1 };
        return job.laneOf({ ...told, remote, port });
      },
      portsOf: (lane) => [ports[lane].lanes],
      log: options.report,
    });
    let ask: Parameters<MemberLanes<M>['answerBy']>[0] = async () => undefined;
    const serve = (port: MessagePort) => {
      let last: Promise<unknown> = Promise.resolve();
      port.on('message', (what: unknown) => {
        const answer = ask(what);
        last = last.then(async () => {
          const answered = await answer;
          if (answered) port.postMessage(answered.answer);
        });
      });
    };
    identity.onRenewed((renewed) => runner.update(renewed));
    return {
      lease,
      runner,
      counters: () => ({ ...countersOf(traffic), stalled: job.stalled?.() }),
      stuck: () => job.stuck?.() ?? stuckText(lease) ?? unservedText(traffic, systemClock.now()),
      lacking: () => job.lacking?.(),
      setCap: (megabitsPerSecond) => {
        traffic.capMbps[0] = megabitsPerSecond;
      },
      answerBy(asked) {
        ask = asked;
      },
      async close() {
        lease.end();
        await runner.close();
        for (const port of ports) port?.own.close();
        opened.close();
        // A thread that hangs goes on with what it has open: the number of what is closed is given to something else.
        void runner.ended.then(() => job.close());
      },
    };
  } catch (error) {
    identity?.close();
    here?.close();
    throw error;
  }
}

/** @throws ClfsError when this worker may not read the container, or it is another one */
async function requireContainer(
  kind: AnyJobKind,
  setup: JobSetup,
  place: JobSetup['place'],
  authorization: Authorization,
  traffic: Traffic,
): Promise<void> {
  const container = await openContainer(place, authorization, { retryWindowMs: FIRST_RETRY_WINDOW_MS, traffic });
  try {
    await kind.requireContainer(setup, container);
  } finally {
    await container.close();
  }
}

function stuckText(lease: Lease): string | undefined {
  const silentMs = lease.silentMs(systemClock.monotonic());
  if (silentMs < STUCK_MS) return undefined;
  return `a thread has not answered for ${Math.round(silentMs / 1000)} s (do the file systems that it works on answer?)`;
}

function countersOf(traffic: Traffic): ReturnType<MemberParts<never>['counters']> {
  const totals = traffic.totals();
  const { requests, bytesSent, bytesReceived, retries, throttled, waitingSince } = totals;
  const { contentStored, contentData, passedStored, passedData } = totals;
  return {
    contentStored,
    contentData,
    passedStored,
    passedData,
    requests,
    bytesSent,
    bytesReceived,
    retries,
    throttled,
    waitingMs: waitingSince === 0 ? 0 : Math.max(1, systemClock.now() - waitingSince),
    uncertainMs: Math.max(0, traffic.uncertainUntilMs - systemClock.monotonic()),
  };
}

import type { Authorization } from '../container/azure/authorization.js';
import { Traffic } from '../container/traffic.js';
import { createInlineRunner } from '../engine/inline-runner.js';
import { joinRunners } from '../engine/joined-runner.js';
import type { LaneLog } from '../engine/lane.js';
import type { Runner } from '../engine/runner.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import type { Lz4 } from '../format/envelope.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { RemotePool } from '../remote/remote-pool.js';
import type { SourceGauge } from '../source/source-gauge.js';
import type { Clock } from '../time/clock.js';
import type { StallReport } from '../waits/stall-report.js';
import { WaitBoard } from '../waits/wait-board.js';
import { unlessStopped } from '../waits/waits.js';
import type { WorkContext } from '../worker/context.js';
import { encoderOf } from '../worker/encoder.js';
import {
  type LaneSetup,
  openLoadLane,
  shareLoadLane,
  THREAD_ENTRY,
  type ThreadLaneSetup,
} from '../worker/open-lane.js';
import type { JobConstants, LoadKinds } from '../worker/tasks.js';
import { openLoadWorkers } from './load-workers.js';
import type { OpenJob } from './open-job.js';
import type { LoadOptions } from './options.js';
import { isFinished } from './session-decisions.js';

/** What the lanes of a load are opened with. */
interface LanesParts {
  readonly job: OpenJob;
  readonly constants: JobConstants;
  /** What the calling thread works with, which is its only lane where a test has its own container. */
  readonly work: WorkContext;
  readonly internals: LoadOptions['internals'];
  readonly lz4: Lz4;
  readonly clock: Clock;
  readonly gauge: SourceGauge;
  /** Told what lanes wait for. */
  readonly stalls: StallReport;
  readonly signal: AbortSignal;
  /** Takes what lanes tell. */
  readonly note: LaneLog;
  /** Whether details are wanted. */
  readonly detailed: boolean;
  /** Tells of those who take part elsewhere. */
  report(text: string): void;
}

/** Lanes of a load that are open. */
interface LoadLanes {
  readonly runner: Runner<LoadKinds>;
  /** Those elsewhere; undefined: there are none. */
  readonly pool: RemotePool<LoadKinds> | undefined;
}

/** Opens the lanes of a load. @throws ClfsError as the container says; `usage`, `workers`, `cancelled` */
export async function openLoadLanes(parts: LanesParts): Promise<LoadLanes> {
  const own = parts.internals?.container ? createInlineRunner(shareLoadLane(parts.work)) : await openOwn(parts);
  try {
    const pool = await openPool(parts, own.lanes, parts.internals?.workers);
    return { runner: pool ? joinRunners(own, pool) : own, pool };
  } catch (error) {
    await own.close();
    throw error;
  }
}

/** Lanes elsewhere, when there is a server for them. */
async function openPool(
  { job, constants, lz4, clock, signal, report }: LanesParts,
  ownLanes: number,
  open: OpenDriverLink | undefined,
): Promise<RemotePool<LoadKinds> | undefined> {
  const { resources, spec, settings, state } = job;
  // Of a job that is finished there is nothing left to do.
  if (!settings.workers || isFinished(state.record)) return undefined;
  const { destination, threads, traffic } = resources;
  return openLoadWorkers(
    {
      job,
      setup: { place: destination.place, constants, encoder: encoderOf(spec, lz4) },
      ownLanes: threads === 0 ? 0 : ownLanes,
      traffic: new Traffic(traffic.memory, traffic.slots - 1),
      clock,
      signal,
      report,
    },
    open,
  );
}

/** The lane of the calling thread, and those of threads. */
async function openOwn({
  job: {
    resources: { destination, identity, source, traffic, threads },
    settings,
  },
  constants,
  gauge,
  stalls,
  note,
  detailed,
  signal,
}: LanesParts): Promise<Runner<LoadKinds>> {
  const concurrency = settings.concurrency
    ? Math.max(1, Math.round(settings.concurrency / Math.max(1, threads)))
    : undefined;
  const { retryWindowMs, capMbps, lateArrivalMs } = settings;
  const lane: LaneSetup = {
    detailed,
    place: destination.place,
    constants,
    settings: { retryWindowMs, concurrency, capMbps, lateArrivalMs },
    lanes: threads + 1,
    root: source.root,
    gauge: gauge.memory,
    gaugeSlot: 1,
    waits: stalls.add(new WaitBoard()).memory,
    mayBlock: false,
  };
  // Its container may not answer any more.
  const own = await unlessStopped(
    signal,
    () => openLoadLane(lane, identity.authorization, new Traffic(traffic.memory, 1), note),
    (late) => late.abandon(),
  );
  // A lane that has but its share of a fixed number of requests waits where others would not.
  const neverBlocks = source.isRemote === true && destination.place.kind !== 'local' && concurrency === undefined;
  if (threads === 0) return createInlineRunner(own);
  const inThreads = createThreadRunner<LoadKinds, ThreadLaneSetup, Authorization>({
    lanes: threads,
    entry: THREAD_ENTRY,
    // Slots 0 and 1 are this thread's own.
    setupOf: (at) => ({
      ...lane,
      mayBlock: true,
      gaugeSlot: at + 2,
      waits: stalls.add(new WaitBoard()).memory,
      authorization: identity.authorization,
      traffic: traffic.memory,
      slot: at + 2,
    }),
    log: note,
  });
  identity.onRenewed((authorization) => inThreads.update(authorization));
  return joinRunners(createInlineRunner(own, neverBlocks), inThreads);
}

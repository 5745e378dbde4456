import type { Authorization } from '../container/azure/authorization.js';
import { holdLease, type RemoteLane } from '../container/lease.js';
import { type ContainerPlace, openContainer } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import type { Traffic } from '../container/traffic.js';
import { createLane, type Lane, type LaneLog } from '../engine/lane.js';
import { atMost } from '../engine/report.js';
import { type RunSettings, sourcePath } from '../job/load-spec.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { selectFrom } from '../source/selection.js';
import { withDevicesOf } from '../source/shared-devices.js';
import { SourceGauge } from '../source/source-gauge.js';
import type { OpenRoot } from '../source/source-tree.js';
import { type Clock, systemClock } from '../time/clock.js';
import { WaitBoard } from '../waits/wait-board.js';
import { askToStop, createContext, type WorkContext } from './context.js';
import { LOAD_EXECUTORS } from './executors.js';
import type { JobConstants, LoadKinds } from './tasks.js';

/** Module that a thread with a lane of a load runs. */
export const THREAD_ENTRY = new URL('./thread-entry.js', import.meta.url);

/** How long a lane that is closed waits for what is under way: a call of the source may never end. */
const LAST_CALLS_MS = 500;

/** What a lane needs to know before its first task; plain data that can be handed to a thread. */
export interface LaneSetup {
  readonly place: ContainerPlace;
  readonly constants: JobConstants;
  /** `capMbps` is for all lanes together, `concurrency` for this one. */
  readonly settings: Pick<RunSettings, 'retryWindowMs' | 'concurrency' | 'capMbps' | 'lateArrivalMs'>;
  /** Whether the log has everything: each request too. */
  readonly detailed?: boolean;
  /** Lanes of the process, which share its descriptors. */
  readonly lanes: number;
  /** The source's root, which stays open; undefined: it is opened by its path. */
  readonly root: OpenRoot | undefined;
  /** Memory of the `SourceGauge` that all lanes share, and the place of this one in it. */
  readonly gauge: SharedArrayBuffer;
  readonly gaugeSlot: number;
  /** Memory of the `WaitBoard` of this lane. */
  readonly waits: SharedArrayBuffer;
  /** Whether the thread may be held up by a source that does not answer. */
  readonly mayBlock: boolean;
  /** Set where the lane works for another machine. */
  readonly remote?: RemoteLoadLane;
}

/** What a lane of a load needs that works for another machine. */
interface RemoteLoadLane extends RemoteLane {
  /** Number of the device of the source's root on that machine. */
  readonly rootDevice: string;
}

/** What a lane in a thread is told in addition. */
export interface ThreadLaneSetup extends LaneSetup {
  readonly authorization: Authorization;
  readonly traffic: SharedArrayBuffer;
  /** The thread's own place in the memory of `traffic`. */
  readonly slot: number;
}

/**
 * Opens source and container for a lane of its own.
 *
 * @param authorization read at each request
 * @param traffic of the thread that runs the lane
 * @param log takes every try of a request that failed and will be repeated, and details where they are wanted
 * @throws ClfsError `source`, and as the container says
 */
export async function openLoadLane(
  setup: LaneSetup,
  authorization: Authorization,
  traffic: Traffic,
  log: LaneLog,
): Promise<Lane<LoadKinds>> {
  const { retryWindowMs = Number.POSITIVE_INFINITY, concurrency, capMbps, lateArrivalMs } = setup.settings;
  const { remote } = setup;
  // For a lane that works for another machine the rate is told later, and again and again.
  const rateLimit = remote || capMbps ? createRateLimit(capMbps ?? 0, traffic) : undefined;
  const maySend = remote && holdLease(remote);
  const board = new WaitBoard(setup.waits);
  const service = {
    retryWindowMs,
    concurrency,
    traffic,
    rateLimit,
    lateArrivalMs,
    onRetry: (text: string) => log(text),
    onDetail: setup.detailed ? (text: string) => log(text, true) : undefined,
    maySend,
    waits: board.slot('container'),
    mayBlock: setup.mayBlock,
  };
  const constants = { ...setup.constants, secret: Buffer.from(setup.constants.secret) };
  const tree = openPosixSource(sourcePath(constants.spec), setup.root);
  const source = selectFrom(remote ? withDevicesOf(tree, remote.rootDevice) : tree, constants.spec.selection);
  const container = await openContainer(setup.place, authorization, service).catch((error) => {
    source.close();
    throw error;
  });
  const context = createContext(constants, source, container, openLz4(), setup.lanes, clockOf(remote), {
    mayBlock: setup.mayBlock,
    gauge: new SourceGauge(setup.gauge, setup.gaugeSlot),
    waits: board,
  });
  let closed: Promise<void> | undefined;
  const closeContainer = () => {
    closed ??= container.close();
    return closed;
  };
  return createLoadLane(context, {
    abandon: () => void closeContainer().catch(() => undefined),
    async close(idle) {
      await closeContainer();
      await atMost(systemClock, LAST_CALLS_MS, idle);
      source.close();
    },
  });
}

/**
 * Times of the source are compared with the clock, and one that is ahead of its file system's takes a change of just now
 * for one of long ago. Of the clocks of both machines the one counts that is behind.
 */
function clockOf(remote: RemoteLoadLane | undefined): Clock {
  const aheadMs = Math.max(0, remote?.aheadMs ?? 0);
  return aheadMs === 0 ? systemClock : { ...systemClock, now: () => systemClock.now() - aheadMs };
}

/** A lane of the calling thread that works with what the caller has open, and leaves open. */
export function shareLoadLane(context: WorkContext): Lane<LoadKinds> {
  return createLoadLane(context, { abandon: () => undefined, close: async () => undefined });
}

function createLoadLane(context: WorkContext, ends: Pick<Lane<LoadKinds>, 'abandon' | 'close'>): Lane<LoadKinds> {
  return createLane(LOAD_EXECUTORS, context, {
    stop: () => askToStop(context),
    abandon() {
      askToStop(context);
      context.stop.abandoned = true;
      ends.abandon();
    },
    close: ends.close,
  });
}

import type { Authorization } from '../../container/azure/authorization.js';
import type { Container } from '../../container/container.js';
import { holdLease, type RemoteLane } from '../../container/lease.js';
import { Traffic } from '../../container/traffic.js';
import { createLane, type Lane, type LaneLog } from '../../engine/lane.js';
import { openLz4 } from '../../lz4/lz4.js';
import { type LaneReading, openLaneReader } from '../../namespace/lane-reader.js';
import type { ReaderOverlay } from '../../namespace/reader.js';
import { type Clock, systemClock } from '../../time/clock.js';
import { WaitBoard } from '../../waits/wait-board.js';
import { SYSTEM_CALLS, SYSTEM_CALLS_LATER } from '../target/target-calls.js';
import type { WaysParts } from '../target/target-ways.js';
import { createExportContext } from './context.js';
import { EXPORT_EXECUTORS } from './executors.js';
import type { ExportConstants, ExportKinds } from './kinds.js';

/** What a lane needs to know before its first task; plain data that can be handed to a thread. */
export interface ExportLaneSetup extends LaneReading {
  readonly constants: ExportConstants;
  /** Descriptor of the target's root, which stays open, and whose description no other lane has. */
  readonly root: number;
  /** Paths below it at which other file systems are mounted. */
  readonly mounted: readonly Uint8Array[];
  /** Whether the target is another machine's or process', so that it may not answer for long. */
  readonly isRemote: boolean;
  /** Lanes of the process, which share its descriptors. */
  readonly lanes: number;
  /** Whether the thread may be held up by a target that does not answer. */
  readonly mayBlock: boolean;
  /** Memory of the `WaitBoard` of this lane; undefined: nobody looks. */
  readonly waits?: SharedArrayBuffer;
  /** Memory of a `Traffic` that counts its requests, and its place in it; default: the only one. */
  readonly traffic: SharedArrayBuffer;
  readonly slot?: number;
  /** Set where the lane works for another machine. */
  readonly remote?: RemoteLane;
}

/** What a lane in a thread is told beside. */
export interface ThreadExportSetup extends ExportLaneSetup {
  readonly authorization: Authorization;
}

/** Parts of a lane that its owner may give. */
export interface LaneParts {
  readonly container?: Container;
  /** By which the target is called. */
  readonly ways?: Omit<WaysParts, 'changing'>;
  readonly clock?: Clock;
  /** What is read in place of the container's own tree. */
  readonly overlay?: ReaderOverlay;
  /** Told of every try of a request that failed and will be repeated; as a detail, of how the target is called. */
  log?: LaneLog;
}

/**
 * Opens the container for a lane of its own.
 *
 * @param authorization read at each request
 * @throws ClfsError as the container says
 */
export async function openExportLane(
  setup: ExportLaneSetup,
  authorization: Authorization,
  parts: LaneParts = {},
): Promise<Lane<ExportKinds>> {
  const { constants, objects, root, mounted, isRemote, lanes, mayBlock, traffic, slot = 0, remote } = setup;
  const mayChange = remote && holdLease(remote);
  const { container, overlay, log } = parts;
  const board = new WaitBoard(setup.waits);
  const reading = {
    geometry: constants.geometry,
    lz4: openLz4(),
    container,
    overlay,
    onRetry: log,
    traffic: new Traffic(traffic, slot),
    waits: board.slot('container'),
    mayBlock,
  };
  const { reader, close } = await openLaneReader(setup, authorization, reading);
  const context = createExportContext({
    constants,
    reader,
    isListed: objects !== undefined,
    ways: parts.ways ?? {
      now: SYSTEM_CALLS,
      later: SYSTEM_CALLS_LATER,
      isSlow: isRemote,
      mayBlock: mayBlock || !isRemote,
      mayChange,
      // What the kernel alone has answers.
      waits: isRemote ? board.slot('target') : undefined,
      onWay: (text) => log?.(text, true),
    },
    root,
    mounted,
    lanes,
    clock: parts.clock ?? systemClock,
  });
  const { stop } = context;
  return createLane(EXPORT_EXECUTORS, context, {
    stop() {
      stop.asked = true;
    },
    abandon() {
      stop.asked = true;
      stop.abandoned = true;
      context.target.abandon();
      void close().catch(() => undefined);
    },
    async close(idle) {
      await close();
      await idle;
      if (!stop.abandoned) context.target.close();
    },
  });
}

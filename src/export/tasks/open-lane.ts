import type { Authorization } from '../../container/azure/blob-service.js';
import type { Container } from '../../container/container.js';
import { type ContainerPlace, openContainer } from '../../container/open-container.js';
import { Traffic } from '../../container/traffic.js';
import { createLane, type Lane } from '../../engine/lane.js';
import { openLz4 } from '../../lz4/lz4.js';
import { createDirectFinder } from '../../namespace/object-finder.js';
import { Pace } from '../../namespace/pace.js';
import { ContainerReader, type ReaderOverlay } from '../../namespace/reader.js';
import { openSharedObjects, type SharedObjects } from '../../namespace/shared-objects.js';
import { type Clock, systemClock } from '../../time/clock.js';
import { SYSTEM_CALLS, SYSTEM_CALLS_LATER } from '../target/target-calls.js';
import type { WaysParts } from '../target/target-ways.js';
import { createExportContext } from './context.js';
import { EXPORT_EXECUTORS } from './executors.js';
import type { ExportConstants, ExportKinds } from './kinds.js';

/** What a lane needs to know before its first task; plain data that can be handed to a thread. */
export interface ExportLaneSetup {
  readonly place: ContainerPlace;
  readonly constants: ExportConstants;
  readonly retryWindowMs: number;
  /** The container's listing; undefined: each object is asked for. */
  readonly objects: SharedObjects | undefined;
  /** Descriptor of the target's root, which stays open, and whose description no other lane has. */
  readonly root: number;
  /** Lanes of the process, which share its descriptors. */
  readonly lanes: number;
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
  /** Told of every try of a request that failed and will be repeated, and of how the target is called. */
  log?(text: string): void;
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
  const { place, constants, retryWindowMs, objects, root, lanes } = setup;
  const container =
    parts.container ??
    (await openContainer(place, authorization, { retryWindowMs, traffic: new Traffic(1), onRetry: parts.log }));
  const pace = new Pace();
  const finder = objects ? openSharedObjects(objects) : createDirectFinder(container, pace);
  const reader = new ContainerReader(container, finder, openLz4(), constants.geometry, pace, parts.overlay);
  const context = createExportContext({
    constants,
    reader,
    isListed: objects !== undefined,
    ways: parts.ways ?? { now: SYSTEM_CALLS, later: SYSTEM_CALLS_LATER, onWay: parts.log },
    root,
    lanes,
    clock: parts.clock ?? systemClock,
  });
  const { stop } = context;
  let closed: Promise<void> | undefined;
  const close = () => {
    // What a caller gave stays open.
    closed ??= parts.container ? Promise.resolve() : container.close();
    return closed;
  };
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
    },
  });
}

import type { Authorization } from '../container/azure/blob-service.js';
import { type ContainerPlace, openContainer } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import type { Traffic } from '../container/traffic.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { type Selection, selectFrom } from '../source/selection.js';
import { createContext, type WorkContext } from './context.js';
import type { JobConstants } from './tasks.js';

/** What a lane needs to know before its first task; plain data that can be handed to a thread. */
export interface LaneSetup {
  readonly source: Uint8Array;
  readonly selection: Selection;
  readonly place: ContainerPlace;
  readonly constants: JobConstants;
  readonly retryWindowMs: number;
  /** Requests in flight of this lane; undefined: adapted. */
  readonly concurrency: number | undefined;
  /** Megabits per second of all lanes together; 0: no cap. */
  readonly capMbps: number;
  readonly lateArrivalMs: number | undefined;
  /** Lanes of the process, which share its descriptors. */
  readonly lanes: number;
}

/**
 * Opens source and container for a lane of its own.
 *
 * @param authorization read at each request
 * @param traffic of the thread that runs the lane
 * @param onRetry told of every try of a request that failed and will be repeated
 * @throws ClfsError `source`, and as the container says
 */
export async function openLane(setup: LaneSetup, authorization: Authorization, traffic: Traffic, onRetry: (text: string) => void): Promise<WorkContext> {
  const container = await openContainer(setup.place, authorization, {
    retryWindowMs: setup.retryWindowMs,
    concurrency: setup.concurrency,
    traffic,
    rateLimit: setup.capMbps > 0 ? createRateLimit(setup.capMbps, traffic) : undefined,
    lateArrivalMs: setup.lateArrivalMs,
    onRetry,
  });
  const constants = { ...setup.constants, secret: Buffer.from(setup.constants.secret) };
  const source = selectFrom(openPosixSource(setup.source), setup.selection);
  return createContext(constants, source, container, openLz4(), setup.lanes);
}

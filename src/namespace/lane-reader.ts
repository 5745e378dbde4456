import type { Authorization } from '../container/azure/authorization.js';
import type { Container } from '../container/container.js';
import { type ContainerPlace, type OpenOptions, openContainer } from '../container/open-container.js';
import { createRateLimit, RateShare } from '../container/rate-limit.js';
import { Traffic } from '../container/traffic.js';
import type { Lz4 } from '../format/envelope.js';
import type { Geometry } from '../format/geometry.js';
import { createDirectFinder } from './object-finder.js';
import { Pace } from './pace.js';
import { ContainerReader, type ReaderOverlay } from './reader.js';
import { type AskedObjects, openSharedObjects, type SharedObjects } from './shared-objects.js';

/** What a lane reads; plain data that can be handed to a thread. */
export interface LaneReading {
  readonly place: ContainerPlace;
  readonly retryWindowMs: number;
  /** The container's listing; undefined: each object is asked for. */
  readonly objects: SharedObjects | AskedObjects | undefined;
  /** Memory of the `RateShare` by which the lanes of a process keep a rate together; undefined: they keep none. */
  readonly cap?: SharedArrayBuffer;
}

/** By what a lane reads. */
export interface LaneReaderParts extends Pick<OpenOptions, 'onRetry' | 'signal' | 'waits' | 'mayBlock'> {
  readonly geometry: Geometry;
  readonly lz4: Lz4;
  /** Counts its requests, and what it reads of content. */
  readonly traffic?: Traffic;
  /** One that is open; it stays so. */
  readonly container?: Container;
  /** What is read in place of the container's own tree. */
  readonly overlay?: ReaderOverlay;
}

/** A container that a lane has open. */
export interface LaneReader {
  readonly reader: ContainerReader;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/**
 * Opens a container for a lane of its own. To be closed.
 *
 * @param authorization read at each request
 * @throws ClfsError as the container says
 */
export async function openLaneReader(
  { place, retryWindowMs, objects, cap }: LaneReading,
  authorization: Authorization,
  { geometry, lz4, container: given, overlay, traffic = new Traffic(1), ...how }: LaneReaderParts,
): Promise<LaneReader> {
  const readLimit = cap && createRateLimit(0, new RateShare(cap));
  const container = given ?? (await openContainer(place, authorization, { retryWindowMs, traffic, readLimit, ...how }));
  const pace = new Pace(how.signal);
  const finder = objects ? openSharedObjects(objects) : createDirectFinder(container, pace);
  let closed: Promise<void> | undefined;
  return {
    reader: new ContainerReader(container, finder, lz4, geometry, pace, overlay, traffic),
    close() {
      closed ??= given ? Promise.resolve() : container.close();
      return closed;
    },
  };
}

import { setMaxListeners } from 'node:events';
import type { Container } from '../container/container.js';
import type { Lz4 } from '../format/envelope.js';
import { largestObjectBytes } from '../format/object-layout.js';
import { type DescriptorPlaces, descriptorPlaces, isOutOfDescriptors, patiently } from '../posix/descriptors.js';
import type { SourceGauge } from '../source/source-gauge.js';
import { SourcePace } from '../source/source-pace.js';
import type { DirectoryIdentity, SourceDirectory, SourceTree } from '../source/source-tree.js';
import { type Clock, systemClock } from '../time/clock.js';
import type { WaitBoard } from '../waits/wait-board.js';
import { BufferBudget } from './buffer-budget.js';
import { JobIds } from './job-ids.js';
import { ObjectWriter } from './object-writer.js';
import { SourceOutage } from './source-outage.js';
import type { DirectoryPlace, JobConstants } from './tasks.js';

/** Directories that the tasks of one lane have open at once. */
const MOST_OPEN_DIRECTORIES = 128;
/** A directory, and a file or a second descriptor of the directory. */
const DESCRIPTORS_A_PLACE = 2;
/** Bytes of files that one lane reads at once while it goes on with others. */
const READ_AHEAD_BYTES = 24 * 1048576;

/** Set when the job stops. */
interface StopState {
  /** Tasks end what is under way and begin nothing new. */
  asked: boolean;
  /** Tasks do not wait for what is under way any more. */
  abandoned: boolean;
  /** Aborted when tasks are asked to stop. */
  readonly controller: AbortController;
}

/** What the tasks of one lane share. */
export interface WorkContext {
  readonly constants: JobConstants;
  readonly ids: JobIds;
  readonly source: SourceTree;
  readonly container: Container;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  /** A place is taken for each directory of the source that is open. */
  readonly places: DescriptorPlaces;
  readonly stop: StopState;
  /** How the source is called. */
  readonly pace: SourcePace;
  readonly outage: SourceOutage;
  /** What is read by calls that leave the lane free is read into these. */
  readonly readBuffers: BufferBudget;
}

/** How a lane stands to its source. */
export interface SourceStanding {
  /** Whether the thread may be held up by a source that does not answer. */
  readonly mayBlock: boolean;
  readonly gauge?: SourceGauge;
  readonly waits?: WaitBoard;
}

/**
 * @param lz4 used when the job compresses
 * @param lanes that share the descriptors of the process
 */
export function createContext(
  constants: JobConstants,
  source: SourceTree,
  container: Container,
  lz4: Lz4,
  lanes: number,
  clock: Clock = systemClock,
  standing: SourceStanding = { mayBlock: true },
): WorkContext {
  const writer = new ObjectWriter(
    container,
    constants.spec.compression === 'LZ4' ? lz4 : undefined,
    largestObjectBytes(constants.geometry),
  );
  const ids = new JobIds(constants.secret, constants.containerId);
  // Half of what the process may open is for the source; the rest for connections, blobs and the state.
  const places = descriptorPlaces(MOST_OPEN_DIRECTORIES, { sharers: 2 * lanes, each: DESCRIPTORS_A_PLACE });
  const now = () => clock.monotonic();
  const pace = new SourcePace({
    mayBlock: standing.mayBlock,
    gauge: standing.gauge,
    waits: standing.waits?.slot('source'),
    source,
    now,
    waitsForService: () => container.ready() !== undefined,
  });
  const stop = { asked: false, abandoned: false, controller: new AbortController() };
  // Each entry that waits for its next try listens to it.
  setMaxListeners(0, stop.controller.signal);
  const outage = new SourceOutage(source, pace.gauge, clock, stop);
  const { firstSegmentBytes, fileSegmentBytes } = constants.geometry;
  const readBuffers = new BufferBudget(READ_AHEAD_BYTES, firstSegmentBytes + fileSegmentBytes + 1);
  return { constants, ids, source, container, writer, clock, places, stop, pace, outage, readBuffers };
}

/** Has the tasks of a lane end what is under way and begin nothing new. */
export function askToStop({ stop, pace }: WorkContext): void {
  stop.asked = true;
  stop.controller.abort();
  pace.stop();
}

/**
 * Opens a directory of the source, in the way of calling that its lane has now.
 *
 * @throws as `SourceTree.openDirectory`; ClfsError `open-files`
 */
export function openDirectory(
  { source, pace }: Pick<WorkContext, 'source' | 'pace'>,
  path: Buffer,
  expected?: DirectoryIdentity,
): SourceDirectory | Promise<SourceDirectory> {
  const { async } = source;
  if (async && pace.isAsync)
    return patiently(path, () => pace.during(path, NO_NAME, () => async.openDirectory(path, expected)));
  pace.waits.blocks(path, NO_NAME);
  try {
    return openPatiently(path, () => source.openDirectory(path, expected));
  } finally {
    pace.waits.unblocks();
  }
}

const NO_NAME = Buffer.alloc(0);

/**
 * Opens a directory of the source, uses it and closes it; again, where it fails as it does while a server is away.
 *
 * @throws as {@link openDirectory}, and what `use` throws
 */
export async function inDirectory<T>(
  context: WorkContext,
  place: DirectoryPlace,
  use: (directory: SourceDirectory) => T | Promise<T>,
): Promise<T> {
  const giveBack = await context.places.take();
  const path = Buffer.from(place.path);
  const work = async () => {
    const directory = await openDirectory(context, path, place);
    try {
      return await use(directory);
    } finally {
      directory.close();
    }
  };
  try {
    const result = await work();
    context.outage.succeeded(path);
    return result;
  } catch (error) {
    return await context.outage.again(path, error, work);
  } finally {
    giveBack();
  }
}

/**
 * Opens something of the source; waits while the process has no descriptor for it: that is no failure of an entry.
 *
 * @throws ClfsError `open-files` after half a minute; whatever `open` throws for other reasons
 */
export function openPatiently<T>(what: Uint8Array, open: () => T): T | Promise<T> {
  try {
    return open();
  } catch (error) {
    if (!isOutOfDescriptors(error)) throw error;
    return patiently(what, open);
  }
}

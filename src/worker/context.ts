import type { Container } from '../container/container.js';
import type { Lz4 } from '../format/envelope.js';
import { largestObjectBytes } from '../format/object-layout.js';
import { type DescriptorPlaces, descriptorPlaces, isOutOfDescriptors, patiently } from '../posix/descriptors.js';
import type { SourceTree } from '../source/source-tree.js';
import { type Clock, systemClock } from '../time/clock.js';
import { JobIds } from './job-ids.js';
import { ObjectWriter } from './object-writer.js';
import type { JobConstants } from './tasks.js';

/** Directories that the tasks of one lane have open at once. */
const MOST_OPEN_DIRECTORIES = 128;
/** A directory, and a file or a second descriptor of the directory. */
const DESCRIPTORS_A_PLACE = 2;

/** Set when the job stops. */
interface StopState {
  /** Tasks end what is under way and begin nothing new. */
  asked: boolean;
  /** Tasks do not wait for what is under way any more. */
  abandoned: boolean;
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
): WorkContext {
  const writer = new ObjectWriter(
    container,
    constants.spec.compression === 'LZ4' ? lz4 : undefined,
    largestObjectBytes(constants.geometry),
  );
  const ids = new JobIds(constants.secret, constants.containerId);
  // Half of what the process may open is for the source; the rest for connections, blobs and the state.
  const places = descriptorPlaces(MOST_OPEN_DIRECTORIES, { sharers: 2 * lanes, each: DESCRIPTORS_A_PLACE });
  return { constants, ids, source, container, writer, clock, places, stop: { asked: false, abandoned: false } };
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

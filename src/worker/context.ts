import type { Container } from '../container/container.js';
import type { Traffic } from '../container/traffic.js';
import type { Lz4 } from '../format/envelope.js';
import { type Geometry, maximumBlockCount } from '../format/geometry.js';
import { inodeHeadBytes } from '../format/inode.js';
import type { SourceTree } from '../source/source-tree.js';
import { JobIds } from './job-ids.js';
import { ObjectWriter } from './object-writer.js';
import type { JobConstants } from './tasks.js';

/** What the tasks of one thread share. */
export interface WorkContext {
  readonly constants: JobConstants;
  readonly ids: JobIds;
  readonly source: SourceTree;
  readonly container: Container;
  readonly writer: ObjectWriter;
  /** Where files are counted as they arrive. */
  readonly traffic: Traffic;
}

/** The most back pointers of one inode. Source: clfs-format.md 6.6 */
export const MOST_LINKS = 1023;

/** @param lz4 used when the job compresses */
export function createContext(constants: JobConstants, source: SourceTree, container: Container, lz4: Lz4, traffic: Traffic): WorkContext {
  const writer = new ObjectWriter(container, constants.compress ? lz4 : undefined, largestObjectBytes(constants.geometry));
  return { constants, ids: new JobIds(constants.secret, constants.containerId), source, container, writer, traffic };
}

/** No object of a job is larger: a whole segment, or an inode with every direct block, every link and a full first piece. */
function largestObjectBytes(geometry: Geometry): number {
  const id = new Uint8Array(24);
  const direct = new Array<Uint8Array>(Math.min(geometry.directBlocks, maximumBlockCount(geometry))).fill(id);
  const head = inodeHeadBytes({ backPointers: new Array<Uint8Array>(MOST_LINKS).fill(id), name: new Uint8Array(255) }, direct);
  const segment = Math.max(geometry.fileSegmentBytes, geometry.directorySegmentBytes);
  const indirect = geometry.fanOut * 18;
  return Math.max(head + geometry.firstSegmentBytes, segment, indirect, 65536) + 4096;
}

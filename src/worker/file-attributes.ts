import { type Attributes, clampTimestamp, EPOCH } from '../format/attributes.js';
import type { SourceAttributes } from '../source/source-tree.js';
import type { JobConstants } from './tasks.js';

/**
 * Attributes to write for an entry of the source. Times out of range are moved to the nearest one that the format has.
 */
export function toAttributes(
  source: SourceAttributes,
  constants: JobConstants,
  lengthBytes: number,
  linkCount: number,
): Attributes {
  const length = BigInt(lengthBytes);
  const device = source.type === 3 || source.type === 4;
  return {
    mode: source.mode,
    type: source.type,
    flags: 0,
    uid: source.uid,
    gid: source.gid,
    lengthBytes: length,
    dtime: EPOCH,
    mtime: clampTimestamp(source.mtimeSeconds, source.mtimeNanoseconds),
    ctime: clampTimestamp(source.ctimeSeconds, source.ctimeNanoseconds),
    atime: clampTimestamp(source.atimeSeconds, source.atimeNanoseconds),
    usedBytes: length,
    fsid: BigInt(constants.fsid),
    inodeNumber: source.inode,
    deviceMajor: device ? source.specialMajor : 0,
    deviceMinor: device ? source.specialMinor : 0,
    linkCount,
    containerId: BigInt(constants.containerId),
  };
}

/** Whether a time of the entry cannot be represented. */
export function hasClampedTime(source: SourceAttributes): boolean {
  return outOfRange(source.mtimeSeconds) || outOfRange(source.ctimeSeconds) || outOfRange(source.atimeSeconds);
}

function outOfRange(seconds: number): boolean {
  return seconds < 0 || seconds > 0xffffffff;
}

import { ENTRY_TYPE_NAMES, modeTypeBits, ObjectType } from '../../format/ids.js';
import type { FoundInode } from '../../namespace/reader.js';
import { quotePath } from '../../text/escape-path.js';
import type { ExpectedEntry } from '../expectation.js';
import type { AttributeComparison, Differences } from './kinds.js';

/** No attribute may differ at all. */
export const EXACTLY: AttributeComparison = { timeToleranceNs: 0n };

const SECOND_NS = 1_000_000_000n;
/** Of `st_mode`. */
const PERMISSIONS = 0o7777;

/** Differences below this are the reference loader's rounding. */
const ROUNDING_NS = 1000n;

/**
 * What differs between an inode and what it should be, by its attributes.
 *
 * Never compared: access and change times, inode numbers, the size of directories.
 */
export function compareAttributes(
  expected: ExpectedEntry,
  found: FoundInode,
  { timeToleranceNs, ignored = [] }: AttributeComparison,
): Differences {
  const a = found.inode.attributes;
  const texts: string[] = [];
  const compare = (what: string, should: string | number | bigint, is: string | number | bigint) => {
    if (should !== is) texts.push(sides(what, should, is));
  };
  compare('type', ENTRY_TYPE_NAMES[expected.type], ENTRY_TYPE_NAMES[a.type]);
  if (texts.length > 0) return { texts, onlyRounding: false };
  // Bits of another type are shown, too.
  const mode = (a.mode & ~PERMISSIONS) === modeTypeBits(a.type) ? a.mode & PERMISSIONS : a.mode;
  if (!ignored.includes('mode')) compare('mode', expected.permissions.toString(8), mode.toString(8));
  if (!ignored.includes('owner')) {
    compare('uid', expected.uid, a.uid);
    compare('gid', expected.gid, a.gid);
  }
  if (expected.type === ObjectType.regular) compare('size', expected.sizeBytes, a.lengthBytes);
  compare('device', `${expected.deviceMajor}:${expected.deviceMinor}`, `${a.deviceMajor}:${a.deviceMinor}`);
  if (expected.target && !(found.inode.data ?? Buffer.alloc(0)).equals(expected.target))
    texts.push(sides('link target', quotePath(expected.target), quotePath(found.inode.data ?? new Uint8Array(0))));
  let onlyRounding = texts.length === 0;
  const nanoseconds = BigInt(a.mtime.nanoseconds);
  const mtimeNs = BigInt(a.mtime.seconds) * SECOND_NS + nanoseconds;
  const distance = mtimeNs > expected.mtimeNs ? mtimeNs - expected.mtimeNs : expected.mtimeNs - mtimeNs;
  if (ignored.includes('mtime')) return { texts, onlyRounding };
  if (nanoseconds >= SECOND_NS) {
    // It may come to the same moment, and is no time that a file can be given.
    texts.push(sides('modified', formatNs(expected.mtimeNs), `a time of ${nanoseconds} nanoseconds`));
    onlyRounding = false;
  } else if (distance > timeToleranceNs) {
    texts.push(sides('modified', formatNs(expected.mtimeNs), formatNs(mtimeNs)));
    if (distance >= ROUNDING_NS) onlyRounding = false;
  }
  return { texts, onlyRounding };
}

function sides(what: string, should: string | number | bigint, is: string | number | bigint): string {
  return `${what} ${should} in the source, ${is} in the container`;
}

/** In UTC, from 1970 on, as the format has it. */
function formatNs(ns: bigint): string {
  const seconds = new Date(Number(ns / SECOND_NS) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return `${seconds}.${String(ns % SECOND_NS).padStart(9, '0')}Z`;
}

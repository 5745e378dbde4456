import { ENTRY_TYPE_NAMES, ObjectType } from '../../format/ids.js';
import type { FoundInode } from '../../namespace/reader.js';
import { quotePath } from '../../text/escape-path.js';
import type { ExpectedEntry } from '../expectation.js';
import type { Differences } from './kinds.js';

/** Differences below this are the reference loader's rounding. */
const ROUNDING_NS = 1000n;

/**
 * What differs between an inode and what it should be, by its attributes.
 *
 * Never compared: access and change times, inode numbers, the size of directories.
 */
export function compareAttributes(expected: ExpectedEntry, found: FoundInode, timeToleranceNs: bigint): Differences {
  const a = found.inode.attributes;
  const texts: string[] = [];
  const compare = (what: string, should: string | number | bigint, is: string | number | bigint) => {
    if (should !== is) texts.push(sides(what, should, is));
  };
  compare('type', ENTRY_TYPE_NAMES[expected.type], ENTRY_TYPE_NAMES[a.type]);
  if (texts.length > 0) return { texts, onlyRounding: false };
  compare('mode', expected.permissions.toString(8), (a.mode & 0o7777).toString(8));
  compare('uid', expected.uid, a.uid);
  compare('gid', expected.gid, a.gid);
  if (expected.type === ObjectType.regular) compare('size', expected.sizeBytes, a.lengthBytes);
  compare('device', `${expected.deviceMajor}:${expected.deviceMinor}`, `${a.deviceMajor}:${a.deviceMinor}`);
  if (expected.target && !(found.inode.data ?? Buffer.alloc(0)).equals(expected.target))
    texts.push(sides('link target', quotePath(expected.target), quotePath(found.inode.data ?? new Uint8Array(0))));
  let onlyRounding = texts.length === 0;
  const mtimeNs = BigInt(a.mtime.seconds) * 1_000_000_000n + BigInt(a.mtime.nanoseconds);
  const distance = mtimeNs > expected.mtimeNs ? mtimeNs - expected.mtimeNs : expected.mtimeNs - mtimeNs;
  if (distance > timeToleranceNs) {
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
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`;
}

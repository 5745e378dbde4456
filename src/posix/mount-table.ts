import { openSync, readSync } from 'node:fs';
import { koffi } from './koffi.js';

const poll = koffi.load(null as unknown as string).func('int poll(void *, uint64_t, int)');

const TABLE = '/proc/self/mountinfo';
const POLL_PRIORITY = 0x2;
const PIECE_BYTES = 65536;
/** So long what was read counts when no change is told: a directory that is renamed takes what is mounted below it along. */
const LATEST_MS = 500;

/** The table, open as long as the process is there. */
let table: { readonly fd: number; text: string | undefined; readMs: number; below: Buffer | undefined } | undefined;
/** A `pollfd`: descriptor, events that are wanted, events that there are. Source: poll(2) */
const asked = Buffer.from(new ArrayBuffer(8));

/**
 * What the system has mounted, as `/proc/self/mountinfo` has it (proc(5)). It is read only when it has changed, which
 * costs a fiftieth to ask: a worker asks before each word that it tells, and machines have thousands of mounts.
 *
 * That a directory was renamed above what is mounted is no such change: it is noticed at once where it is above what is
 * asked about, which has another path then, and within half a second elsewhere.
 *
 * @param below what it is asked about: the present path of what is open
 * @throws Error where there is no such table, or no descriptor for it
 */
export function readMountTable(below?: Buffer): string {
  table ??= { fd: openSync(TABLE, 'r'), text: undefined, readMs: 0, below };
  // Asked before it is read: what changes meanwhile is a change at the next time.
  const isLatest = !hasChanged(table.fd) && performance.now() - table.readMs < LATEST_MS;
  if (table.text !== undefined && isLatest && isSamePath(table.below, below)) return table.text;
  table.text = undefined;
  table.readMs = performance.now();
  table.below = below;
  table.text = readWhole(table.fd);
  return table.text;
}

function isSamePath(before: Buffer | undefined, now: Buffer | undefined): boolean {
  return before === now || (before !== undefined && now !== undefined && before.equals(now));
}

function hasChanged(fd: number): boolean {
  asked.writeInt32LE(fd, 0);
  asked.writeInt16LE(POLL_PRIORITY, 4);
  return poll(asked, 1, 0) !== 0;
}

function readWhole(fd: number): string {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const count = readSync(fd, piece, 0, PIECE_BYTES, at);
    if (count === 0) return Buffer.concat(pieces).toString('latin1');
    pieces.push(piece.subarray(0, count));
    at += count;
  }
}

import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { escapePath } from '../text/escape-path.js';

/** System calls whose first argument is a path. */
const BY_PATH: Readonly<Record<string, readonly number[]>> = {
  x64: [2, 4, 6, 21, 76, 82, 83, 84, 85, 86, 87, 88, 89, 90, 92, 94, 133, 137],
  arm64: [43, 45],
};
/** Those whose second one is a name, in the directory that the first one is, or a path. */
const BY_NAME: Readonly<Record<string, readonly number[]>> = {
  x64: [257, 258, 259, 260, 262, 263, 264, 265, 267, 268, 269, 280, 316, 332, 437, 439],
  arm64: [33, 34, 35, 37, 38, 48, 53, 54, 56, 78, 79, 88, 276, 291, 437, 439],
};
const MOST_BYTES = 4096;
const PAGE_BYTES = 4096n;
/** A larger number is no descriptor. */
const MOST_DESCRIPTORS = 1_000_000n;

/**
 * What a thread of this process waits for, for people.
 *
 * @param call line of `/proc/self/task/…/syscall`: number, arguments, stack and instruction
 */
export function heldUpPath(call: string): string {
  const [number, ...rest] = call.split(' ');
  const isAmong = (table: Readonly<Record<string, readonly number[]>>) =>
    (table[process.arch] ?? []).includes(Number(number));
  try {
    const [first, second] = rest.map((text) => BigInt(text));
    if (isAmong(BY_PATH)) return escapePath(textAt(first));
    const opened = pathOfDescriptor(first);
    if (!isAmong(BY_NAME)) return opened ?? 'it cannot be told which';
    const name = textAt(second);
    const shown = escapePath(name);
    return opened === undefined || name[0] === 0x2f ? shown : name.length === 0 ? opened : `${opened}/${shown}`;
  } catch {
    return 'it cannot be told which';
  }
}

/** The kernel's own name of what is open, for which no file system is asked. */
function pathOfDescriptor(descriptor: bigint): string | undefined {
  if (descriptor < 0n || descriptor > MOST_DESCRIPTORS) return undefined;
  const path = readlinkSync(`/proc/self/fd/${descriptor}`, 'buffer');
  return path[0] === 0x2f ? escapePath(path) : undefined;
}

/** Bytes at an address of this process up to a NUL. */
function textAt(address: bigint): Buffer {
  const memory = openSync('/proc/self/mem', 'r');
  try {
    const bytes = Buffer.alloc(MOST_BYTES);
    let length = 0;
    while (length < MOST_BYTES) {
      const at = address + BigInt(length);
      // What comes behind the page may not be there.
      const most = Math.min(Number(PAGE_BYTES - (at % PAGE_BYTES)), MOST_BYTES - length);
      length += readSync(memory, bytes, length, most, at);
      const end = bytes.subarray(0, length).indexOf(0);
      if (end >= 0) return bytes.subarray(0, end);
    }
    return bytes;
  } finally {
    closeSync(memory);
  }
}

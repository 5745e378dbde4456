import { readFileSync } from 'node:fs';

/** What is taken when the system does not say: the usual limit of a login. */
const USUAL_LIMIT = 1024;

/**
 * How many connections a thread may have: together at most half of the files that the process may open, since the
 * source needs descriptors too.
 *
 * @param threads that share the half
 * @param limits text of `/proc/self/limits`; default: that of the process
 */
export function connectionBound(threads: number, limits: string = readLimits()): number {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? [];
  if (soft === 'unlimited') return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((soft === undefined ? USUAL_LIMIT : Number(soft)) / 2 / threads));
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}

import type { Traffic } from '../container/traffic.js';

/**
 * A worker that the service has not answered for so long gives its tasks to others, as one does whose source does not
 * answer. Longer than any try of a request takes: on a slow network those of large objects may be all there is.
 */
export const UNSERVED_MS = 300_000;

/**
 * Why the lanes of a worker get nowhere, since the service does not answer one of them.
 *
 * @param nowMs milliseconds since 1970
 * @returns undefined: it answers, or nothing is asked
 */
export function unservedText(traffic: Pick<Traffic, 'totals'>, nowMs: number): string | undefined {
  const { waitingSince } = traffic.totals();
  if (waitingSince === 0 || nowMs - waitingSince < UNSERVED_MS) return undefined;
  return `the service has not answered for ${Math.round((nowMs - waitingSince) / 1000)} s`;
}

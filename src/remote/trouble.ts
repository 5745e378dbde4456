import type { ErrorCode } from '../error.js';

/*
 * Whose trouble it is. What ends a task on one machine ends the job there; where others see the same, it may be that of
 * the one alone: its rights have run out, its mount or its disk is gone, it has no memory or descriptors left. So a worker
 * on which a task ends before its time takes no part any more: it ends its lanes, gives back all it has as lost, says why,
 * and tries to take part again later. What all of them see ends the job all the same: when nobody has been left for a
 * while who could do anything, by the reason that the last one has had; and what a task brings about wherever it is done, by the count
 * of those who have gone with it (`engine/work.ts`), with the reason of the last of them.
 */

/** Why a worker gives back what it has. */
export interface Trouble {
  readonly code: ErrorCode;
  /** Of the task that it has ended; missing where it came with none, as of a thread that could not begin. */
  readonly ticket?: number;
}

/** What a machine may have whatever it works on. Any other trouble may be that of the task, for whoever takes it next. */
const OF_MACHINES: readonly ErrorCode[] = [
  'access-denied',
  'container',
  'container-missing',
  'open-files',
  'service-unavailable',
  'source',
  'state',
  'target',
  'temporary',
];

/** A dozen machines that have such a trouble with one task are too many for chance. */
const MACHINE_SHARE = 0.25;

/** How much of a loss the task is blamed for that has ended with this: never for nothing, or it would be tried for ever. */
export function shareOf({ code }: Trouble): number {
  return OF_MACHINES.includes(code) ? MACHINE_SHARE : 1;
}

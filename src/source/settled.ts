import type { SourceAttributes } from './source-tree.js';

/*
 * A change gives an entry the time of its file system's clock, and that moves in steps: a second change within one step
 * leaves the times as they are. So a look tells what came after it only when the latest change was at least a step
 * before it: then each later one has a later time.
 */

/** The kernel's clock moves 100 to 1,000 times a second. */
const STEP_MS = 50;
/** Lustre, old formats of a disk and servers of them keep whole seconds, FAT every second one. */
const COARSE_STEP_MS = 2000;
/** By how much the clock of a server may differ from ours, when a time of it is compared with ours. */
const SKEW_MS = 500;
/** What is to come by more than this was stamped by a clock that has been set since: it is as good as an old one. */
const SET_SINCE_MS = 3_600_000;
/** So often a look is made again, at most, and on a clock of small steps more often. */
const MOST_WAITS = 3;
const LONGEST_MS = 1000;

/** A ctime: nobody can set it, and it goes back only where a clock is set back. */
export type ChangeTime = Pick<SourceAttributes, 'ctimeSeconds' | 'ctimeNanoseconds'>;

/**
 * Whether the latest change of what was seen is so long past, by our clock, that the look tells what comes after it.
 *
 * @param nowMs when it was looked at, in milliseconds since 1970
 * @param isRemote whether the clock may be that of another machine
 */
export function isLongPast(seen: ChangeTime, nowMs: number, isRemote: boolean): boolean {
  const ageMs = nowMs - changedMs(seen);
  return ageMs >= stepMs(seen) + (isRemote ? SKEW_MS : 0) || ageMs < -SET_SINCE_MS;
}

/** Milliseconds since 1970. */
export function changedMs({ ctimeSeconds, ctimeNanoseconds }: ChangeTime): number {
  return ctimeSeconds * 1000 + ctimeNanoseconds / 1e6;
}

function stepMs({ ctimeNanoseconds }: ChangeTime): number {
  return ctimeNanoseconds === 0 ? COARSE_STEP_MS : STEP_MS;
}

/** What {@link settledLook} works with. */
export interface SettledLookParts {
  readonly isRemote: boolean;
  /** Milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Looks at an entry, again after a pause while it may have changed just before, so that a change after the look is seen
 * by a later one. Whatever the clocks say, that is so of a look that sees the same time of change as one a step before:
 * the clock that gives the times has moved since.
 *
 * @returns what the latest look saw; `isSettled` is false when the entry changes all the time
 * @throws what `look` and `sleep` throw
 */
export async function settledLook(
  look: () => SourceAttributes | Promise<SourceAttributes>,
  { isRemote, now, sleep }: SettledLookParts,
): Promise<{ readonly seen: SourceAttributes; readonly isSettled: boolean }> {
  let before: SourceAttributes | undefined;
  let waitedMs = 0;
  for (let waits = 0; ; waits++) {
    const seen = await look();
    if (isLongPast(seen, now(), isRemote) || (before && isSameTime(before, seen))) return { seen, isSettled: true };
    if (waits >= MOST_WAITS && waitedMs >= LONGEST_MS) return { seen, isSettled: false };
    await sleep(stepMs(seen));
    waitedMs += stepMs(seen);
    before = seen;
  }
}

/** Whether nothing was changed between two looks, as far as their times tell. */
export function isSameTime(a: ChangeTime, b: ChangeTime): boolean {
  return a.ctimeSeconds === b.ctimeSeconds && a.ctimeNanoseconds === b.ctimeNanoseconds;
}

/** Whether an entry was seen before a change that another look saw. A coarse time may have forgotten the rest of it. */
export function isOlder(seen: ChangeTime, wanted: ChangeTime): boolean {
  if (seen.ctimeSeconds !== wanted.ctimeSeconds) return seen.ctimeSeconds < wanted.ctimeSeconds;
  return seen.ctimeNanoseconds !== 0 && seen.ctimeNanoseconds < wanted.ctimeNanoseconds;
}

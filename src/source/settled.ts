import type { SourceAttributes } from './source-tree.js';

/*
 * A change gives an entry the time of its file system's clock, and that moves in steps: a second change within one step
 * leaves size and times as they are. So a look tells what came after it only when the latest change was at least a step
 * before it: then each later one has a later time.
 */

/** The kernel's clock moves 100 to 1,000 times a second. */
const STEP_MS = 20;
/** Lustre, old formats of a disk and servers of them keep whole seconds, FAT every second one. */
const COARSE_STEP_MS = 2000;
/** By how much the clock of a server may differ from ours. */
const SKEW_MS = 500;
/** So often a look is made again, at most, and on a clock of small steps more often. */
const MOST_WAITS = 3;
const LONGEST_MS = 400;

/**
 * How long to wait until another look at an entry tells what comes after it, in milliseconds; 0: this one does.
 *
 * A change that is to come by its time was made while the clock was another one: it is as good as an old one.
 *
 * @param nowMs when it was looked at, in milliseconds since 1970
 * @param isRemote whether the clock is that of another machine
 */
export function unsettledMs(
  { ctimeSeconds, ctimeNanoseconds }: Pick<SourceAttributes, 'ctimeSeconds' | 'ctimeNanoseconds'>,
  nowMs: number,
  isRemote: boolean,
): number {
  const stepMs = ctimeNanoseconds === 0 ? COARSE_STEP_MS : STEP_MS;
  const neededMs = stepMs + (isRemote ? SKEW_MS : 0);
  const ageMs = nowMs - (ctimeSeconds * 1000 + ctimeNanoseconds / 1e6);
  return ageMs >= neededMs || ageMs < -neededMs ? 0 : Math.ceil(neededMs - ageMs);
}

/** What {@link settledLook} works with. */
export interface SettledLookParts {
  readonly isRemote: boolean;
  /** Milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

/**
 * Looks at an entry, again after a pause while it has changed just before, so that a change after the look is seen by a
 * later one.
 *
 * @returns what the latest look saw; `isSettled` is false when the entry changes all the time
 * @throws what `look` and `sleep` throw
 */
export async function settledLook(
  look: () => SourceAttributes | Promise<SourceAttributes>,
  { isRemote, now, sleep }: SettledLookParts,
): Promise<{ readonly seen: SourceAttributes; readonly isSettled: boolean }> {
  let waitedMs = 0;
  for (let waits = 0; ; waits++) {
    const seen = await look();
    const ms = unsettledMs(seen, now(), isRemote);
    if (ms === 0) return { seen, isSettled: true };
    if (waits >= MOST_WAITS && waitedMs >= LONGEST_MS) return { seen, isSettled: false };
    await sleep(ms);
    waitedMs += ms;
  }
}

import type { Clock } from '../time/clock.js';

/** Longest time that work of a lane stays unrecorded: a kill loses about so much. */
export const REPORT_MS = 1000;
/** How often a task that waits for its requests looks, once the job stops, whether they are given up. */
export const STOP_LOOK_MS = 200;

/** Resolves with `done`, which never fails, or after `delayMs`. */
export function atMost(clock: Clock, delayMs: number, done: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(delayMs, resolve);
    void done.then(() => {
      timer.cancel();
      resolve();
    });
  });
}

import type { VirtualTime } from './virtual-time.js';

const { setTimeout: realTimeout, clearTimeout: realClear } = globalThis;

/** How often it is looked whether something hangs, in real milliseconds. */
const LOOK_MS = 1000;

/**
 * Runs something whose timers are those of a virtual time, so that it is the same each time and does not wait.
 *
 * @param hangMs real milliseconds after which it counts as hanging; while this process is stopped none go by
 * @param isExpected whether what a timer threw is part of the life
 * @throws Error when it hangs; what a timer threw
 */
export async function runVirtually<T>(
  time: VirtualTime,
  hangMs: number,
  run: () => Promise<T>,
  isExpected: (error: unknown) => boolean = () => false,
): Promise<T> {
  const clearFake = (timer: unknown) => (timer as { cancel?(): void } | undefined)?.cancel?.();
  const fake = (call: () => void, delayMs = 0) => {
    const timer = { ...time.after(delayMs, call), unref: () => timer };
    return timer;
  };
  let watch: NodeJS.Timeout | undefined;
  let leftMs = hangMs;
  const hangs = new Promise<never>((_, reject) => {
    // What comes late, since others have the processors, counts like what comes in time.
    const look = () => {
      if (leftMs <= 0) reject(new Error('the session hangs'));
      leftMs -= LOOK_MS;
      watch = realTimeout(look, LOOK_MS);
    };
    look();
    time.onError = (error) => isExpected(error) || reject(error);
  });
  const { performance: realPerformance } = globalThis;
  // Nothing in a life depends on how busy this machine is.
  const eventLoopUtilization = () => ({ idle: 0, active: 0, utilization: 0 });
  const performance = { now: () => time.ms, eventLoopUtilization };
  Object.assign(globalThis, { setTimeout: fake, clearTimeout: clearFake, performance });
  try {
    return await Promise.race([run(), hangs]);
  } finally {
    Object.assign(globalThis, { setTimeout: realTimeout, clearTimeout: realClear, performance: realPerformance });
    realClear(watch);
  }
}

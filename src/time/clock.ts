/** Time, so that tests need not wait for it. */
export interface Clock {
  /** Milliseconds since 1970. Can jump, forward and back: for what people read, never for how long something takes. */
  now(): number;
  /** Milliseconds since some moment before the process began; the same for all its threads, and never jumps. */
  monotonic(): number;
  /** Resolves after `delayMs`, or at once when `signal` is aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `call` once after `delayMs`, unless it is cancelled before. */
  after(delayMs: number, call: () => void): { cancel(): void };
}

/** Node takes a longer time for none at all. */
const MOST_DELAY_MS = 0x7fffffff;

/** What waits for more than 24 days waits for as long. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  sleep: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(delayMs, MOST_DELAY_MS));
      signal?.addEventListener('abort', done);
    }),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.min(delayMs, MOST_DELAY_MS));
    return { cancel: () => clearTimeout(timer) };
  },
};

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
      const timer = setTimeout(done, delayMs);
      signal?.addEventListener('abort', done);
    }),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

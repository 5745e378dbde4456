import { koffi, MOST_CALLS } from './koffi.js';

/** A function of the C library that has been bound. */
export type BoundCall = ReturnType<ReturnType<typeof koffi.load>['func']>;

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Makes a call in a thread of Node's pool. No more than {@link MOST_CALLS} of one thread are there at once, since koffi
 * refuses what is beyond that; others wait here, in their order.
 *
 * @param how what it is called with; held until it has ended
 * @param failure makes of `errno` what a call rejects with that failed; undefined: its negative result is what it gives
 */
export function callInPool(
  bound: BoundCall,
  how: unknown[],
  failure: ((errno: number) => Error) | undefined,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const begin = () => {
      running++;
      try {
        bound.async(...how, (error: Error | null, result: number | bigint) => {
          // What the call works with must live until now: nothing else holds it.
          how.length = 0;
          if (error) reject(error);
          // Its errno is there until another call is made.
          else if (result < 0 && failure) reject(failure(koffi.errno()));
          else resolve(Number(result));
          next();
        });
      } catch (error) {
        queueMicrotask(next);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    if (running < MOST_CALLS) begin();
    else waiting.push(begin);
  });
}

/** How many calls are under way, or wait for their turn. */
export function callsInPool(): number {
  return running + waiting.length;
}

function next(): void {
  running--;
  waiting.shift()?.();
}

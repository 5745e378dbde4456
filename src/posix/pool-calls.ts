import { koffi, MOST_CALLS } from './koffi.js';

/** A function of the C library that has been bound. */
export type BoundCall = ReturnType<ReturnType<typeof koffi.load>['func']>;

/** What a call gave: its result, and `errno`, which says something when the result is negative. */
interface Answer {
  readonly result: number;
  readonly errno: number;
}

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Makes a call in a thread of Node's pool. No more than {@link MOST_CALLS} of one thread are there at once, since koffi
 * refuses what is beyond that; others wait here, in their order.
 *
 * @param how what it is called with; held until it has ended
 */
export function callInPool(bound: BoundCall, how: unknown[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const begin = () => {
      running++;
      try {
        bound.async(...how, (error: Error | null, result: number | bigint) => {
          // That of this call only until another one is made.
          const errno = result < 0 ? koffi.errno() : 0;
          // What the call works with must live until now: nothing else holds it.
          how.length = 0;
          next();
          if (error) reject(error);
          else resolve({ result: Number(result), errno });
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

function next(): void {
  running--;
  waiting.shift()?.();
}

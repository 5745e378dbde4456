import { CALLS_AT_ONCE, koffi, MOST_CALLS } from './koffi.js';

/** A function of the C library that has been bound. */
export type BoundCall = ReturnType<ReturnType<typeof koffi.load>['func']>;

/** A call does not wait longer for others to end. */
const PATIENCE_MS = 50;

let running = 0;
const waiting: { begin(): void; readonly sinceMs: number }[] = [];
let isWatched = false;

/**
 * Makes a call in a thread of Node's pool. More than {@link CALLS_AT_ONCE} of one thread cost several times as much each:
 * what is beyond that waits here, in its order, for a while. More than {@link MOST_CALLS} there never are, since koffi
 * refuses them.
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
          ended();
        });
      } catch (error) {
        queueMicrotask(ended);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    if (running < CALLS_AT_ONCE) begin();
    else {
      waiting.push({ begin, sinceMs: performance.now() });
      watch();
    }
  });
}

/** How many calls are under way, or wait for their turn. */
export function callsInPool(): number {
  return running + waiting.length;
}

function ended(): void {
  running--;
  if (running < CALLS_AT_ONCE) waiting.shift()?.begin();
}

/** Calls that hang do not hold up others, as far as there is room. */
function watch(): void {
  if (isWatched) return;
  isWatched = true;
  setTimeout(() => {
    isWatched = false;
    const due = performance.now() - PATIENCE_MS;
    while (running < MOST_CALLS && waiting.length > 0 && waiting[0].sinceMs <= due) waiting.shift()?.begin();
    if (waiting.length > 0) watch();
  }, PATIENCE_MS);
}

import { CALLS_AT_ONCE, koffi, MOST_CALLS } from './koffi.js';

/** A function of the C library that has been bound. */
export type BoundCall = ReturnType<ReturnType<typeof koffi.load>['func']>;

/** When nothing has ended for so long, a call does not wait for others to end. */
const PATIENCE_MS = 50;

let running = 0;
/** Calls that have ended. */
let ends = 0;
const waiting: (() => void)[] = [];
let isWatched = false;

/**
 * Makes a call in a thread of Node's pool. No more than {@link CALLS_AT_ONCE} of one thread are there at once as long as
 * they end, since each beyond costs several times as much, and {@link MOST_CALLS} at all, since koffi refuses what is
 * beyond that; others wait here, in their order.
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
      waiting.push(begin);
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
  ends++;
  if (running < CALLS_AT_ONCE) waiting.shift()?.();
}

/** Calls that hang do not hold up others, as far as there is room. */
function watch(): void {
  if (isWatched) return;
  isWatched = true;
  const before = ends;
  setTimeout(() => {
    isWatched = false;
    if (ends === before) for (let room = CALLS_AT_ONCE; room > 0 && running < MOST_CALLS; room--) waiting.shift()?.();
    if (waiting.length > 0) watch();
  }, PATIENCE_MS);
}

import { setImmediate } from 'node:timers/promises';

/** How long a loop runs before signals and timers get their turn. */
const TURN_MS = 50;

/** Lets signals and timers have their turn in loops that may never wait for anything. */
export interface Turns {
  /**
   * To be called at every step of a loop.
   *
   * @returns undefined unless a turn is due; what is returned is to be awaited, and throws the signal's reason once it
   * is aborted
   */
  next(): Promise<void> | undefined;
}

/** @param onTurn called at each turn, and waited for */
export function takeTurns(signal: AbortSignal | undefined, onTurn: () => Promise<void>): Turns {
  let since = performance.now();
  const turn = async () => {
    await setImmediate();
    signal?.throwIfAborted();
    await onTurn();
    since = performance.now();
  };
  return { next: () => (performance.now() - since < TURN_MS ? undefined : turn()) };
}

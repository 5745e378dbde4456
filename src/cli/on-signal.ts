import { watchHeldUp } from '../index.js';

/** Two of a kind that come within this time are one: `timeout`, npm and others send a signal to a program and to its group. */
const TOGETHER_MS = 300;

/**
 * Tells of the first signal that asks the program to end, and of a later one.
 *
 * @param names those that are heard
 * @param first called once
 * @param again called for each that comes later than the first, and than what was sent together with it
 * @param exitCode the program ends with it when a call that holds up its thread does not end after a signal
 * @returns stops hearing
 */
export function onSignal(
  names: readonly NodeJS.Signals[],
  first: () => void,
  again: () => void,
  exitCode: number,
): () => void {
  // Without a terminal (nohup, a service) SIGHUP does not mean that the user wants to stop.
  const asks = (name: NodeJS.Signals) => name !== 'SIGHUP' || process.stdin.isTTY;
  const asked = watchHeldUp(names.filter(asks), exitCode);
  let heard: { readonly name: NodeJS.Signals; readonly ms: number } | undefined;
  const hear = (name: NodeJS.Signals) => {
    if (!asks(name)) return;
    if (heard === undefined) {
      heard = { name, ms: performance.now() };
      asked();
      first();
    } else if (name !== heard.name || performance.now() - heard.ms > TOGETHER_MS) again();
  };
  for (const name of names) process.on(name, hear);
  return () => {
    for (const name of names) process.off(name, hear);
  };
}

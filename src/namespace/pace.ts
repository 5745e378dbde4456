import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest time, in milliseconds, for which a loop keeps the event loop from turning. */
const TURN_MS = 20;

/**
 * Lets the event loop turn now and then, and ends what works when its signal is aborted.
 *
 * A container on disk answers without waiting: a loop over it never ends its turn by itself, so that no signal and no
 * timer gets through.
 */
export class Pace {
  readonly #signal: AbortSignal | undefined;
  #turnedAt = performance.now();
  #turning: Promise<void> | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * To be called in every round of a loop, and awaited when there is something to wait for: mostly there is not.
   *
   * @throws the reason of the signal, when it is aborted
   */
  pause(): Promise<void> | undefined {
    this.#signal?.throwIfAborted();
    if (this.#turning) return this.#turning;
    if (performance.now() - this.#turnedAt < TURN_MS) return undefined;
    this.#turning = this.#turn();
    return this.#turning;
  }

  async #turn(): Promise<void> {
    await nextTurn();
    this.#turning = undefined;
    this.#turnedAt = performance.now();
    this.#signal?.throwIfAborted();
  }
}

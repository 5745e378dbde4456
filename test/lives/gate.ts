import type { Clock } from '../../src/time/clock.js';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

/**
 * A process that can be frozen and killed: its timers, and what it is told, wait until it is awake, and never come once
 * it is dead.
 */
export class Gate {
  readonly #time: VirtualTime;
  readonly #timers = new Set<{ cancel(): void }>();
  #waiting: (() => void)[] | undefined;
  #dead = false;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get isFrozen(): boolean {
    return this.#waiting !== undefined;
  }

  get isDead(): boolean {
    return this.#dead;
  }

  /** Something comes to it. */
  arrive(call: () => void): void {
    if (this.#dead) return;
    if (this.#waiting) this.#waiting.push(call);
    else call();
  }

  /** Resolves when it goes on. */
  awake(): Promise<void> {
    return new Promise((resolve) => this.arrive(resolve));
  }

  freeze(): void {
    if (!this.#dead) this.#waiting ??= [];
  }

  /** What came meanwhile comes now, in any order: each of its threads wakes by itself. */
  wake(random: Pick<Random, 'below'>): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#time.touch();
    while (waiting.length > 0) this.arrive(waiting.splice(random.below(waiting.length), 1)[0]);
  }

  die(): void {
    this.#dead = true;
    this.#waiting = undefined;
    this.forget();
  }

  /** Cancels what it waits for. */
  forget(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** The clocks of its machine. */
  makeClock(now: () => number, monotonic: () => number): Clock {
    const after = (delayMs: number, call: () => void) => {
      let cancelled = false;
      const timer = this.#time.after(delayMs, () => {
        this.#timers.delete(timer);
        this.arrive(() => cancelled || call());
      });
      this.#timers.add(timer);
      return {
        cancel: () => {
          cancelled = true;
          this.#timers.delete(timer);
          timer.cancel();
        },
      };
    };
    return {
      now,
      monotonic,
      after,
      sleep: (delayMs, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          const done = () => {
            timer.cancel();
            signal?.removeEventListener('abort', done);
            resolve();
          };
          const timer = after(delayMs, done);
          signal?.addEventListener('abort', done);
        }),
    };
  }
}

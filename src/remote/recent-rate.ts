import type { Clock } from '../time/clock.js';

/** Over how long it is measured. */
const MEASURED_MS = 10_000;
/** Amounts of so long are kept as one. */
const STEP_MS = 250;

/** How much was done a second, of late, and in all. */
export class RecentRate {
  readonly #clock: Clock;
  readonly #begunMs: number;
  #total = 0;
  readonly #steps: { readonly ms: number; amount: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begunMs = clock.monotonic();
  }

  add(amount: number): void {
    this.#total += amount;
    const now = this.#clock.monotonic();
    const last = this.#steps.at(-1);
    if (last && now - last.ms < STEP_MS) last.amount += amount;
    else this.#steps.push({ ms: now, amount });
    this.#forget(now);
  }

  /** All that was added. */
  get total(): number {
    return this.#total;
  }

  get perSecond(): number {
    const now = this.#clock.monotonic();
    this.#forget(now);
    const overMs = Math.max(1, Math.min(MEASURED_MS, now - this.#begunMs));
    return (1000 * this.#steps.reduce((sum, { amount }) => sum + amount, 0)) / overMs;
  }

  #forget(now: number): void {
    while (this.#steps.length > 0 && this.#steps[0].ms < now - MEASURED_MS) this.#steps.shift();
  }
}

import { type Clock, systemClock } from '../time/clock.js';

/** Smallest and largest number of requests in flight that a thread adapts between. */
const LOWEST = 8;
const HIGHEST = 256;
const FIRST = 16;
/** A round trip shorter than this never means that a queue builds up: most of it is this thread's own work. */
const SHORT_MS = 0.7;
/** A round trip may grow by this factor over the shortest one seen before concurrency stops growing. */
const TOLERANCE = 2;
/** The shortest round trip is forgotten slowly, so that a route that became slower does not pin the limit. */
const BASELINE_DRIFT = 1.02;
/** Requests that may wait for a place before nothing more is prepared. */
const WAITING_AHEAD = 16;
/** For so long a limit that was lowered stays as it is: requests that were under way report the same trouble. */
const HOLD_MS = 2000;

/** Bounds of an {@link AdaptiveConcurrency}. */
export interface ConcurrencyOptions {
  /**
   * In place of an adapted number: it begins with this one, is lowered for a while where less is asked for, and comes
   * back to it.
   */
  readonly fixed?: number;
  /** Never more than so many, be they fixed or adapted. */
  readonly most?: number;
  readonly clock?: Clock;
  /** Told of each change of the number, and why. */
  readonly onChange?: (text: string) => void;
}

/**
 * Decides how many requests may be in flight: more while the round trip stays near its shortest, fewer when it climbs
 * (a queue builds up somewhere) and half as many when the service says that it is too much, or does not answer in time.
 *
 * A request keeps its place while it waits for its next try, so that nothing is prepared in vain; but before each try
 * it waits until fewer than the limit of that moment are sending.
 *
 * A fixed number stays when the round trip climbs, and is halved, and grows again, like an adapted one where the
 * service says that it is too much or does not answer in time: else requests that share a slow link would time out
 * together for ever.
 */
export class AdaptiveConcurrency {
  #limit: number;
  readonly #fixed: boolean;
  readonly #most: number;
  readonly #clock: Clock;
  readonly #onChange: ((text: string) => void) | undefined;
  #places = 0;
  #sending = 0;
  #peak = 0;
  #count = 0;
  #sumMs = 0;
  #shortestMs = Number.POSITIVE_INFINITY;
  #holdUntilMs = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #returning: (() => void)[] = [];
  readonly #blocked: (() => void)[] = [];

  constructor({ fixed, most = Number.POSITIVE_INFINITY, clock = systemClock, onChange }: ConcurrencyOptions = {}) {
    this.#onChange = onChange;
    this.#fixed = fixed !== undefined;
    this.#most = Math.max(1, Math.min(fixed ?? HIGHEST, most));
    this.#clock = clock;
    this.#limit = Math.min(fixed ?? FIRST, this.#most);
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Takes a place; the promise is undefined when one was free. */
  acquire(): Promise<void> | undefined {
    if (this.#mayEnter()) {
      this.#enter();
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** A try has failed, and its request waits for the next one. */
  pause(): void {
    this.#sending--;
    this.#admit();
  }

  /** Ends a pause, when fewer than the limit are sending; the promise is undefined when that is now. */
  resume(): Promise<void> | undefined {
    if (this.#sending < this.limit) {
      this.#sending++;
      return undefined;
    }
    return new Promise((resolve) => this.#returning.push(resolve));
  }

  /** Resolves when a request would not have to wait long; undefined when that is now. */
  ready(): Promise<void> | undefined {
    if (this.#waiting.length < WAITING_AHEAD) return undefined;
    return new Promise((resolve) => this.#blocked.push(resolve));
  }

  /** @param roundTripMs of a request that succeeded at its first try; undefined: tells nothing of the route */
  release(roundTripMs?: number): void {
    this.#places--;
    this.#sending--;
    if (roundTripMs !== undefined) this.#learn(roundTripMs);
    this.#admit();
    if (this.#blocked.length > 0) this.#unblock();
  }

  #admit(): void {
    while (this.#returning.length > 0 && this.#sending < this.limit) {
      this.#sending++;
      this.#returning.shift()?.();
    }
    while (this.#waiting.length > 0 && this.#mayEnter()) {
      this.#enter();
      this.#waiting.shift()?.();
    }
  }

  #mayEnter(): boolean {
    return this.#places < this.limit && this.#sending < this.limit;
  }

  #unblock(): void {
    while (this.#blocked.length > 0 && this.#waiting.length < WAITING_AHEAD) this.#blocked.shift()?.();
  }

  /** Less is asked for: by the service, by a request that took too long, or because descriptors have run out. */
  lower(): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs < this.#holdUntilMs) return;
    this.#set(Math.max(1, this.#limit / 2), 'less is asked for');
    this.#holdUntilMs = nowMs + HOLD_MS;
  }

  #set(limit: number, why: string): void {
    const before = this.limit;
    this.#limit = limit;
    if (this.limit !== before) this.#onChange?.(`concurrency: ${before} to ${this.limit} requests in flight: ${why}`);
  }

  #enter(): void {
    this.#places++;
    this.#sending++;
    if (this.#places > this.#peak) this.#peak = this.#places;
  }

  #learn(roundTripMs: number): void {
    this.#count++;
    this.#sumMs += roundTripMs;
    if (roundTripMs < this.#shortestMs) this.#shortestMs = roundTripMs;
    if (this.#count < Math.max(32, this.#limit)) return;
    const meanMs = this.#sumMs / this.#count;
    // A fixed number is not lowered for a queue.
    const gradient = this.#fixed
      ? 1
      : Math.min(1, Math.max(0.5, (TOLERANCE * Math.max(SHORT_MS, this.#shortestMs)) / meanMs));
    const used = this.#peak >= this.limit;
    if ((used || gradient < 1) && this.#clock.monotonic() >= this.#holdUntilMs) {
      const next = this.#limit * gradient + Math.sqrt(this.#limit);
      // A limit that was lowered below the smallest which round trips can bring about grows again step by step, not at
      // once.
      this.#set(
        Math.min(this.#most, Math.max(Math.min(LOWEST, this.#limit), next)),
        `a round trip takes ${meanMs.toFixed(1)} ms, ${this.#shortestMs.toFixed(1)} at best`,
      );
    }
    this.#shortestMs *= BASELINE_DRIFT;
    this.#count = 0;
    this.#sumMs = 0;
    this.#peak = this.#places;
  }
}

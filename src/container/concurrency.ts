/** Smallest and largest number of requests in flight that a thread adapts between. */
const LOWEST = 8;
const HIGHEST = 256;
const FIRST = 16;
/** A round trip this short is no sign of a queue, however short others were: most of it is this thread's own work. */
const SHORT_MS = 0.7;
/** A round trip may grow by this factor over the shortest one seen before concurrency stops growing. */
const TOLERANCE = 2;
/** The shortest round trip is forgotten slowly, so that a route that became slower does not pin the limit. */
const BASELINE_DRIFT = 1.02;
/** Requests that may wait for a place before nothing more is prepared. */
const WAITING_AHEAD = 16;
const HOLD_AFTER_THROTTLE_MS = 2000;

/**
 * Decides how many requests may be in flight: more while the round trip stays near its shortest, fewer when it climbs
 * (a queue builds up somewhere) and half as many when the service says that it is too much.
 */
export class AdaptiveConcurrency {
  #limit: number;
  readonly #fixed: boolean;
  #inFlight = 0;
  #peak = 0;
  #count = 0;
  #sumMs = 0;
  #shortestMs = Number.POSITIVE_INFINITY;
  #holdUntilMs = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #blocked: (() => void)[] = [];

  /** @param fixed a number that stays, in place of an adapted one */
  constructor(fixed?: number) {
    this.#fixed = fixed !== undefined;
    this.#limit = fixed ?? FIRST;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** Takes a place; the promise is undefined when one was free. */
  acquire(): Promise<void> | undefined {
    if (this.#inFlight < this.limit) {
      this.#enter();
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when a request would not have to wait long; undefined when that is now. */
  ready(): Promise<void> | undefined {
    if (this.#waiting.length < WAITING_AHEAD) return undefined;
    return new Promise((resolve) => this.#blocked.push(resolve));
  }

  /** @param roundTripMs of a request that succeeded at its first try; undefined: tells nothing of the route */
  release(roundTripMs?: number): void {
    this.#inFlight--;
    if (roundTripMs !== undefined && !this.#fixed) this.#learn(roundTripMs);
    while (this.#inFlight < this.limit) {
      const next = this.#waiting.shift();
      if (!next) break;
      this.#enter();
      next();
    }
    if (this.#blocked.length > 0) this.#unblock();
  }

  #unblock(): void {
    while (this.#blocked.length > 0 && this.#waiting.length < WAITING_AHEAD) this.#blocked.shift()?.();
  }

  /** The service asked for less. */
  throttled(nowMs: number): void {
    if (this.#fixed || nowMs < this.#holdUntilMs) return;
    this.#limit = Math.max(1, this.#limit / 2);
    this.#holdUntilMs = nowMs + HOLD_AFTER_THROTTLE_MS;
  }

  #enter(): void {
    this.#inFlight++;
    if (this.#inFlight > this.#peak) this.#peak = this.#inFlight;
  }

  #learn(roundTripMs: number): void {
    this.#count++;
    this.#sumMs += roundTripMs;
    if (roundTripMs < this.#shortestMs) this.#shortestMs = roundTripMs;
    if (this.#count < Math.max(32, this.#limit)) return;
    const meanMs = this.#sumMs / this.#count;
    const gradient = Math.min(1, Math.max(0.5, (TOLERANCE * Math.max(SHORT_MS, this.#shortestMs)) / meanMs));
    const used = this.#peak >= this.limit;
    if ((used || gradient < 1) && Date.now() >= this.#holdUntilMs) {
      const next = this.#limit * gradient + Math.sqrt(this.#limit);
      this.#limit = Math.min(HIGHEST, Math.max(LOWEST, next));
    }
    this.#shortestMs *= BASELINE_DRIFT;
    this.#count = 0;
    this.#sumMs = 0;
    this.#peak = this.#inFlight;
  }
}

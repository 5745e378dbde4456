import { type Clock, systemClock } from '../time/clock.js';

/**
 * Until when the lanes of a process may send something: shared by its threads, and looked at right before each put.
 *
 * Two clocks hold it, since a machine that was suspended may have missed it on one of them. It also holds when each
 * lane showed the last time that it is alive.
 */
export class Lease {
  readonly memory: SharedArrayBuffer;
  readonly #until: Float64Array;
  /** 1 once somebody was refused. */
  readonly #refused: Float64Array;
  readonly #alive: Float64Array;

  constructor(lanes: number);
  constructor(memory: SharedArrayBuffer);
  constructor(first: number | SharedArrayBuffer) {
    this.memory = typeof first === 'number' ? new SharedArrayBuffer(8 * (3 + first)) : first;
    this.#until = new Float64Array(this.memory, 0, 2);
    this.#refused = new Float64Array(this.memory, 16, 1);
    this.#alive = new Float64Array(this.memory, 24);
  }

  /** A lane is alive. */
  showAlive(lane: number, monotonicMs: number): void {
    this.#alive[lane] = monotonicMs;
  }

  /** How long the lane that has been silent longest has not shown itself, of those that have begun; 0 without any. */
  silentMs(monotonicMs: number): number {
    return this.#alive.reduce((most, shown) => (shown === 0 ? most : Math.max(most, monotonicMs - shown)), 0);
  }

  /** May send for so long, counted from a moment on the monotonic clock and on the other one. */
  extend(from: { readonly monotonicMs: number; readonly nowMs: number }, lengthMs: number): void {
    this.#until[0] = from.monotonicMs + lengthMs;
    this.#until[1] = from.nowMs + lengthMs;
  }

  /** Nothing may be sent from here on. */
  end(): void {
    this.#until.fill(0);
    this.#alive.fill(0);
  }

  /**
   * Whether something may be sent now. Once that was refused the lease has ended for good: what was left out must not
   * pass for done.
   */
  holds(now: { readonly monotonicMs: number; readonly nowMs: number }): boolean {
    if (this.leftMs(now) > 0) return true;
    this.#refused[0] = 1;
    return false;
  }

  /** Milliseconds that are left; 0 or less when it has ended. */
  leftMs(now: { readonly monotonicMs: number; readonly nowMs: number }): number {
    if (this.#refused[0] === 1) return 0;
    return Math.min(this.#until[0] - now.monotonicMs, this.#until[1] - now.nowMs);
  }
}

/** Whether something may be sent now: to be asked right before each try of each put. */
export function maySendBy(lease: Lease, clock: Pick<Clock, 'now' | 'monotonic'>): () => boolean {
  return () => lease.holds({ monotonicMs: clock.monotonic(), nowMs: clock.now() });
}

/** What a lane needs that works for another machine. */
export interface RemoteLane {
  /** Memory of the {@link Lease} by which it may change anything. */
  readonly lease: SharedArrayBuffer;
  /** Its place there. */
  readonly lane: number;
  /** How far the clock of its machine was ahead of that of the other one, in milliseconds; below 0: behind. */
  readonly aheadMs: number;
}

/** How often a lane that works for another machine shows that it is alive. */
const ALIVE_MS = 500;

/**
 * Has a lane show that it is alive, as long as its thread runs.
 *
 * @returns whether the lane may still send or change something: to be asked right before each time
 */
export function holdLease({ lease: memory, lane }: RemoteLane): () => boolean {
  const lease = new Lease(memory);
  const showAlive = () => lease.showAlive(lane, systemClock.monotonic());
  // Its first call may be the one that hangs.
  showAlive();
  setInterval(showAlive, ALIVE_MS).unref();
  return maySendBy(lease, systemClock);
}

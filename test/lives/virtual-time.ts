import { callsInPool } from '../../src/posix/pool-calls.js';

/** Turns of the event loop in which nothing happens before time is taken to be what is waited for. */
const QUIET_TURNS = 3;

interface Timer {
  readonly dueMs: number;
  readonly call: () => void;
  cancelled: boolean;
}

/**
 * Time that goes by only while everything waits for it: a life lasts as long as its work, and is the same each time.
 *
 * Whoever does something calls {@link touch}; when a few turns of the event loop have passed without that, the earliest
 * timer is due.
 */
export class VirtualTime {
  #ms = 1000;
  #timers: Timer[] = [];
  #quietTurns = 0;
  #pumping = false;
  /** Timers that have fired. */
  fired = 0;
  /** Told of what a timer threw: a process would end by it. */
  onError: (error: unknown) => void = () => undefined;
  /** Told of every timer before it fires. */
  onTimer: () => void = () => undefined;

  /** Milliseconds since the beginning; never jumps. */
  get ms(): number {
    return this.#ms;
  }

  touch(): void {
    this.#quietTurns = 0;
  }

  /** Lets time go by while nothing runs. */
  pass(ms: number): void {
    this.#ms += ms;
  }

  after(delayMs: number, call: () => void): { cancel(): void } {
    const timer: Timer = { dueMs: this.#ms + Math.max(0, Math.ceil(delayMs)), call, cancelled: false };
    let at = this.#timers.length;
    while (at > 0 && this.#timers[at - 1].dueMs > timer.dueMs) at--;
    this.#timers.splice(at, 0, timer);
    this.touch();
    if (!this.#pumping) {
      this.#pumping = true;
      setImmediate(() => this.#pump());
    }
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  /** Resolves after `delayMs`, or when `signal` is aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        timer.cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.after(delayMs, done);
      signal?.addEventListener('abort', done);
    });
  }

  /** Forgets every timer: the process that waited for them has ended. */
  clear(): void {
    this.#timers = [];
  }

  #pump(): void {
    while (this.#timers.length > 0 && this.#timers[0].cancelled) this.#timers.shift();
    if (this.#timers.length === 0) {
      this.#pumping = false;
      return;
    }
    if (++this.#quietTurns > QUIET_TURNS && !waitsForDisk()) {
      const timer = this.#timers.shift() as Timer;
      this.#ms = Math.max(this.#ms, timer.dueMs);
      this.#quietTurns = 0;
      this.fired++;
      this.onTimer();
      try {
        timer.call();
      } catch (error) {
        this.onError(error);
      }
    }
    setImmediate(() => this.#pump());
  }
}

/** Whether something real is under way, such as the copying of a file: no virtual time goes by meanwhile. */
function waitsForDisk(): boolean {
  return callsInPool() > 0 || process.getActiveResourcesInfo().some((kind) => kind.startsWith('FSReq'));
}

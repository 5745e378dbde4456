import type { BlobInfo, Container, PutOptions } from '../../src/container/container.js';
import { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError } from '../../src/error.js';
import type { CommitHooks } from '../../src/state/job-database.js';
import { type Clock, systemClock } from '../../src/time/clock.js';

/** What happens at the chosen call to the container. */
export const CALL_FAULTS = ['error', 'answer lost', 'late arrival', 'crash before', 'crash after'] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

/** What happens at the chosen commit of the state. */
export const COMMIT_FAULTS = ['crash before', 'crash after', 'error'] as const;
export type CommitFault = (typeof COMMIT_FAULTS)[number];

const LATE_MS = 10_000;

/**
 * A world in which one thing goes wrong: a container in memory, a clock, and hooks around commits.
 *
 * After a crash nothing works any more, as for a process that was killed; `revive` begins the next session.
 */
export class FaultyWorld {
  readonly store = new MemoryContainer();
  calls = 0;
  commits = 0;
  fired = false;
  #dead = false;
  #nowMs = 1_800_000_000_000;
  #late: { readonly name: string; readonly body: Buffer; readonly afterCall: number }[] = [];
  readonly #callFault: { readonly at: number; readonly fault: CallFault } | undefined;
  readonly #commitFault: { readonly at: number; readonly fault: CommitFault } | undefined;

  constructor(
    fault: {
      readonly call?: { readonly at: number; readonly fault: CallFault };
      readonly commit?: { readonly at: number; readonly fault: CommitFault };
    } = {},
  ) {
    this.#callFault = fault.call;
    this.#commitFault = fault.commit;
    this.container = this.#container();
  }

  readonly clock: Clock = {
    now: () => this.#nowMs,
    monotonic: () => this.#nowMs,
    after: systemClock.after,
    // What was given up arrives at the last moment at which it can.
    sleep: async (delayMs) => {
      await this.#arrive(Number.POSITIVE_INFINITY);
      this.#nowMs += delayMs;
    },
  };

  readonly hooks: CommitHooks = {
    before: () => {
      if (this.#dead) throw new Error('the process is dead');
      this.commits++;
      if (this.commits !== this.#commitFault?.at) return;
      this.fired = true;
      if (this.#commitFault.fault === 'error') throw new ClfsError('state', 'the disk is full');
      if (this.#commitFault.fault === 'crash before') this.#crash();
    },
    now: () => this.#nowMs,
    after: () => {
      if (this.commits === this.#commitFault?.at && this.#commitFault.fault === 'crash after') this.#crash();
    },
  };

  readonly container: Container;
  #container(): Container {
    const uncertain = () => this.#uncertainUntilMs;
    return {
      put: (name: string, body: Uint8Array, options?: PutOptions) =>
        this.#call(async () => this.store.put(name, body, options), name, body, options),
      get: (name: string, limitBytes: number) => this.#call(async () => this.store.get(name, limitBytes)),
      list: (prefix: string) => this.#list(prefix),
      delete: (name: string) => this.#call(async () => this.store.delete(name)),
      flush: async () => undefined,
      tidy: async () => undefined,
      ready: () => undefined,
      close: async () => undefined,
      lateArrivalMs: LATE_MS,
      listsByPrefix: true,
      get uncertainUntilMs() {
        return uncertain();
      },
    };
  }
  #uncertainUntilMs = 0;

  /** The process is started again. Time has gone by, but not enough for late puts to be out of the way. */
  revive(): void {
    this.#dead = false;
    this.#nowMs += 1000;
  }

  /** Lets every put that is still under way arrive. */
  deliver(): Promise<void> {
    return this.#arrive(Number.POSITIVE_INFINITY);
  }

  async *#list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    const pages: (readonly BlobInfo[])[] = [];
    await this.#call(async () => {
      for await (const page of this.store.list(prefix)) pages.push(page);
    });
    yield* pages;
  }

  async #call<T>(work: () => Promise<T>, name?: string, body?: Uint8Array, options?: PutOptions): Promise<T> {
    if (this.#dead) throw new Error('the process is dead');
    const number = ++this.calls;
    await this.#arrive(number);
    if (number !== this.#callFault?.at) return work();
    this.fired = true;
    switch (this.#callFault.fault) {
      case 'error':
        throw new ClfsError('service-unavailable', 'the service does not answer');
      case 'answer lost':
        await work();
        throw new ClfsError('service-unavailable', 'the answer was lost');
      case 'late arrival':
        if (name !== undefined && body && !options?.onlyNew) {
          // Every other one arrives early in the next session, the rest at the last moment.
          this.#late.push({
            name,
            body: Buffer.from(body),
            afterCall: number % 2 === 0 ? number + 3 : Number.POSITIVE_INFINITY,
          });
        }
        this.#uncertainUntilMs = this.#nowMs + LATE_MS;
        throw new ClfsError('service-unavailable', 'the service did not answer in time');
      case 'crash before':
        return this.#crash();
      case 'crash after':
        await work();
        return this.#crash();
    }
  }

  async #arrive(call: number): Promise<void> {
    const due = this.#late.filter(({ afterCall }) => afterCall <= call);
    this.#late = this.#late.filter(({ afterCall }) => afterCall > call);
    for (const { name, body } of due) await this.store.put(name, body);
  }

  #crash(): never {
    this.#dead = true;
    throw new Error('the process was killed');
  }
}

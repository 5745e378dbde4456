import type { BlobInfo, Container, PutOptions } from '../../src/container/container.js';
import { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError } from '../../src/error.js';
import { decodeObjectName } from '../../src/format/names.js';
import type { CommitHooks } from '../../src/state/job-database.js';
import { type Clock, systemClock } from '../../src/time/clock.js';

/**
 * What becomes of a put: the service refuses it, stores it and says nothing, stores it later, or the process dies
 * before or after.
 */
export type Trouble = 'error' | 'answer lost' | 'killed before' | 'killed after' | 'killed, stored late';

const LATE_MS = 10_000;

/** A put that was answered. */
interface Answer {
  readonly name: string;
  readonly type: number;
  readonly atMs: number;
}

/**
 * What is around a job: a container in memory, a clock, and a process that can be killed.
 *
 * After a kill nothing works any more, and what was under way never ends well; `revive` begins the next process.
 */
export class KillableWorld {
  readonly store = new MemoryContainer();
  /** What happens to a put; asked before each. */
  onPut: ((name: string, body: Buffer) => Trouble | undefined | Promise<undefined>) | undefined;
  /** Called before each commit of the state. */
  onCommit: (() => void) | undefined;
  /** Milliseconds that each put takes, one after another; 0: none. */
  paceMs = 0;
  /** Puts that were answered in the current process. */
  answers: Answer[] = [];
  /** How many of them the program had when it last asked for what is answered to be durable. */
  flushed = 0;
  readonly clock: Clock;
  readonly hooks: CommitHooks;
  readonly container: Container;
  #process = 0;
  #dead = false;
  #nowMs = 1_800_000_000_000;
  #late: { readonly name: string; readonly body: Buffer }[] = [];
  #line: Promise<void> = Promise.resolve();

  /** @param realTime the clock is that of the machine, and nothing arrives late */
  constructor(realTime = false) {
    this.clock = realTime ? systemClock : this.#falseClock();
    this.hooks = {
      before: () => {
        this.#requireAlive(this.#process);
        this.onCommit?.();
      },
      now: () => this.clock.now(),
    };
    this.container = this.#container(realTime ? 0 : LATE_MS);
  }

  /** Ends the process. */
  kill(): void {
    this.#dead = true;
    this.#process++;
  }

  /** Begins the next process, a second later. */
  revive(): void {
    this.#dead = false;
    this.#nowMs += 1000;
    this.answers = [];
    this.flushed = 0;
    this.#line = Promise.resolve();
  }

  /** Lets every put arrive that was to be stored late. */
  async deliver(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    for (const { name, body } of late) await this.store.put(name, body);
  }

  #falseClock(): Clock {
    return {
      now: () => this.#nowMs,
      monotonic: () => this.#nowMs,
      after: systemClock.after,
      sleep: async (delayMs) => {
        // What was given up arrives at the last moment at which it can.
        await this.deliver();
        this.#nowMs += delayMs;
      },
    };
  }

  #container(lateArrivalMs: number): Container {
    const call = async <T>(work: () => Promise<T>): Promise<T> => {
      this.#requireAlive(this.#process);
      return work();
    };
    return {
      put: (name: string, body: Uint8Array, options?: PutOptions) => this.#put(name, Buffer.from(body), options),
      get: (name: string, limitBytes: number) => call(() => this.store.get(name, limitBytes)),
      list: (prefix: string) => this.#list(prefix),
      delete: (name: string) => call(() => this.store.delete(name)),
      flush: async () => {
        this.flushed = this.answers.length;
      },
      tidy: async () => undefined,
      ready: () => undefined,
      close: async () => undefined,
      lateArrivalMs,
      uncertainUntilMs: 0,
      listsByPrefix: true,
    };
  }

  async *#list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    this.#requireAlive(this.#process);
    yield* this.store.list(prefix);
  }

  async #put(name: string, body: Buffer, options: PutOptions | undefined): Promise<void> {
    const process = this.#process;
    this.#requireAlive(process);
    const trouble = await this.onPut?.(name, body);
    this.#requireAlive(process);
    if (trouble === 'error') throw new ClfsError('service-unavailable', 'the service does not answer');
    if (trouble === 'killed before' || trouble === 'killed, stored late') {
      if (trouble === 'killed, stored late') this.#late.push({ name, body });
      this.kill();
    }
    this.#requireAlive(process);
    if (this.paceMs > 0) await this.#turn();
    this.#requireAlive(process);
    await this.store.put(name, body, options);
    if (trouble === 'answer lost') throw new ClfsError('service-unavailable', 'the answer was lost');
    if (trouble === 'killed after') this.kill();
    this.#requireAlive(process);
    this.answers.push({ name, type: decodeObjectName(name)?.type ?? 0, atMs: Date.now() });
  }

  #turn(): Promise<void> {
    this.#line = this.#line.then(() => new Promise((resolve) => setTimeout(resolve, this.paceMs)));
    return this.#line;
  }

  #requireAlive(process: number): void {
    if (this.#dead || process !== this.#process) throw new Error('the process was killed');
  }
}

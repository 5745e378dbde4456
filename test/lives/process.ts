import { cpSync, existsSync } from 'node:fs';
import { constants } from 'node:os';
import type { BlobInfo, Container, PutOptions } from '../../src/container/container.js';
import { ClfsError } from '../../src/error.js';
import { PosixError } from '../../src/posix/libc.js';
import { entryFailure, type SourceTree } from '../../src/source/source-tree.js';
import type { CommitHooks } from '../../src/state/job-database.js';
import type { Clock } from '../../src/time/clock.js';
import { withAsyncSide } from '../support/async-source.js';
import type { CallFault, CommitFault, Happening, LifeEvent, SourceFault } from './events.js';
import { openModelSource } from './model-source.js';
import type { ModelTree } from './model-tree.js';
import type { Random } from './random.js';
import type { Change, Service } from './service.js';
import type { VirtualTime } from './virtual-time.js';

/** How long a put that was given up can live at the service. */
const LATE_MS = 10_000;
/** A process that was killed is known to have been alive so long before at the least. */
const ALIVE_MS = 1000;
/** A request takes so long at most, unless it stalls. */
const LONGEST_MS = 6;
const STALL_MS = 30_000;
/** A call of the source that hangs takes so long; an outage of all of them so long at most. */
const HANG_MS = 70_000;
const LONGEST_OUTAGE_MS = 200_000;
const { EIO, ESTALE, ETIMEDOUT } = constants.errno;
/** After so many calls in a session nothing that it was given up for is still held back by their number. */
const FAR = 1_000_000;

/** What the processes of one job share. */
export interface Surroundings {
  readonly tree: ModelTree;
  readonly service: Service;
  readonly time: VirtualTime;
  readonly random: Random;
  /** Wall clock less {@link VirtualTime.ms}; jumps. */
  offsetMs: number;
  /** Beginning of the clock that never jumps, in this boot of the machine. */
  bootMs: number;
  /** Number of the session, for draws. */
  session: number;
  device: string;
  readonly tellsTypes: boolean;
  /** The source is called by calls that leave the loader free. */
  readonly asyncSource: boolean;
  /** Told of each event that happens. */
  happened(event: Pick<LifeEvent, 'on' | 'what'>, at: number): void;
  /** Does what happens at a moment. @returns a promise when it takes a while: only calls wait for it */
  happen(what: Happening, process: Process): Promise<void> | undefined;
}

/** Why everything fails in a process that was killed. */
export class Killed extends Error {}

/**
 * One session: a process with its container, clock, commits and source, of which each call has a number.
 *
 * After a crash nothing works any more; what was under way is lost or arrives later.
 */
export class Process {
  readonly controller = new AbortController();
  readonly #around: Surroundings;
  readonly #statePath: string;
  readonly #events: readonly LifeEvent[];
  /** Copy of the state as it was when the process was killed; undefined while it lives. */
  stateLeft: string | undefined;
  dead = false;
  ended = false;
  calls = 0;
  commits = 0;
  sourceCalls = 0;
  #uncertainUntilMs = 0;
  readonly #inFlight = new Set<{ readonly change: Change; reject(error: Error): void }>();

  constructor(around: Surroundings, statePath: string, events: readonly LifeEvent[]) {
    this.#around = around;
    this.#statePath = statePath;
    this.#events = events;
    let timers = 0;
    around.time.onTimer = () => {
      timers++;
      if (!this.dead) this.#happenings('timer', timers);
    };
  }

  readonly clock: Clock = {
    now: () => this.#around.time.ms + this.#around.offsetMs,
    monotonic: () => this.#around.time.ms - this.#around.bootMs,
    sleep: (delayMs, signal) => this.#around.time.sleep(delayMs, signal),
    after: (delayMs, call) => this.#around.time.after(delayMs, call),
  };

  readonly hooks: CommitHooks = {
    before: () => {
      this.#requireAlive();
      this.#around.time.touch();
      const at = ++this.commits;
      const fault = this.#happenings('commit', at) as CommitFault | undefined;
      this.#afterCommit = fault === 'crash after';
      if (fault === 'error') throw new ClfsError('state', 'Cannot write the job state: the disk is full.');
      if (fault === 'crash before') this.crash();
    },
    after: () => {
      if (this.#afterCommit) this.crash();
    },
    now: () => this.clock.now(),
  };
  #afterCommit = false;

  wrapSource = (real: SourceTree): SourceTree => {
    const { tree, device, tellsTypes, asyncSource, time, random, session } = this.#around;
    const model = openModelSource({ tree, device, tellsTypes, before: (what) => this.#beforeSource(what) });
    const delay = async () => {
      time.touch();
      const hangMs = this.#hangMs;
      this.#hangMs = 0;
      await time.sleep(hangMs + random.at(LONGEST_MS, session, this.sourceCalls, FAR));
      time.touch();
    };
    const source = asyncSource ? withAsyncSide(model, delay, true) : model;
    return { ...source, close: () => real.close() };
  };

  /** What the next call of the source that leaves the loader free takes more. */
  #hangMs = 0;
  #outage: { readonly errno: number; readonly untilMs: number } | undefined;

  #beforeSource(what: 'directory' | 'entry'): void {
    this.#requireAlive();
    const { time, random, session, asyncSource } = this.#around;
    time.touch();
    const fail = (errno: number) => {
      const error = new PosixError('read', errno);
      throw entryFailure(`${what}-unreadable`, error.message, error);
    };
    const at = ++this.sourceCalls;
    const fault = this.#happenings('source', at) as SourceFault | undefined;
    if (fault === 'crash before') this.crash();
    if (fault === 'error') throw entryFailure(`${what}-unreadable`, 'input/output error (EIO)');
    if (fault === 'stale') fail(ESTALE);
    if (fault === 'timed out') fail(ETIMEDOUT);
    if (fault === 'hang') {
      if (asyncSource) this.#hangMs = HANG_MS;
      else time.pass(HANG_MS);
    }
    if (fault === 'outage') {
      const errno = [EIO, ESTALE, ETIMEDOUT][random.at(3, session, at)];
      this.#outage = { errno, untilMs: time.ms + random.at(LONGEST_OUTAGE_MS, session, at, 1) };
    }
    if (this.#outage && time.ms < this.#outage.untilMs) fail(this.#outage.errno);
  }

  get container(): Container {
    const uncertainUntilMs = () => this.#uncertainUntilMs;
    const { store } = this.#around.service;
    const container = {
      put: (name: string, body: Uint8Array, options?: PutOptions) =>
        this.#call(() => this.#around.service.apply({ name, body, options }), { name, body, options }),
      get: (name: string, limitBytes: number) => this.#call(() => store.get(name, limitBytes)),
      delete: (name: string) => this.#call(() => store.delete(name), { name, body: undefined, options: undefined }),
      list: (prefix: string) => this.#list(prefix),
      listsByPrefix: this.#around.session % 2 === 0,
      flush: async () => this.#requireAlive(),
      tidy: async () => this.#requireAlive(),
      ready: () => undefined,
      close: async () => undefined,
      lateArrivalMs: LATE_MS,
      get uncertainUntilMs() {
        return uncertainUntilMs();
      },
    };
    return container;
  }

  /** The process is killed. */
  crash(): never {
    if (!this.dead) {
      this.dead = true;
      if (existsSync(this.#statePath)) {
        this.stateLeft = `${this.#statePath}-left`;
        cpSync(this.#statePath, this.stateLeft, { recursive: true });
      }
      this.#abandon();
    }
    throw new Killed('the process was killed');
  }

  /** The process has ended by itself: what it had under way goes on without it. */
  end(): void {
    this.ended = true;
    this.#abandon();
    this.#around.time.clear();
    this.#around.time.onTimer = () => undefined;
  }

  /** Requests that nobody waits for any more are lost, or arrive in time of their bound. */
  #abandon(): void {
    const { random, session, service, time } = this.#around;
    const inFlight = [...this.#inFlight];
    this.#inFlight.clear();
    for (const [index, { change, reject }] of inFlight.entries()) {
      const fate = random.at(3, session, this.calls, index);
      const calls = fate === 1 ? random.at(40, session, this.calls, index + 1000) : FAR;
      if (fate > 0) service.later(change, calls, time.ms + LATE_MS - ALIVE_MS);
      reject(new Killed('the process was killed'));
    }
  }

  async *#list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    const pages: (readonly BlobInfo[])[] = [];
    await this.#call(async () => {
      for await (const page of this.#around.service.store.list(prefix)) pages.push(page);
    });
    yield* pages;
  }

  async #call<T>(work: () => Promise<T>, change?: Change): Promise<T> {
    this.#requireAlive();
    const { time, service, random, session } = this.#around;
    time.touch();
    const number = ++this.calls;
    service.calls++;
    const waits: Promise<void>[] = [];
    const fault = this.#happenings('call', number, waits) as
      | { readonly kind: CallFault; readonly later: number }
      | undefined;
    for (const wait of waits) await wait;
    this.#requireAlive();
    if (fault?.kind === 'crash before') this.crash();
    const takesMs = fault?.kind === 'stall' ? STALL_MS : 1 + random.at(LONGEST_MS, session, number);
    await this.#wait(takesMs, change);
    await service.arrive();
    switch (fault?.kind) {
      case 'error':
        throw new ClfsError('service-unavailable', 'The service does not answer.');
      case 'answer lost':
        await work();
        throw new ClfsError('service-unavailable', 'The answer was lost.');
      case 'late arrival':
        this.#giveUp(change, fault.later);
        throw new ClfsError('service-unavailable', 'The service did not answer in time.');
      case 'late twin': {
        const result = await work();
        this.#giveUp(change, fault.later);
        return result;
      }
      case 'crash after':
        await work();
        return this.crash();
      default:
        return work();
    }
  }

  /** A try of a request was given up; it takes effect later, at the last moment that it can. */
  #giveUp(change: Change | undefined, later: number): void {
    if (!change) return;
    const { service, time } = this.#around;
    service.later(change, later === 0 ? FAR : later, time.ms + LATE_MS);
    if (change.body) this.#uncertainUntilMs = this.clock.monotonic() + LATE_MS;
  }

  #wait(ms: number, change: Change | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const flight = { change: change ?? { name: '', body: undefined, options: undefined }, reject };
      if (change) this.#inFlight.add(flight);
      this.#around.time.after(ms, () => {
        this.#inFlight.delete(flight);
        if (this.dead || this.ended) reject(new Killed('the process was killed'));
        else resolve();
      });
    });
  }

  /** Does what happens at a moment. @returns the fault, if there is one */
  #happenings(on: LifeEvent['on'], at: number, waits?: Promise<void>[]): unknown {
    let fault: unknown;
    for (const event of this.#events) {
      if (event.on !== on || event.at !== at) continue;
      const { what } = event;
      if (isHappening(what)) {
        // What another process does takes a while, and only a call can wait for it.
        if (!waits && (what.kind === 'second process' || what.kind === 'second job')) continue;
        const wait = this.#around.happen(what, this);
        if (wait) waits?.push(wait);
        continue;
      }
      if (fault !== undefined) continue;
      this.#around.happened(event, at);
      fault = on === 'call' ? what : what.kind;
    }
    return fault;
  }

  #requireAlive(): void {
    if (this.dead || this.ended) throw new Killed('the process was killed');
  }
}

function isHappening(what: LifeEvent['what']): what is Happening {
  return ['signal', 'clock', 'second process', 'second job', 'source'].includes(what.kind);
}

/** A container over the same blobs for a process without faults. */
export function plainContainer(service: Service): Container {
  const { store } = service;
  const container = {
    put: (name: string, body: Uint8Array, options?: PutOptions) => store.put(name, body, options),
    get: (name: string, limitBytes: number) => store.get(name, limitBytes),
    delete: (name: string) => store.delete(name),
    list: (prefix: string) => store.list(prefix),
    listsByPrefix: true,
    flush: async () => undefined,
    tidy: async () => undefined,
    ready: () => undefined,
    close: async () => undefined,
    lateArrivalMs: LATE_MS,
    uncertainUntilMs: 0,
  };
  return container;
}

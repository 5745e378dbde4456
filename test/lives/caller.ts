import { constants } from 'node:os';
import type { BlobInfo, Container, PutOptions } from '../../src/container/container.js';
import { ClfsError } from '../../src/error.js';
import { PosixError } from '../../src/posix/posix-error.js';
import { entryFailure, type SourceTree } from '../../src/source/source-tree.js';
import type { Clock } from '../../src/time/clock.js';
import { type Remembered, rememberFirst, withAsyncSide } from '../support/async-source.js';
import type { CallFault, FREEZES, SourceFault } from './events.js';
import type { Gate } from './gate.js';
import { openModelSource, peekAt } from './model-source.js';
import type { Moments } from './moments.js';
import type { Surroundings } from './process.js';
import type { Change } from './service.js';

/** How long a put that was given up can live at the service. */
export const LATE_MS = 10_000;
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

type Fault =
  | { readonly kind: CallFault; readonly later: number }
  | { readonly kind: (typeof FREEZES)[number]; readonly ms: number };

/** A request on its way. */
interface Flight {
  readonly change: Change;
  readonly sentMs: number;
  reject(error: Error): void;
}

/** Why everything fails in a process that was killed. */
export class Killed extends Error {}

/** Whose calls they are. */
export interface CallerParts {
  readonly around: Surroundings;
  /** Of the session that runs. */
  readonly moments: () => Moments;
  readonly gate: Gate;
  readonly clock: Clock;
  /** It has ended, or was killed: nothing works any more. */
  isGone(): boolean;
  /** The process is killed. */
  crash(): never;
  /** Set for a worker: asked right before each put. */
  readonly maySend?: () => boolean;
}

/** What a process does with the service and the source: each call has a number, at which something may happen. */
export class Caller {
  readonly #parts: CallerParts;
  readonly #inFlight = new Set<Flight>();
  #uncertainUntilMs = 0;
  /** What the next call of the source that leaves the loader free takes more. */
  #hangMs = 0;
  #outage: { readonly errno: number; readonly untilMs: number } | undefined;

  constructor(parts: CallerParts) {
    this.#parts = parts;
  }

  get uncertainUntilMs(): number {
    return this.#uncertainUntilMs;
  }

  requireAlive(): void {
    if (this.#parts.isGone()) throw new Killed('the process was killed');
  }

  /** @param device the number that the file system has on its machine */
  source(device: string): SourceTree {
    const { around, moments } = this.#parts;
    const { tree, tellsTypes, tellsBirth, asyncSource, time, random } = around;
    const model = openModelSource({
      tree,
      deviceOf: (fileSystem) => (fileSystem === 0 ? device : around.mountedDevice),
      isMounted: () => around.isMounted,
      mountName: () => around.mountName,
      tellsTypes,
      tellsBirth,
      placeAsked: () => {
        around.placeAsked = true;
        // A transaction that records it has begun already.
        queueMicrotask(() => {
          around.placeAsked = false;
        });
      },
      before: (what) => this.#beforeSource(what),
    });
    const delay = async () => {
      time.touch();
      const hangMs = this.#hangMs;
      this.#hangMs = 0;
      await time.sleep(hangMs + random.at(LONGEST_MS, around.session, moments().sourceCalls, FAR));
      if (this.#parts.gate.isFrozen) await this.#parts.gate.awake();
      time.touch();
    };
    const first = rememberFirst(peekAt);
    const remembered: Remembered = (file) =>
      random.at(2, around.session, moments().sourceCalls, FAR + 1) === 0 ? first(file) : undefined;
    return asyncSource ? withAsyncSide(model, delay, true, remembered) : model;
  }

  #beforeSource(what: 'directory' | 'entry'): void {
    this.requireAlive();
    const { around, moments, maySend } = this.#parts;
    const { time, random, session, asyncSource } = around;
    time.touch();
    const fail = (errno: number) => {
      const error = new PosixError('read', errno);
      throw entryFailure(`${what}-unreadable`, error.message, error);
    };
    const at = ++moments().sourceCalls;
    const fault = moments().at('source', at) as SourceFault | undefined;
    if (fault === 'crash before') this.#parts.crash();
    if (fault === 'error') throw entryFailure(`${what}-unreadable`, 'input/output error (EIO)');
    if (fault === 'stale') fail(ESTALE);
    if (fault === 'timed out') fail(ETIMEDOUT);
    if (fault === 'hang') {
      if (asyncSource) this.#hangMs = HANG_MS;
      // A thread of a worker that hangs does not hold up the others.
      else if (!maySend) time.pass(HANG_MS);
    }
    if (fault === 'outage') {
      const errno = [EIO, ESTALE, ETIMEDOUT][random.at(3, session, at)];
      this.#outage = { errno, untilMs: time.ms + random.at(LONGEST_OUTAGE_MS, session, at, 1) };
    }
    if (this.#outage && time.ms < this.#outage.untilMs) fail(this.#outage.errno);
  }

  get container(): Container {
    const uncertainUntilMs = () => this.#uncertainUntilMs;
    const { service, session } = this.#parts.around;
    const { store } = service;
    return {
      put: (name: string, body: Uint8Array, options?: PutOptions) =>
        this.#call(() => service.apply({ name, body, options }), { name, body, options }),
      get: (name: string, limitBytes: number) => this.#call(() => store.get(name, limitBytes)),
      delete: (name: string) => this.#call(() => store.delete(name), { name, body: undefined, options: undefined }),
      list: (prefix: string) => this.#list(prefix),
      listsByPrefix: session % 2 === 0,
      flush: async () => this.requireAlive(),
      tidy: async () => this.requireAlive(),
      ready: () => undefined,
      close: async () => undefined,
      lateArrivalMs: LATE_MS,
      get uncertainUntilMs() {
        return uncertainUntilMs();
      },
    };
  }

  /** Requests that nobody waits for any more are lost, or arrive in time of their bound. */
  abandon(): void {
    const { around, moments } = this.#parts;
    const { random, session, service } = around;
    const { calls } = moments();
    const inFlight = [...this.#inFlight];
    this.#inFlight.clear();
    for (const [index, { change, sentMs, reject }] of inFlight.entries()) {
      const fate = random.at(3, session, calls, index);
      const later = fate === 1 ? random.at(40, session, calls, index + 1000) : FAR;
      if (fate > 0) service.later(change, later, this.#lastMs(sentMs, ALIVE_MS));
      reject(new Killed('the process was killed'));
    }
  }

  async *#list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    const pages: (readonly BlobInfo[])[] = [];
    await this.#call(async () => {
      for await (const page of this.#parts.around.service.store.list(prefix)) pages.push(page);
    });
    yield* pages;
  }

  async #call<T>(work: () => Promise<T>, change?: Change): Promise<T> {
    this.requireAlive();
    const { around, moments, gate, clock, maySend } = this.#parts;
    const { time, service, random } = around;
    time.touch();
    const number = ++moments().calls;
    service.calls++;
    const waits: Promise<void>[] = [];
    const fault = moments().at('call', number, waits) as Fault | undefined;
    for (const wait of waits) await wait;
    if (fault?.kind === 'freeze before') around.crew?.freeze(gate, fault.ms);
    if (gate.isFrozen) await gate.awake();
    this.requireAlive();
    if (fault?.kind === 'crash before') this.#parts.crash();
    let takesMs = 1 + random.at(LONGEST_MS, around.session, number);
    if (fault?.kind === 'stall') {
      // Each try of a put is one of its own: a worker looks at its lease before the last one too.
      if (maySend) await clock.sleep(STALL_MS);
      else takesMs = STALL_MS;
    }
    if (maySend && change && time.ms < (around.crew?.slowUntilMs ?? 0))
      takesMs = LATE_MS - 1 - random.at(1000, around.session, number, 1);
    if (change && maySend?.() === false) throw new ClfsError('cancelled', 'The job was stopped.');
    const sentMs = time.ms;
    const arrival = this.#wait(takesMs, change);
    if (fault?.kind === 'freeze after') around.crew?.freeze(gate, fault.ms);
    await arrival;
    await service.arrive();
    const result = await this.#answer(fault, work, change && { change, sentMs });
    if (gate.isFrozen) await gate.awake();
    this.requireAlive();
    return result;
  }

  async #answer<T>(
    fault: Fault | undefined,
    work: () => Promise<T>,
    sent: Pick<Flight, 'change' | 'sentMs'> | undefined,
  ): Promise<T> {
    switch (fault?.kind) {
      case 'error':
        throw new ClfsError('service-unavailable', 'The service does not answer.');
      case 'answer lost':
        await work();
        throw new ClfsError('service-unavailable', 'The answer was lost.');
      case 'late arrival':
        this.#giveUp(sent, fault.later);
        throw new ClfsError('service-unavailable', 'The service did not answer in time.');
      case 'late twin': {
        const result = await work();
        this.#giveUp(sent, fault.later);
        return result;
      }
      case 'crash after':
        await work();
        return this.#parts.crash();
      default:
        return work();
    }
  }

  /** A try of a request was given up; it takes effect later, at the last moment that it can. */
  #giveUp(sent: Pick<Flight, 'change' | 'sentMs'> | undefined, later: number): void {
    if (!sent) return;
    const { around, clock } = this.#parts;
    around.service.later(sent.change, later === 0 ? FAR : later, this.#lastMs(sent.sentMs));
    if (sent.change.body) this.#uncertainUntilMs = clock.monotonic() + LATE_MS;
  }

  /**
   * When a request that was given up takes effect at the latest. The bound of a worker is counted from when it sent the
   * request: who gives up its work knows only until when it may send.
   */
  #lastMs(sentMs: number, aliveMs = 0): number {
    const { around, maySend } = this.#parts;
    return maySend ? sentMs + LATE_MS - 1 : around.time.ms + LATE_MS - aliveMs;
  }

  /** A request is on its way; where its sender is frozen meanwhile it may take as long as it can. */
  #wait(ms: number, change: Change | undefined): Promise<void> {
    const { around, moments, gate, isGone } = this.#parts;
    const { time, random, session } = around;
    const { calls } = moments();
    return new Promise((resolve, reject) => {
      const sent = change ?? { name: '', body: undefined, options: undefined };
      const flight = { change: sent, sentMs: time.ms, reject };
      if (change) this.#inFlight.add(flight);
      let isLate = false;
      const land = () => {
        if (change && gate.isFrozen && !isLate && ms < LATE_MS / 2 && random.at(2, session, calls, 3) === 1) {
          isLate = true;
          time.after(LATE_MS - ms - 1, land);
          return;
        }
        // It was lost, or is on its way without its sender.
        if (change && !this.#inFlight.delete(flight)) return;
        if (isGone()) reject(new Killed('the process was killed'));
        else resolve();
      };
      time.after(ms, land);
    });
  }
}

import { closeSync, constants, openSync } from 'node:fs';
import type { BlobInfo, Container } from '../../src/container/container.js';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError } from '../../src/error.js';
import { CHANGES, type LaterCalls, SYSTEM_CALLS, type TargetCalls } from '../../src/export/target/target-calls.js';
import { Open } from '../../src/posix/libc.js';
import { PosixError } from '../../src/posix/posix-error.js';
import type { Gate } from '../lives/gate.js';
import type { Random } from '../lives/random.js';
import type { VirtualTime } from '../lives/virtual-time.js';
import type { CrewMoments } from './crew-moments.js';

/** After so long what was sent has arrived, or never will: `lateArrivalMs` of the export. */
export const LATE_MS = 10_000;
const LONGEST_CALL_MS = 5;
const ENOSPC = 28;
const EDQUOT = 122;
const EIO = 5;
/** Those that need room. */
const NEED_ROOM = new Set<string>(['write', 'makeDirectory', 'makeSymlink', 'makeLink', 'makeNode', 'renameNew']);

/** Which of their arguments are descriptors; of all others the first one is. */
const DESCRIPTORS: { readonly [K in keyof TargetCalls]?: readonly number[] } = {
  makeSymlink: [1],
  makeLink: [0, 2],
  renameAt: [0, 2],
  renameNew: [0, 2],
};

/** Why everything fails in a process that was killed. */
export class Killed extends Error {}

/** What all machines of a life share. */
export interface CrewWorld {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly store: MemoryContainer;
  /** Until then the disk of the target is full. */
  fullUntilMs: number;
  /** Calls of all machines, for draws. */
  calls: number;
  /** Freezes a process, and wakes it after a while. */
  freeze(gate: Gate, ms: number): void;
}

/** Whose calls they are. */
interface MachineParts {
  readonly world: CrewWorld;
  /** Of the session that runs. */
  readonly moments: () => CrewMoments;
  readonly gate: Gate;
  /** It has ended, or was killed: nothing works any more. */
  isGone(): boolean;
  /** The process is killed. */
  die(): void;
  /** Somebody stops the job. */
  stop(): void;
}

/**
 * What a process does with the target and the container. A call takes a while; one of a process that is frozen or dies
 * meanwhile is done by its system all the same, at the last moment that it can, or is lost.
 */
export class Machine {
  readonly #parts: MachineParts;
  readonly #waiting = new Set<(error: Error) => void>();
  /** Calls under way by a descriptor, and descriptors that are to be closed when there are none. */
  readonly #uses = new Map<number, number>();
  readonly #closing = new Set<number>();
  readonly #open = new Set<number>();
  /** Descriptors that somebody else closes, and their own for as long as the life lasts. */
  readonly #own = new Map<number, number>();
  #fullUntilMs = 0;
  #awayUntilMs = 0;

  constructor(parts: MachineParts) {
    this.#parts = parts;
  }

  readonly laterCalls: LaterCalls = this.#laterCalls();

  get container(): Container {
    const { store, time } = this.#parts.world;
    const list = (prefix: string) => this.#list(prefix);
    return {
      put: (...how) => store.put(...how),
      get: (name, limit) => this.#get(name, limit),
      list,
      listsByPrefix: true,
      delete: (name) => store.delete(name),
      flush: () => store.flush(),
      tidy: () => store.tidy(),
      ready: () => undefined,
      lateArrivalMs: 0,
      get uncertainUntilMs() {
        return Math.min(0, time.ms);
      },
      close: async () => undefined,
    };
  }

  /** Nobody waits for what is under way any more: it goes on without its process. */
  abandon(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const reject of waiting) reject(new Killed('the process was killed'));
  }

  /** The life has ended. */
  end(): void {
    for (const fd of this.#open) closeSync(fd);
    this.#open.clear();
  }

  #requireAlive(): void {
    if (this.#parts.isGone()) throw new Killed('the process was killed');
  }

  #laterCalls(): LaterCalls {
    const later: Record<string, unknown> = {};
    for (const key of Object.keys(SYSTEM_CALLS) as (keyof TargetCalls)[]) {
      const real = SYSTEM_CALLS[key] as (...how: unknown[]) => unknown;
      const isChange = (CHANGES as readonly string[]).includes(key);
      later[key] = async (...how: unknown[]) => {
        this.#requireAlive();
        if (key === 'close' || key === 'closeWritten') return this.#close(how[0] as number);
        const isCreate = key === 'openAt' && ((how[2] as number) & Open.create) !== 0;
        const places = DESCRIPTORS[key] ?? [0];
        const own = how.map((each, place) => (places.includes(place) ? this.#ownOf(each as number) : each));
        const fds = places.map((place) => own[place] as number);
        return this.#call(key, isChange || isCreate, fds, () => {
          // Nothing is lost here that was not synced: a sync takes its time, and no more.
          const result = key === 'sync' ? undefined : real(...own);
          if (key === 'openAt') this.#open.add(result as number);
          return result;
        });
      };
    }
    return later as unknown as LaterCalls;
  }

  async #call(key: string, isChange: boolean, fds: readonly number[], call: () => unknown): Promise<unknown> {
    const { world, moments, gate, die, stop } = this.#parts;
    const fault = isChange ? moments().at('change') : undefined;
    if (fault?.kind === 'crash before') die();
    this.#requireAlive();
    if (fault?.kind === 'signal') stop();
    if (fault?.kind === 'full') world.fullUntilMs = world.time.ms + fault.ms;
    if (fault?.kind === 'full here') this.#fullUntilMs = world.time.ms + fault.ms;
    if (fault?.kind === 'freeze before') world.freeze(gate, fault.ms);
    const done = this.#use(fds);
    return this.#land(isChange, () => {
      try {
        if (fault?.kind === 'refused') throw new PosixError(key, EIO);
        if (NEED_ROOM.has(key)) this.#requireRoom(key);
        return call();
      } finally {
        done();
        if (fault?.kind === 'freeze after') world.freeze(gate, fault.ms);
        if (fault?.kind === 'crash after') die();
      }
    });
  }

  #ownOf(fd: number): number {
    const known = this.#open.has(fd) ? fd : this.#own.get(fd);
    if (known !== undefined) return known;
    const own = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#own.set(fd, own);
    this.#open.add(own);
    return own;
  }

  #requireRoom(key: string): void {
    const { time, fullUntilMs } = this.#parts.world;
    if (time.ms < fullUntilMs) throw new PosixError(key, ENOSPC);
    if (time.ms < this.#fullUntilMs) throw new PosixError(key, EDQUOT);
  }

  /** Does something after a while. Resolves when its process hears of it. */
  #land(isChange: boolean, call: () => unknown): Promise<unknown> {
    const { world, gate } = this.#parts;
    const { time, random } = world;
    const number = ++world.calls;
    time.touch();
    const sentMs = time.ms;
    const beforeMs = random.at(LONGEST_CALL_MS, number, 1);
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const land = () => {
        const answer = this.#answerOf(call);
        time.after(random.at(LONGEST_CALL_MS, number, 2), () =>
          gate.arrive(() => {
            if (!this.#waiting.delete(reject)) return;
            if ('error' in answer) reject(answer.error as Error);
            else resolve(answer.value);
          }),
        );
      };
      time.after(beforeMs, () => {
        if (!gate.isFrozen && !gate.isDead) return land();
        // It is under way without its process: at once, as late as it can be, or never.
        const fate = isChange ? random.at(gate.isDead ? 3 : 2, number, 3) : 0;
        if (fate === 2) return;
        if (fate === 0) land();
        else time.after(sentMs + LATE_MS - 1 - random.at(200, number, 4) - time.ms, land);
      });
    });
  }

  #answerOf(call: () => unknown): { readonly value: unknown } | { readonly error: unknown } {
    try {
      return { value: call() };
    } catch (error) {
      if (!(error instanceof PosixError)) throw error;
      return { error };
    }
  }

  /** @returns to be called when the call has been made */
  #use(fds: readonly number[]): () => void {
    for (const fd of fds) this.#uses.set(fd, (this.#uses.get(fd) ?? 0) + 1);
    return () => {
      for (const fd of fds) {
        const left = (this.#uses.get(fd) ?? 1) - 1;
        this.#uses.set(fd, left);
        if (left === 0 && this.#closing.has(fd)) this.#closeNow(fd);
      }
    };
  }

  /** In a process of its own a number would be given again; here all processes of a life share them. */
  #close(fd: number): void {
    if ((this.#uses.get(fd) ?? 0) > 0) this.#closing.add(fd);
    else this.#closeNow(fd);
  }

  #closeNow(fd: number): void {
    this.#uses.delete(fd);
    this.#closing.delete(fd);
    this.#open.delete(fd);
    closeSync(fd);
  }

  async #get(name: string, limit: number): Promise<Buffer> {
    const { world, moments, gate, die, stop } = this.#parts;
    this.#requireAlive();
    const fault = moments().at('read');
    if (fault?.kind === 'crash before') die();
    if (fault?.kind === 'signal') stop();
    if (fault?.kind === 'unavailable here') this.#awayUntilMs = world.time.ms + fault.ms;
    if (fault?.kind === 'freeze before') world.freeze(gate, fault.ms);
    await this.#pause();
    if (world.time.ms < this.#awayUntilMs) throw new ClfsError('service-unavailable', 'The service does not answer.');
    return world.store.get(name, limit);
  }

  async *#list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    await this.#pause();
    yield* this.#parts.world.store.list(prefix);
  }

  async #pause(): Promise<void> {
    await this.#land(false, () => undefined);
    this.#requireAlive();
  }
}

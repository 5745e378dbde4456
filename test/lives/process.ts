import { cpSync, existsSync } from 'node:fs';
import type { Container, PutOptions } from '../../src/container/container.js';
import { ClfsError } from '../../src/error.js';
import type { SourceTree } from '../../src/source/source-tree.js';
import type { CommitHooks } from '../../src/state/job-database.js';
import type { Clock } from '../../src/time/clock.js';
import type { ProcessGate } from '../support/memory-server.js';
import { Caller, Killed, LATE_MS } from './caller.js';
import type { Crew } from './crew.js';
import type { CommitFault, Happening, LifeEvent } from './events.js';
import { Gate } from './gate.js';
import type { ModelTree } from './model-tree.js';
import { Moments } from './moments.js';
import type { Random } from './random.js';
import type { Service } from './service.js';
import type { VirtualTime } from './virtual-time.js';

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
  /** Device of what is mounted in the tree, and whether it is mounted now. */
  mountedDevice: string;
  isMounted: boolean;
  /** Name of the server that it comes from. */
  mountName: string;
  /** Whether the job knows what was mounted when it began: only then it can tell that something is not mounted. */
  isPlaced: boolean;
  /** It was asked just now where the source is: what is committed now records it. */
  placeAsked: boolean;
  readonly tellsTypes: boolean;
  readonly tellsBirth: boolean;
  /** The source is called by calls that leave the loader free. */
  readonly asyncSource: boolean;
  /** Workers on other machines; undefined in a life without. */
  crew: Crew<Process> | undefined;
  /** Told of each event that happens. */
  happened(event: Pick<LifeEvent, 'on' | 'what'>, at: number): void;
  /** Does what happens at a moment. @returns a promise when it takes a while: only calls wait for it */
  happen(what: Happening, process: Process): Promise<void> | undefined;
}

/**
 * One session: a process with its container, clock, commits and source, of which each call has a number.
 *
 * After a crash nothing works any more; what was under way is lost or arrives later.
 */
export class Process {
  readonly controller = new AbortController();
  readonly moments: Moments;
  readonly gate: Gate;
  readonly clock: Clock;
  /** Its end of the way to workers. */
  readonly wire: ProcessGate;
  /** Resolves when the process is killed. */
  readonly killed: Promise<void>;
  readonly #around: Surroundings;
  readonly #statePath: string;
  readonly #caller: Caller;
  #tellKilled: () => void = () => undefined;
  /** Copy of the state as it was when the process was killed; undefined while it lives. */
  stateLeft: string | undefined;
  dead = false;
  ended = false;

  constructor(around: Surroundings, statePath: string, events: readonly LifeEvent[]) {
    this.#around = around;
    this.#statePath = statePath;
    this.moments = new Moments(around, events, this);
    this.gate = new Gate(around.time);
    const { time } = around;
    this.clock = this.gate.makeClock(
      () => time.ms + around.offsetMs,
      () => time.ms - around.bootMs,
    );
    const isDead = () => this.dead;
    this.wire = {
      arrive: (call) => void (isDead() || this.gate.arrive(call)),
      get isDead() {
        return isDead();
      },
    };
    this.killed = new Promise((resolve) => {
      this.#tellKilled = resolve;
    });
    this.#caller = new Caller({
      around,
      moments: () => this.moments,
      gate: this.gate,
      clock: this.clock,
      isGone: () => this.dead || this.ended,
      crash: () => this.crash(),
    });
    time.onTimer = () => {
      if (!this.dead) this.moments.timer();
    };
  }

  get container(): Container {
    return this.#caller.container;
  }

  readonly hooks: CommitHooks = {
    before: () => {
      this.#caller.requireAlive();
      this.#around.time.touch();
      const fault = this.moments.at('commit', ++this.moments.commits) as CommitFault | undefined;
      this.#afterCommit = fault === 'crash after';
      if (fault === 'error') throw new ClfsError('state', 'Cannot write the job state: the disk is full.');
      if (fault === 'crash before') this.crash();
    },
    after: () => {
      this.#around.isPlaced ||= this.#around.placeAsked;
      if (this.#afterCommit) this.crash();
    },
    now: () => this.clock.now(),
  };
  #afterCommit = false;

  wrapSource = (real: SourceTree): SourceTree => ({
    ...this.#caller.source(this.#around.device),
    close: () => real.close(),
  });

  /** The process is killed. */
  crash(): never {
    if (!this.dead) {
      this.dead = true;
      if (existsSync(this.#statePath)) {
        this.stateLeft = `${this.#statePath}-left`;
        cpSync(this.#statePath, this.stateLeft, { recursive: true });
      }
      this.#caller.abandon();
      this.#tellKilled();
    }
    throw new Killed('the process was killed');
  }

  /** The process has ended by itself: what it had under way goes on without it. */
  end(): void {
    this.ended = true;
    this.moments.isOver = true;
    this.#caller.abandon();
    // Workers go on without their driver; one that was killed still has to find out that nothing works any more.
    if (!this.#around.crew) this.#around.time.clear();
    else if (!this.dead) this.gate.forget();
    this.#around.time.onTimer = () => undefined;
  }
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

import { cpSync, existsSync } from 'node:fs';
import type { CommitHooks } from '../../src/state/job-database.js';
import type { Clock } from '../../src/time/clock.js';
import type { CrewDriver } from '../lives/crew.js';
import { Gate } from '../lives/gate.js';
import type { ProcessGate } from '../support/memory-server.js';
import type { CrewMoments } from './crew-moments.js';
import { type CrewWorld, Killed, Machine } from './machine.js';

/** One session of an export: a process with its calls, clock and commits, which can be frozen and killed. */
export class ExportDriver implements CrewDriver {
  readonly controller = new AbortController();
  readonly moments: CrewMoments;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly wire: ProcessGate;
  readonly machine: Machine;
  /** Resolves when the process is killed. */
  readonly killed: Promise<void>;
  readonly #world: CrewWorld;
  readonly #statePath: string;
  readonly #onKill: () => void;
  #tellKilled: () => void = () => undefined;
  #dead = false;
  #ended = false;
  /** Copy of the state as it was when the process was killed; undefined while it lives. */
  stateLeft: string | undefined;

  /** @param onKill called when the process is killed, before it undoes anything, which one that is killed does not */
  constructor(world: CrewWorld, statePath: string, moments: CrewMoments, onKill: () => void) {
    this.#onKill = onKill;
    this.#world = world;
    this.#statePath = statePath;
    this.moments = moments;
    const { time } = world;
    this.gate = new Gate(time);
    const now = () => time.ms;
    this.clock = this.gate.makeClock(now, now);
    const isDead = () => this.#dead;
    this.wire = {
      arrive: (call) => void (isDead() || this.gate.arrive(call)),
      get isDead() {
        return isDead();
      },
    };
    this.killed = new Promise((resolve) => {
      this.#tellKilled = resolve;
    });
    this.machine = new Machine({
      world,
      moments: () => moments,
      gate: this.gate,
      isGone: () => this.#dead || this.#ended,
      die: () => this.die(),
      stop: () => this.controller.abort(),
    });
  }

  get isDead(): boolean {
    return this.#dead;
  }

  readonly hooks: CommitHooks = {
    before: () => {
      if (this.#dead) throw new Killed('the process was killed');
      this.#world.time.touch();
      const fault = this.moments.at('commit');
      this.#afterCommit = fault?.kind === 'crash after';
      if (fault?.kind === 'crash before') this.#crash();
    },
    after: () => {
      if (this.#afterCommit) this.#crash();
    },
    now: () => this.clock.now(),
  };
  #afterCommit = false;

  /** The process is killed. */
  die(): void {
    if (this.#dead) return;
    this.#dead = true;
    if (existsSync(this.#statePath)) {
      this.stateLeft = `${this.#statePath}-left`;
      cpSync(this.#statePath, this.stateLeft, { recursive: true });
    }
    this.#onKill();
    this.machine.abandon();
    this.#tellKilled();
  }

  /** The process has ended. */
  end(): void {
    this.#ended = true;
    this.moments.isOver = true;
    this.machine.abandon();
    // One that was killed still has to find out that nothing works any more.
    if (!this.#dead) this.gate.forget();
  }

  #crash(): never {
    this.die();
    throw new Killed('the process was killed');
  }
}

import type { WorkerLink } from '../../src/remote/link.js';
import { CALM, MemoryServer, type ProcessGate } from '../support/memory-server.js';
import type { CrewHappening } from './events.js';
import type { Gate } from './gate.js';
import type { CrewPlan } from './plan.js';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

/** More workers than that do not come. */
const MOST_WORKERS = 6;
/** In the place of one that has gone another one comes after so long. */
const REPLACED_MS = 3000;
/** After so long without anybody who takes part, somebody stops the job. */
const PATIENCE_MS = 120_000;

/** Draws workers of a life in which nothing else moves, and how their messages fare. */
export function drawCrewPlan(random: Random): CrewPlan {
  const rough = random.chance(60);
  return {
    workers: 3,
    leaseMs: random.pick([2000, 5000]),
    onlyWorkers: random.chance(70),
    longestBytes: random.pick([2048, 1_048_576]),
    weather: {
      dropped: rough ? random.below(15) : 0,
      doubled: rough ? random.below(15) : 0,
      delayed: rough ? random.below(15) : 0,
      longestDelayMs: 1 + random.below(8000),
    },
  };
}

/** A session of the driver, as its workers have to do with it. */
export interface CrewDriver {
  readonly gate: Gate;
  /** Its end of the way to workers. */
  readonly wire: ProcessGate;
  readonly controller: AbortController;
  readonly moments: { readonly isOver: boolean; message(): void };
}

/** A worker on a machine of its own. */
export interface CrewWorker {
  readonly gate: Gate;
  readonly name: string;
  /** Serves until it is told to end; never ends where it was killed. */
  run(): Promise<void>;
  /** It is told to end once it has done what it has. */
  leave(): void;
  die(): void;
}

/** What a worker is made with. */
export interface CrewWorkerParts<Driver> {
  readonly number: number;
  /** The session that runs, or ran last. */
  readonly driver: () => Driver;
  readonly link: (gate: Gate) => WorkerLink;
  /** Told what it says. */
  report(text: string): void;
  /** It has died. */
  died(): void;
}

/** Workers of a life, and the server between them and their driver. */
export class Crew<Driver extends CrewDriver> {
  readonly server: MemoryServer;
  readonly plan: CrewPlan;
  readonly #around: { readonly time: VirtualTime; readonly random: Random };
  readonly #tell: (label: string, text?: string) => void;
  readonly #make: (parts: CrewWorkerParts<Driver>) => CrewWorker;
  readonly #workers: CrewWorker[] = [];
  /** The session that runs, or ran last; undefined when the life has ended. */
  #process: Driver | undefined;
  #latest: Driver | undefined;
  #count = 0;
  #wakes = 0;
  /** Until then a put of a worker takes as long as it can. */
  slowUntilMs = 0;

  /** @param tell counts something that has happened, and says it in words */
  constructor(
    plan: CrewPlan,
    around: { readonly time: VirtualTime; readonly random: Random },
    make: (parts: CrewWorkerParts<Driver>) => CrewWorker,
    tell: (label: string, text?: string) => void,
  ) {
    this.plan = plan;
    this.#make = make;
    this.#around = around;
    this.#tell = tell;
    this.server = new MemoryServer(around.time, around.random, plan.weather);
    this.server.onMessage = () => this.#latest?.moments.message();
    for (let at = 0; at < plan.workers; at++) this.#come();
  }

  /** A session of the driver begins. */
  begin(process: Driver): void {
    this.#process = process;
    this.#latest = process;
  }

  /** What is said in the driver's log of workers. */
  driverSaid(text: string): void {
    if (/ has gone: .*tasks are given to others/.test(text)) this.#tell('worker: lost with tasks', text);
  }

  happen(what: CrewHappening): void {
    const process = this.#process;
    const worker = this.#workers[what.pick % Math.max(1, this.#workers.length)] as CrewWorker | undefined;
    if (!process || process.moments.isOver || !worker) return;
    const { time } = this.#around;
    const { kind, ms } = what;
    const ofWorker = kind.startsWith('worker ') && kind !== 'worker comes';
    if (kind === 'worker comes' && this.#workers.length >= MOST_WORKERS) return;
    this.#tell(kind, `${kind}${ofWorker ? `: ${worker.name}` : ''}, ${ms / 1000} s`);
    if (kind === 'worker freezes') this.freeze(worker.gate, ms);
    else if (kind === 'driver freezes') this.freeze(process.gate, ms);
    else if (kind === 'worker dies') worker.die();
    else if (kind === 'worker leaves') worker.leave();
    else if (kind === 'worker comes') this.#come();
    else if (kind === 'puts take long') this.slowUntilMs = time.ms + ms;
    else if (kind === 'server is away' || kind === 'server is killed') {
      this.server.leave(kind === 'server is killed');
      time.after(ms, () => this.server.comeBack());
    } else {
      const gate = ofWorker ? worker.gate : process.wire;
      this.server.setCut(gate, true);
      time.after(ms, () => this.server.setCut(gate, false));
    }
  }

  freeze(gate: Gate, ms: number): void {
    const { time } = this.#around;
    gate.freeze();
    time.after(ms, () => this.#wake(gate));
  }

  /** Everything is well from here on. */
  heal(): void {
    this.slowUntilMs = 0;
    this.server.weather = CALM;
    this.server.heal();
    this.wakeAll();
  }

  wakeAll(): void {
    for (const { gate } of this.#workers) this.#wake(gate);
    if (this.#process) this.#wake(this.#process.gate);
  }

  /** Nobody is left. */
  end(): void {
    this.#process = undefined;
    for (const worker of this.#workers.splice(0)) worker.gate.die();
  }

  #wake(gate: Gate): void {
    // Each wakes in an order of its own.
    const { random } = this.#around;
    const number = ++this.#wakes;
    let draws = 0;
    gate.wake({ below: (limit) => random.at(limit, 0, number, ++draws) });
  }

  #come(): CrewWorker {
    const worker: CrewWorker = this.#make({
      driver: () => this.#latest as Driver,
      number: ++this.#count,
      link: (gate) => this.server.worker(gate, this.plan.longestBytes),
      report: (text) => this.#said(worker, text),
      died: () => this.#gone(worker),
    });
    this.#workers.push(worker);
    void worker.run().then(() => this.#gone(worker));
    return worker;
  }

  #said(worker: CrewWorker, text: string): void {
    if (text.includes('takes part')) this.#tell('worker: takes part');
    else if (/has not answered in time|clock of this machine has gone ahead/.test(text))
      this.#tell('worker: lost its lease', `${worker.name} has lost its lease`);
    else if (text.includes('cannot take part') || text.includes('refuses')) {
      this.#tell('worker: refused', text);
      this.#requireSomebody();
    } else if (!text.includes('no more in job')) this.#tell('worker: said', text);
  }

  /** Where nobody may take part, somebody looks why, and stops the job. */
  #requireSomebody(): void {
    const process = this.#process;
    this.#around.time.after(PATIENCE_MS, () => {
      if (process !== this.#process || !process || process.moments.isOver) return;
      this.#tell('stopped: workers were refused', 'somebody stops the job, since workers are refused');
      process.controller.abort();
    });
  }

  #gone(worker: CrewWorker): void {
    const at = this.#workers.indexOf(worker);
    if (at < 0) return;
    this.#workers.splice(at, 1);
    this.#around.time.after(REPLACED_MS, () => {
      if (this.#process && this.#workers.length < this.plan.workers) this.#come();
    });
  }
}

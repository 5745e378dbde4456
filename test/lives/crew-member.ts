import type { Kinds } from '../../src/engine/kinds.js';
import type { MemberLanes } from '../../src/join/member-lanes.js';
import { serveJobs } from '../../src/join/serve-jobs.js';
import type { Clock } from '../../src/time/clock.js';
import type { CrewWorker, CrewWorkerParts } from './crew.js';
import { Gate } from './gate.js';
import type { VirtualTime } from './virtual-time.js';

/** Workers have been up for so long when a life begins, each for another time. */
const UP_MS = 1_000_000;

/** What a member does with its jobs. */
interface MemberWork<M extends Kinds<M>, Setup> {
  /** Opens its one lane. */
  open(setup: Setup, member: CrewMember<M, Setup>): Promise<MemberLanes<M>>;
  /** It is killed: what it has under way is lost, or arrives. */
  abandon(): void;
}

/** A worker on a machine of its own, with one lane: it can be frozen, told to end, and killed. */
export class CrewMember<M extends Kinds<M>, Setup> implements CrewWorker {
  readonly gate: Gate;
  readonly name: string;
  readonly clock: Clock;
  readonly #parts: CrewWorkerParts<unknown>;
  readonly #work: MemberWork<M, Setup>;
  readonly #controller = new AbortController();

  /** @param now the time of day on its machine */
  constructor(
    parts: CrewWorkerParts<unknown>,
    time: VirtualTime,
    work: MemberWork<M, Setup>,
    now: () => number = () => time.ms,
  ) {
    this.#parts = parts;
    this.#work = work;
    this.gate = new Gate(time);
    this.name = `worker ${parts.number}`;
    this.clock = this.gate.makeClock(now, () => time.ms + parts.number * UP_MS);
  }

  /** Aborted when it is told to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  run(): Promise<void> {
    const { link, report } = this.#parts;
    return serveJobs<M>({
      link: link(this.gate),
      clock: this.clock,
      name: this.name,
      threads: 1,
      signal: this.signal,
      report,
      // There are no other jobs.
      openLanes: (setup) => this.#work.open(setup as Setup, this),
    });
  }

  leave(): void {
    this.#controller.abort();
  }

  die(): void {
    if (this.gate.isDead) return;
    this.gate.die();
    this.#work.abandon();
    this.#parts.died();
  }
}

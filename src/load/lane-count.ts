import { cpus } from 'node:os';

/** Time over which idle processors are looked at. */
const LOOK_MS = 400;
/** A further lane is worth its cost when this much of a processor is idle. */
const IDLE_PROCESSORS = 0.7;

/**
 * Decides how many lanes get work: one at first, more while lanes are full and processors idle. A thread that only competes for
 * a busy processor costs its start-up and memory, and brings nothing.
 */
export class LaneCount {
  readonly #most: number;
  #active: number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #times = { idle: 0, total: 0, processors: 0 };

  /** @param all use all lanes from the start */
  constructor(most: number, all: boolean) {
    this.#most = most;
    this.#active = all ? most : 1;
  }

  get active(): number {
    return this.#active;
  }

  /** There is work that keeps every processor busy. */
  useAll(): void {
    this.#active = this.#most;
  }

  /** Called when the active lanes are full. */
  consider(): void {
    if (this.#active === this.#most) return;
    const now = performance.now();
    if (now - this.#lookedAtMs < LOOK_MS) return;
    const times = processorTimes();
    const first = this.#times.processors === 0;
    const total = times.total - this.#times.total;
    const idle = total === 0 ? 0 : ((times.idle - this.#times.idle) / total) * times.processors;
    this.#lookedAtMs = now;
    this.#times = times;
    if (!first && idle >= IDLE_PROCESSORS) this.#active = Math.min(this.#most, this.#active + Math.max(1, Math.floor(idle / 2)));
  }
}

function processorTimes(): { readonly idle: number; readonly total: number; readonly processors: number } {
  let idle = 0;
  let total = 0;
  const all = cpus();
  for (const { times } of all) {
    idle += times.idle;
    total += times.idle + times.user + times.sys + times.nice + times.irq;
  }
  return { idle, total, processors: all.length };
}

import { cpus } from 'node:os';

/** Time over which idle processors are looked at, and how many of them make a further lane worth its cost. */
const SMALL_WORK = { lookMs: 400, idleProcessors: 0.7 };
/** Large files keep a lane busy from the start, and what is compiled for them is little. */
const LARGE_WORK = { lookMs: 60, idleProcessors: 0.6 };

/** Large files of so much keep every processor busy for seconds: no need to look. */
const MUCH_BYTES = 4 * 2 ** 30;

/** How long the main thread's own lane works: a small load ends before starting a thread would have been worth it. */
const OWN_LANE_MS = 3000;

/** Share of its time that a thread works which is worth another one. With less it waits, as another one would. */
const BUSY = 0.7;

/** What a {@link LanePolicy} goes by. */
export interface LanePolicyOptions {
  /** The main thread's own, and those of threads. */
  readonly lanes: number;
  /** Use as many as there are threads from the start. */
  readonly all: boolean;
  /** Whether no call of the main thread's lane ever holds it up. */
  readonly firstNeverBlocks?: boolean;
}

/**
 * Decides which lanes get work. One at first, more while lanes are full and processors idle: a thread that only
 * competes for a busy processor costs its start-up and memory, and brings nothing. The first lane is the main thread's
 * own; after a while only threads work, so that a slow file system does not hold up what the main thread is for.
 *
 * Where nothing holds it up, it goes on as long as it is enough: while it waits most of its time for small files, as
 * many calls as there can be are under way, and another lane would wait for the same.
 */
export class LanePolicy {
  readonly #lanes: number;
  /** Whether the main thread may go on alone, however long it takes. */
  #mayStay: boolean;
  readonly #all: boolean;
  readonly #begunMs = performance.now();
  #first = 0;
  #count: number;
  #lookedAtMs = performance.now();
  #times: ReturnType<typeof processorTimes> | undefined;
  #busy = performance.eventLoopUtilization();

  constructor({ lanes, all, firstNeverBlocks = false }: LanePolicyOptions) {
    this.#lanes = lanes;
    this.#all = all;
    // Who asks for threads gets them.
    this.#mayStay = firstNeverBlocks && !all;
    this.#count = all ? this.#most : 1;
    if (this.#count < this.#most) this.#times = processorTimes();
  }

  /** First lane that gets work, and the one behind the last. */
  get active(): { readonly first: number; readonly end: number } {
    if (this.#first === 0 && this.#lanes > 1 && this.#isLong && !this.#isAlone) {
      this.#first = 1;
      // Whether one more is worth its start is looked at anew.
      if (!this.#all) this.#count = Math.max(1, this.#count - 1);
    }
    return { first: this.#first, end: this.#first + this.#count };
  }

  /**
   * Called when the active lanes are full.
   *
   * @param largeBytes of large files that are to be sent
   * @returns after how many milliseconds to ask again (0: there are more lanes now); undefined: all lanes are active
   */
  grow(largeBytes: number): number | undefined {
    const isAlone = this.#isAlone;
    if (this.#count === this.#most && !isAlone) return undefined;
    if (largeBytes > MUCH_BYTES) {
      this.#mayStay = false;
      this.#count = this.#most;
      return 0;
    }
    const large = largeBytes > 0;
    const { lookMs, idleProcessors } = large ? LARGE_WORK : SMALL_WORK;
    const now = performance.now();
    const leftMs = this.#lookedAtMs + lookMs - now;
    if (leftMs > 0) return leftMs;
    const { idle, total, processors } = processorTimes();
    const before = this.#times ?? { idle, total };
    this.#lookedAtMs = now;
    this.#times = { idle, total, processors };
    const idleNow = ((idle - before.idle) / Math.max(1, total - before.total)) * processors;
    if (isAlone) {
      if (!large && this.#waitsMostly()) return lookMs;
      if (this.#isLong) {
        this.#mayStay = false;
        return 0;
      }
    }
    if (idleNow < idleProcessors || this.#count === this.#most) return lookMs;
    this.#count = Math.min(this.#most, this.#count + Math.max(1, Math.floor(large ? idleNow : idleNow / 2)));
    return 0;
  }

  get #isLong(): boolean {
    return performance.now() - this.#begunMs > OWN_LANE_MS;
  }

  /** Whether the main thread works alone, and may go on so. */
  get #isAlone(): boolean {
    return this.#mayStay && this.#first === 0 && this.#count === 1;
  }

  /** Whether the main thread has waited most of the time since the last look. */
  #waitsMostly(): boolean {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#busy);
    this.#busy = now;
    return utilization < BUSY;
  }

  get #most(): number {
    return Math.max(1, this.#lanes - 1);
  }
}

/** Idle time and time in all of the machine's processors since it was started, in milliseconds. */
export function processorTimes(): { readonly idle: number; readonly total: number; readonly processors: number } {
  let idle = 0;
  let total = 0;
  const all = cpus();
  for (const { times } of all) {
    idle += times.idle;
    total += times.idle + times.user + times.sys + times.nice + times.irq;
  }
  return { idle, total, processors: all.length };
}

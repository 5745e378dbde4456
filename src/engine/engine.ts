import type { Clock } from '../time/clock.js';
import type { Kinds, PartMessage, ResultMessage } from './kinds.js';
import { LANE_UNITS, LaneLoads } from './lane-loads.js';
import { LanePolicy } from './lane-policy.js';
import type { Blame, Runner } from './runner.js';
import type { Plan, Transactions, Turn, Work } from './work.js';

/** Share of the main thread's time that may go into making the state durable while lanes have enough to do. */
const COMMIT_SHARE = 0.25;
const SHORTEST_PAUSE_MS = 2;
/** What a full lane has lasts longer, so that none runs dry meanwhile. */
const LONGEST_PAUSE_MS = 400;
/** A turn that takes longer (a state on a slow file system) comes seldom: lanes are given twice as much. */
const SLOW_TURN_MS = 25;
/** How long a stop waits for what is under way, and then for what lanes tell of it when it is cut off. */
const STOP_WAIT_MS = 3500;
const ABANDON_WAIT_MS = 1500;
/** How often a job records that it is alive while nothing else is recorded. */
const BEAT_MS = 10_000;

/** What an engine works with. */
export interface EngineParts<M extends Kinds<M>> {
  readonly plan: Plan<M>;
  readonly store: Transactions;
  readonly clock: Clock;
  /** Use every lane from the start, in place of one after another while processors idle. */
  readonly allLanes: boolean;
  /** Leave all work to lanes elsewhere. */
  readonly onlyRemote?: boolean;
  /** Why the job ends when its signal is aborted. */
  cancelled(): unknown;
}

interface Running<M extends Kinds<M>> {
  readonly work: Work<M>;
  readonly lane: number;
}

type Event<M extends Kinds<M>> = { readonly ticket: number } & (
  | { readonly told: 'part'; readonly message: PartMessage<M> }
  | { readonly told: 'done'; readonly message: ResultMessage<M> }
  | { readonly told: 'lost'; readonly blame: Blame }
);

type Timer = ReturnType<Clock['after']>;

/**
 * Brings a plan to its end.
 *
 * One loop: what the lanes tell and what they are given next is one transaction, and only when it is durable are the
 * tasks handed out. So whatever may have an effect is recorded before it begins, and what is recorded as done was done.
 */
export class Engine<M extends Kinds<M>> {
  readonly #plan: Plan<M>;
  readonly #store: Transactions;
  readonly #clock: Clock;
  readonly #allLanes: boolean;
  readonly #onlyRemote: boolean;
  readonly #cancelled: () => unknown;
  #runner: Runner<M> | undefined;
  readonly #running = new Map<number, Running<M>>();
  #policy = new LanePolicy({ lanes: 1, all: true });
  #loads = new LaneLoads({ own: 0, remote: false, onlyRemote: false, policy: this.#policy });
  #events: Event<M>[] = [];
  #ticket = 0;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #lookTimer: Timer | undefined;
  #beatTimer: Timer | undefined;
  #stopTimer: Timer | undefined;
  #stopping: { readonly reason: unknown } | undefined;
  #abandoned = false;
  #uncertainUntilMs = 0;
  /** Units of what lanes have done that is not recorded yet. */
  #doneUnits = 0;
  /** Until when commits have had their share of this thread's time. */
  #restUntilMs = 0;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor({ plan, store, clock, allLanes, onlyRemote = false, cancelled }: EngineParts<M>) {
    this.#plan = plan;
    this.#store = store;
    this.#clock = clock;
    this.#allLanes = allLanes;
    this.#onlyRemote = onlyRemote;
    this.#cancelled = cancelled;
  }

  /** Lanes of this process that are at work: the first, and the one behind the last. */
  get lanes(): { readonly first: number; readonly end: number } {
    return this.#policy.active;
  }

  /** Lanes that there are and may get work, busy or not, those elsewhere included. */
  get laneCount(): number {
    return this.#loads.count;
  }

  /** Whether nothing was under way when the run ended: nothing that a task has sent can take effect any more. */
  get settled(): boolean {
    return this.#running.size === 0 && !this.#abandoned && this.#uncertainUntilMs <= this.#clock.monotonic();
  }

  /** Whether what was under way was given up when the run ended, and may go on. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** Until when what lost tasks have sent may take effect, on the monotonic clock; 0: nothing was lost. */
  get uncertainUntilMs(): number {
    return this.#uncertainUntilMs;
  }

  /**
   * Runs to the end of the plan.
   *
   * @throws what `cancelled` says when `signal` is aborted; why the plan stopped; whatever a task or the store threw
   */
  async run(runner: Runner<M>, signal: AbortSignal): Promise<void> {
    this.#runner = runner;
    this.#policy = new LanePolicy({
      lanes: runner.lanes,
      all: this.#allLanes,
      firstNeverBlocks: runner.firstNeverBlocks,
    });
    this.#loads = new LaneLoads({
      own: runner.lanes,
      remote: runner.remote === true,
      onlyRemote: this.#onlyRemote,
      policy: this.#policy,
    });
    runner.start({
      part: (ticket, message) => this.#receive({ ticket, told: 'part', message }),
      done: (ticket, message) => this.#receive({ ticket, told: 'done', message }),
      lost: (ticket, uncertainUntilMs, blame) => {
        this.#uncertainUntilMs = Math.max(this.#uncertainUntilMs, uncertainUntilMs);
        this.#receive({ ticket, told: 'lost', blame });
      },
      remoteLanes: (count) => {
        this.#loads.remoteLanes = count;
        this.#schedule(SHORTEST_PAUSE_MS);
      },
      failed: (error, ticket) => this.#fail(error, ticket),
    });
    const abort = () => this.#stop(this.#cancelled());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#beat();
        this.#pump();
      });
    } finally {
      signal.removeEventListener('abort', abort);
      for (const timer of [this.#timer, this.#lookTimer, this.#beatTimer, this.#stopTimer]) timer?.cancel();
      this.#settle = undefined;
    }
  }

  /** Says that the plan has work again, which had none. */
  wake(): void {
    this.#schedule(0);
  }

  /** A job in which nothing is recorded for a while, since the service is away, is alive all the same. */
  #beat(): void {
    this.#beatTimer = this.#clock.after(BEAT_MS, () => {
      this.#pump();
      if (this.#settle) this.#beat();
    });
  }

  #receive(event: Event<M>): void {
    this.#events.push(event);
    if (event.told !== 'part') this.#doneUnits += this.#running.get(event.ticket)?.work.units ?? 0;
    this.#schedule(this.#pauseMs);
  }

  /** How long what has arrived waits. Lanes that have little to do do not wait. */
  get #pauseMs(): number {
    const restMs = this.#loads.areFull(this.#doneUnits) ? this.#restUntilMs - this.#clock.monotonic() : 0;
    return Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, restMs));
  }

  /** The next turn comes after so long, or sooner where that has been said before. */
  #schedule(delayMs: number): void {
    if (!this.#settle) return;
    const dueMs = this.#clock.monotonic() + delayMs;
    if (this.#timer !== undefined && this.#timerDueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
  }

  /**
   * A task has ended the job. What else runs is waited for: most of it meets the same end, and then nothing is
   * uncertain.
   */
  #fail(error: unknown, ticket: number | undefined): void {
    if (ticket === undefined || !this.#running.has(ticket)) {
      this.#end(error);
      return;
    }
    this.#take(ticket);
    this.#stop(error);
    if (this.#running.size === 0) this.#schedule(0);
  }

  /** Ends the run at once. */
  #end(error: unknown): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
  }

  /** Ends the run when what is running has been recorded, or after a while. */
  #stop(reason: unknown): void {
    if (this.#stopping) return;
    this.#stopping = { reason };
    this.#runner?.stop();
    this.#stopTimer = this.#clock.after(STOP_WAIT_MS, () => {
      if (!this.#settle) return;
      this.#abandoned = true;
      this.#runner?.abandon();
      this.#stopTimer = this.#clock.after(ABANDON_WAIT_MS, () => this.#end(reason));
    });
    this.#schedule(0);
  }

  #pump(): void {
    if (!this.#settle) return;
    try {
      this.#turn();
    } catch (error) {
      this.#end(error);
    }
  }

  #turn(): void {
    const begun = this.#clock.monotonic();
    const events = this.#events;
    this.#events = [];
    this.#doneUnits = 0;
    const turn = new EngineTurn<M>(Math.max(1, this.laneCount), (reason) => this.#stop(reason));
    let asked = false;
    this.#store.transact(() => {
      for (const event of events) this.#apply(event, turn);
      this.#plan.recorded?.();
      turn.room += this.#loads.room;
      // Where nobody is there to work, a piece of work waits for who comes; if there is none left, nobody need come.
      if (turn.room <= 0 && this.#isDeserted) turn.room = 1;
      asked = turn.room > 0;
      if (!this.#stopping) this.#plan.next(turn);
    });
    if (events.length > 0) this.#runner?.recorded?.();
    if (this.#stopping) {
      if (this.#running.size === 0) this.#end(this.#stopping.reason);
      return;
    }
    for (const work of turn.given) this.#submit(work);
    // Without room the plan was not asked: what it has waits for lanes.
    if (this.#running.size === 0 && asked) {
      const advance = this.#plan.advance();
      if (advance === 'next') this.#schedule(0);
      else if (advance === 'end') this.#finish();
    } else if (this.#running.size > 0) this.#considerLanes();
    // What arrives from now on waits long enough that commits do not eat up this thread.
    const now = this.#clock.monotonic();
    this.#restUntilMs = now + (now - begun) * (1 / COMMIT_SHARE - 1);
    this.#loads.laneUnits = now - begun > SLOW_TURN_MS ? 2 * LANE_UNITS : LANE_UNITS;
    if (this.#events.length > 0) this.#schedule(this.#pauseMs);
  }

  #finish(): void {
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  #apply(event: Event<M>, turn: EngineTurn<M>): void {
    if (event.told === 'part') {
      this.#running.get(event.ticket)?.work.part(event.message, turn);
      return;
    }
    const running = this.#take(event.ticket);
    if (!running) return;
    if (event.told === 'lost') running.work.lost(turn, event.blame);
    else running.work.done(event.message, turn, running.lane);
  }

  #take(ticket: number): Running<M> | undefined {
    const running = this.#running.get(ticket);
    if (!running) return undefined;
    this.#running.delete(ticket);
    this.#loads.add(running.lane, -running.work.units);
    return running;
  }

  #submit(work: Work<M>): void {
    const lane = this.#loads.laneFor(work.lane);
    const ticket = ++this.#ticket;
    this.#loads.add(lane, work.units);
    this.#running.set(ticket, { work, lane });
    this.#runner?.submit(lane, ticket, work.message, work.units, work.alone);
  }

  /** Whether all work is left to lanes elsewhere, there is none, and nothing waits for one. */
  get #isDeserted(): boolean {
    return this.#onlyRemote && this.#loads.remoteLanes === 0 && this.#running.size === 0;
  }

  /** More lanes become active when those that are have enough to do and processors are idle. */
  #considerLanes(): void {
    if (this.#onlyRemote || this.#lookTimer !== undefined || !this.#loads.areOwnFull) return;
    const againMs = this.#policy.grow(this.#plan.bytesAhead());
    if (againMs === undefined) return;
    // The end of a task may be far: it is not waited for. A turn costs a commit, and is of use only where there is room.
    this.#lookTimer = this.#clock.after(againMs, () => {
      this.#lookTimer = undefined;
      if (this.#loads.areOwnFull) this.#considerLanes();
      else this.#pump();
    });
  }
}

/** What is given in one turn. */
class EngineTurn<M extends Kinds<M>> implements Turn<M> {
  readonly lanes: number;
  readonly given: Work<M>[] = [];
  readonly stop: (reason: unknown) => void;
  room = 0;

  constructor(lanes: number, stop: (reason: unknown) => void) {
    this.lanes = lanes;
    this.stop = stop;
  }

  give(work: Work<M>): void {
    this.given.push(work);
    this.room -= work.units;
  }
}

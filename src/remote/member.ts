import { type Breakage, breakageIn, breakageOf } from '../engine/breakage.js';
import type { Kinds, PartMessage, ResultMessage, TaskMessage } from '../engine/kinds.js';
import type { Runner } from '../engine/runner.js';
import { type ClfsError, isClfsError, messageOf } from '../error.js';
import type { Clock } from '../time/clock.js';
import type { Delivery, WorkerLink } from './link.js';
import { type Answer, decode, encode, type Failure, type Question, type WorkerCounters } from './messages.js';
import { Outbox } from './outbox.js';
import { readAnswer } from './read-messages.js';
import { TakePace } from './take-pace.js';
import type { Trouble } from './trouble.js';

/** What holds until when a worker may send; see `container/lease.ts`. */
interface Lease {
  extend(from: { readonly monotonicMs: number; readonly nowMs: number }, lengthMs: number): void;
  end(): void;
  leftMs(now: { readonly monotonicMs: number; readonly nowMs: number }): number;
}

/** What a worker works with while it takes part in a job. */
export interface MemberParts<M extends Kinds<M>> {
  readonly link: WorkerLink;
  readonly clock: Clock;
  readonly epoch: string;
  readonly worker: string;
  readonly leaseMs: number;
  readonly lease: Lease;
  /** Lanes of this process. Closed by the caller, whatever happens: what is under way must not go on after that. */
  readonly runner: Runner<M>;
  /** Work that a lane has at once, in units of about one small file. */
  readonly laneUnits: number;
  /** Ends the membership when what is under way is done. */
  readonly signal: AbortSignal;
  counters(): WorkerCounters;
  setCap(megabitsPerSecond: number): void;
  /** Why a lane does nothing, which is not the fault of what it works on; undefined: all do something. */
  stuck?(): string | undefined;
  /** What this machine has not any more of what it was let in with: then nothing of a task is told. */
  lacking?(): ClfsError | undefined;
}

/** How a membership has ended. */
export interface MemberEnd {
  readonly why: 'over' | 'lease' | 'left' | 'broken' | 'stuck' | 'trouble';
  readonly text: string;
  /** With `trouble`: what it is. */
  readonly trouble?: Trouble;
}

const BEAT_MS = 1000;
const ANSWER_MS = 2000;
const PULL_MS = 1500;
const LOOK_MS = 200;
/** Whose last answer is not older hears of the driver. */
const HEARD_MS = 3000;
const TROUBLE_MS = 30_000;
/** One of the two clocks that is ahead of the other by more than this since the driver answered has jumped. */
const JUMP_MS = 2000;

/** Takes part in a job until it is over, the driver is not heard of any more, or a lane breaks. */
export class Member<M extends Kinds<M>> {
  readonly #parts: MemberParts<M>;
  readonly #ended: Promise<MemberEnd>;
  #end: (end: MemberEnd) => void = () => undefined;
  #isOver = false;
  #wish: Extract<Answer, { to: 'here' }>['wish'] = 'work';
  #queue = '';
  /** Units of each lane. */
  readonly #lanes: number[];
  readonly #tasks = new Map<number, { readonly lane: number; readonly units: number; readonly outbox: Outbox }>();
  /** Tickets that the driver is asked for. */
  readonly #taking = new Set<number>();
  /** So often it has tried to get a ticket. */
  #attempts = 0;
  readonly #pace: TakePace;
  /** From when the lease holds that the driver has given last. */
  #extended = { monotonicMs: 0, nowMs: 0 };

  constructor(parts: MemberParts<M>) {
    this.#parts = parts;
    this.#pace = new TakePace(parts.clock, parts.laneUnits);
    this.#lanes = new Array<number>(parts.runner.lanes).fill(0);
    this.#ended = new Promise((resolve) => {
      this.#end = (end) => {
        this.#isOver = true;
        resolve(end);
      };
    });
  }

  /** Units that are under way. */
  get units(): number {
    return this.#lanes.reduce((sum, units) => sum + units, 0);
  }

  /** Takes part, to the end. Nothing may be sent any more when this resolves. */
  async run(): Promise<MemberEnd> {
    const { runner, lease } = this.#parts;
    runner.start({
      part: (ticket, part) => {
        if (!this.#isTrouble(ticket, this.#lacking())) this.#tell(ticket, 'part', part);
      },
      done: (ticket, result) => {
        if (!this.#isTrouble(ticket, breakageIn(result) ?? this.#lacking())) this.#tell(ticket, 'done', result);
      },
      failed: (error, ticket) => {
        if (ticket === undefined) this.#end(withoutTask(error));
        else if (!this.#isTrouble(ticket, breakageOf(error))) this.#tell(ticket, 'failed', breakageOf(error));
      },
      lost: () => this.#end({ why: 'broken', text: 'a lane is lost' }),
      remoteLanes: () => undefined,
    });
    const refused = await this.#join();
    if (refused) return refused;
    void this.#beat();
    void this.#look();
    void this.#pull();
    const end = await this.#ended;
    lease.end();
    return end;
  }

  /** Asks to be let in, as long as a driver that has heard it waits for it. @returns how it ends if it is not let in */
  async #join(): Promise<MemberEnd | undefined> {
    const { clock, leaseMs, worker, signal } = this.#parts;
    const untilMs = clock.monotonic() + leaseMs;
    for (;;) {
      const asked = this.#now();
      const answer = await this.#ask({ say: 'begin', worker });
      if (answer?.to === 'begin') {
        this.#extend(asked);
        return undefined;
      }
      if (answer) return { why: 'over', text: 'the driver does not want it' };
      if (signal.aborted) return { why: 'left', text: 'it was told to end' };
      if (clock.monotonic() >= untilMs) return { why: 'lease', text: 'the driver does not answer' };
      await clock.sleep(LOOK_MS);
    }
  }

  /** Asks the driver for something that it knows. @returns undefined when all is over */
  async ask(what: unknown): Promise<{ readonly answer: unknown } | undefined> {
    const answer = await this.#insist({ say: 'ask', worker: this.#parts.worker, what });
    return answer?.to === 'ask' ? answer : undefined;
  }

  #lacking(): Breakage | undefined {
    const error = this.#parts.lacking?.();
    return error && breakageOf(error);
  }

  #extend(from: { readonly monotonicMs: number; readonly nowMs: number }): void {
    this.#extended = from;
    this.#parts.lease.extend(from, this.#parts.leaseMs);
  }

  #now() {
    const { clock } = this.#parts;
    return { monotonicMs: clock.monotonic(), nowMs: clock.now() };
  }

  /**
   * What ends a task before its time is the trouble of this machine, and ends this; but not by the driver's wish, nor when
   * the lease has run out: that has ended all that is under way, and what came of that is no trouble.
   */
  #isTrouble(ticket: number, ended: Breakage | undefined): boolean {
    if (!ended || ended.code === 'cancelled' || this.#wish !== 'work' || this.#hasRunOut()) return false;
    this.#end({ why: 'trouble', text: ended.message, trouble: { code: ended.code, ticket } });
    return true;
  }

  /** Says every second that it is here. */
  async #beat(): Promise<void> {
    const { clock, leaseMs, worker, counters, setCap } = this.#parts;
    while (!this.#isOver) {
      const asked = this.#now();
      const answer = await this.#ask({ say: 'here', worker, counters: counters() }, Math.min(ANSWER_MS, leaseMs / 3));
      if (this.#isOver || this.#hasRunOut()) return;
      if (answer?.to === 'here') {
        this.#extend(asked);
        this.#queue = answer.queue;
        setCap(answer.capMbps);
        this.#follow(answer.wish);
      } else if (answer?.to === 'nobody') {
        this.#end({ why: 'over', text: 'the driver has ended, or goes on without it' });
        return;
      }
      await clock.sleep(Math.min(BEAT_MS, leaseMs / 4));
    }
  }

  #follow(wish: Extract<Answer, { to: 'here' }>['wish']): void {
    if (wish === this.#wish) return;
    this.#wish = wish;
    this.#tellWish();
  }

  #tellWish(): void {
    if (this.#wish === 'stop') this.#parts.runner.stop();
    if (this.#wish === 'abandon') this.#parts.runner.abandon();
  }

  /** Looks often whether the lease holds. */
  async #look(): Promise<void> {
    const { clock, signal, stuck } = this.#parts;
    while (!this.#isOver && !this.#hasRunOut()) {
      const stuckText = stuck?.();
      if (stuckText !== undefined) this.#end({ why: 'stuck', text: stuckText });
      else if (signal.aborted && this.#tasks.size + this.#taking.size === 0)
        this.#end({ why: 'left', text: 'it was told to end' });
      await clock.sleep(LOOK_MS);
    }
  }

  /**
   * Whether the lease has run out: then all is over, whatever comes after that. A lease that went on would hide that a
   * lane has held something back meanwhile, and what it tells of that would be taken for the end of the job.
   */
  #hasRunOut(): boolean {
    if (this.#parts.lease.leftMs(this.#now()) > 0) return false;
    this.#end({ why: 'lease', text: this.#whyRunOut() });
    return true;
  }

  #whyRunOut(): string {
    const { clock } = this.#parts;
    const { monotonicMs, nowMs } = this.#extended;
    const aheadMs = clock.now() - nowMs - (clock.monotonic() - monotonicMs);
    if (aheadMs < JUMP_MS) return 'the driver has not answered in time';
    return `the clock of this machine has gone ahead by ${Math.round(aheadMs / 1000)} s at once, or the machine was suspended`;
  }

  async #pull(): Promise<void> {
    const { clock, link, lease, leaseMs, signal } = this.#parts;
    this.#pulledMs = clock.monotonic();
    while (!this.#isOver) {
      const free = this.#pace.tickets(this.#lanes, this.#taking.size);
      const mayTake = this.#wish === 'work' && !signal.aborted && this.#queue !== '';
      // Who has not heard of the driver just now may do what is not wanted any more.
      if (!mayTake || free <= 0 || lease.leftMs(this.#now()) < leaseMs / 2) {
        await Promise.race([clock.sleep(LOOK_MS), this.#freed()]);
        continue;
      }
      const queue = this.#queue;
      const trouble = await link.pull(queue, free, PULL_MS, (delivery) => void this.#take(delivery));
      this.#judge(trouble, queue);
    }
  }

  /** One that hears of the driver, and not of tickets, is of no use, and somebody should know. */
  #judge(trouble: string | undefined, queue: string): void {
    const now = this.#parts.clock.monotonic();
    const isHeard = this.#parts.lease.leftMs(this.#now()) > this.#parts.leaseMs - HEARD_MS;
    if (trouble === undefined || !isHeard || queue !== this.#queue) this.#pulledMs = now;
    else if (now - this.#pulledMs > TROUBLE_MS) this.#end({ why: 'stuck', text: `it cannot take tasks: ${trouble}` });
  }

  #pulledMs = 0;
  #wakePull: (() => void) | undefined;

  #freed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakePull = resolve;
    });
  }

  async #take({ ticket, deliveries, accept, refuse }: Delivery): Promise<void> {
    // The queue gives out again what it does not know to be taken.
    if (this.#taking.has(ticket) || this.#tasks.has(ticket) || this.#isOver) {
      if (this.#tasks.has(ticket)) accept();
      // Nobody else would have it for as long as the queue waits for an acceptance.
      else if (this.#isOver) refuse();
      return;
    }
    this.#taking.add(ticket);
    const pieces: Uint8Array[] = [];
    let units = 0;
    const attempt = this.#attempts++;
    try {
      for (let piece = 0, count = 1; piece < count; piece++) {
        // The driver may have granted it: only its answer, or the end, sets the ticket free.
        const most = this.#pace.most(this.#lanes);
        const { worker } = this.#parts;
        const answer = await this.#insist({ say: 'take', worker, ticket, attempt, deliveries, piece, most });
        if (answer?.to !== 'take') return;
        if (piece === 0) accept();
        if (!answer.go) return;
        ({ pieces: count, units } = answer);
        pieces.push(answer.bytes);
      }
      this.#begin(ticket, units, decode<TaskMessage<M>>(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)));
    } catch (error) {
      this.#end({ why: 'broken', text: messageOf(error) });
    } finally {
      this.#taking.delete(ticket);
      this.#wakePull?.();
    }
  }

  #begin(ticket: number, units: number, task: TaskMessage<M>): void {
    if (this.#isOver) return;
    const lane = this.#lanes.indexOf(Math.min(...this.#lanes));
    this.#lanes[lane] += units;
    this.#pace.took(units);
    const { worker } = this.#parts;
    const outbox = new Outbox(this.#parts.link.longestBytes, async (piece) => {
      const counters = piece.what === 'part' ? undefined : { ...this.#parts.counters(), stalled: undefined };
      return (await this.#insist({ say: 'tell', worker, ticket, counters, ...piece })) !== undefined;
    });
    this.#tasks.set(ticket, { lane, units, outbox });
    this.#parts.runner.submit(lane, ticket, task, units);
    // A thread that begins with this task has not heard what the others were told.
    this.#tellWish();
  }

  #tell(ticket: number, what: 'part', told: PartMessage<M>): void;
  #tell(ticket: number, what: 'done', told: ResultMessage<M>): void;
  #tell(ticket: number, what: 'failed', told: Failure): void;
  #tell(ticket: number, what: 'part' | 'done' | 'failed', told: unknown): void {
    const task = this.#tasks.get(ticket);
    if (!task || this.#isOver || this.#hasRunOut()) return;
    const sent = task.outbox.add(what, encode(told));
    if (what === 'part') return;
    void sent.then(() => {
      this.#tasks.delete(ticket);
      this.#lanes[task.lane] -= task.units;
      this.#pace.did(task.units);
      this.#wakePull?.();
    });
  }

  /** Asks until there is an answer, or all is over. */
  async #insist(question: Question): Promise<Answer | undefined> {
    while (!this.#isOver) {
      const answer = await this.#ask(question);
      if (answer?.to === 'nobody') {
        this.#end({ why: 'over', text: 'the driver has ended, or goes on without it' });
        return undefined;
      }
      if (answer) return answer;
      await this.#parts.clock.sleep(LOOK_MS);
    }
    return undefined;
  }

  async #ask(question: Question, waitMs = ANSWER_MS): Promise<Answer | undefined> {
    const { link, epoch } = this.#parts;
    const answer = await link.ask(epoch, encode(question), waitMs);
    return answer && readAnswer(answer);
  }
}

/** What has ended a lane beside its tasks: where its reason is known, none of them is blamed for it. */
function withoutTask(error: unknown): MemberEnd {
  if (!isClfsError(error) || error.code === 'worker') return { why: 'broken', text: messageOf(error) };
  return { why: 'trouble', text: error.message, trouble: { code: error.code } };
}

import { blameOn } from '../engine/breakage.js';
import type { Kinds, PartMessage, ResultMessage, TaskMessage } from '../engine/kinds.js';
import { type Blame, NOT_BLAMED, type Runner, type RunnerEvents } from '../engine/runner.js';
import { ClfsError } from '../error.js';
import type { Clock } from '../time/clock.js';
import type { DriverLink } from './link.js';
import { type Answer, encode, type Failure, type Question, type Wish } from './messages.js';
import { Reassembly, TaskInPieces } from './pieces.js';
import { readCandidate, readQuestion, readTold } from './read-messages.js';
import type { RemoteWorker, WorkersParts } from './remote-worker.js';
import { RemoteWorkers } from './remote-workers.js';

/** What a {@link RemotePool} works with. */
export interface PoolParts<M extends Kinds<M>>
  extends Omit<WorkersParts, 'gone' | 'allTroubled' | 'changed' | 'hasWaiting'> {
  readonly link: DriverLink;
  /** Brings what workers tell into the terms of this machine. */
  mend?(told: PartMessage<M> | ResultMessage<M>): void;
  /** Answers what a lane elsewhere asks for; undefined: nothing is known of it. @throws what ends the job */
  answer?(what: unknown): Promise<unknown>;
}

interface Ticket<M extends Kinds<M>> {
  readonly task: TaskMessage<M>;
  readonly units: number;
  /** Whoever does it does nothing else meanwhile. */
  readonly alone: boolean;
  /** Who does it; undefined as long as it is in the queue. */
  holder: RemoteWorker | undefined;
  pieces: TaskInPieces | undefined;
  readonly told: Reassembly;
  /** Pieces before this one are recorded. */
  recorded: number;
  /** Of each worker that had no room for it, the last attempt that was refused. */
  readonly refused: WeakMap<RemoteWorker, number>;
  /** It was refused just now, and is about to be offered again. */
  isOfferedSoon: boolean;
}

const OFFER_AGAIN_MS = 200;
/** How long a pool that is closed tells its workers so. */
const FAREWELL_MS = 1500;

/**
 * Lanes in other processes, on this machine or others.
 *
 * A ticket is put into a queue, where a worker finds it; it does the task only when it has asked, and each ticket is
 * granted once, to one worker: what comes of it from anybody else, or after it was given up, is dropped. A worker that is
 * not heard of for the length of its lease sends nothing any more, and what it had is lost.
 */
export class RemotePool<M extends Kinds<M>> implements Runner<M> {
  readonly lanes = 0;
  readonly remote = true;
  readonly workers: RemoteWorkers;
  readonly #link: DriverLink;
  readonly #clock: Clock;
  readonly #mend: PoolParts<M>['mend'];
  readonly #answer: PoolParts<M>['answer'];
  readonly #tickets = new Map<number, Ticket<M>>();
  #events: RunnerEvents<M> | undefined;
  #wish: Wish = 'work';
  #closed: Promise<void> | undefined;
  /** Those who are answered once what they told is recorded. */
  #waiting: { readonly ticket: Ticket<M>; readonly number: number; answer(): void }[] = [];

  constructor({ link, mend, answer, ...parts }: PoolParts<M>) {
    this.#link = link;
    this.#clock = parts.clock;
    this.#mend = mend;
    this.#answer = answer;
    this.workers = new RemoteWorkers({
      ...parts,
      changed: (lanes) => {
        this.#events?.remoteLanes(lanes);
        if (lanes === 0 && parts.ownLanes > 0) this.#recall();
      },
      hasWaiting: () => this.#tickets.size > 0,
      gone: (worker, uncertainUntilMs, blameOf) => this.#lose(worker, uncertainUntilMs, blameOf),
      // It ends as by any of the tasks that nobody is left to do, so that what was told is recorded.
      allTroubled: (error) => this.#events?.failed(error, this.#tickets.keys().next().value),
    });
    link.listen({
      candidate: (bytes) => this.#guarded(() => this.#candidate(bytes)),
      question: (bytes, answer) => this.#guarded(() => this.#question(bytes, answer)),
      refused: (reason) => this.workers.reportServer(reason),
      connected: (open) => this.workers.setConnected(open),
    });
  }

  start(events: RunnerEvents<M>): void {
    this.#events = events;
    if (this.workers.lanes > 0) setImmediate(() => events.remoteLanes(this.workers.lanes));
  }

  submit(_lane: number, number: number, task: TaskMessage<M>, units: number, alone = false): void {
    this.#tickets.set(number, {
      task,
      units,
      alone,
      holder: undefined,
      pieces: undefined,
      told: new Reassembly(),
      recorded: 0,
      refused: new WeakMap(),
      isOfferedSoon: false,
    });
    this.#link.offer(number);
  }

  recorded(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { ticket, number, answer } of waiting) {
      ticket.recorded = Math.max(ticket.recorded, number + 1);
      answer();
    }
  }

  stop(): void {
    this.#wish = 'stop';
    // What nobody has taken need not be waited for.
    setImmediate(() => this.#recall());
  }

  abandon(): void {
    this.#wish = 'abandon';
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#events = undefined;
    this.#tickets.clear();
    this.workers.dismiss();
    const until = this.#clock.monotonic() + FAREWELL_MS;
    while (this.workers.dismissed > 0 && this.#clock.monotonic() < until) await this.#clock.sleep(50);
    this.workers.close();
    await this.#link.close();
  }

  /** Whatever is wrong here must not make the link deaf: it ends the job. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#events?.failed(error);
      return undefined;
    }
  }

  #candidate(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#closed) return undefined;
    const candidate = readCandidate(bytes);
    const welcome = candidate ? this.workers.welcome(candidate) : this.workers.reportForeign();
    return welcome && Buffer.from(JSON.stringify(welcome));
  }

  #question(bytes: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    const question = readQuestion(bytes);
    if (!question) {
      this.workers.reportForeign();
      return;
    }
    const answer = (value: Answer) => reply(encode(value));
    if (question.say === 'begin') {
      answer({ to: this.#closed === undefined && this.workers.begin(question.worker) ? 'begin' : 'nobody' });
      return;
    }
    if (question.say === 'leave') {
      this.workers.leave(question.worker, question.reason, question.suspect, question.trouble);
      answer({ to: 'leave' });
      return;
    }
    const worker = this.workers.heard(question.worker);
    if (!worker) {
      answer({ to: 'nobody' });
      return;
    }
    if (question.say === 'here') {
      this.workers.count(worker, question.counters);
      answer({
        to: 'here',
        wish: this.#wish,
        queue: this.#link.queue,
        capMbps: this.workers.shareOf(worker),
      });
      this.workers.answered(worker);
    } else if (question.say === 'ask') this.#asked(worker, question.what, answer);
    else if (question.say === 'take') this.#take(worker, question, answer);
    else this.#told(worker, question, answer);
  }

  #take(
    worker: RemoteWorker,
    { ticket: number, attempt, deliveries, piece, most }: Extract<Question, { say: 'take' }>,
    answer: (value: Answer) => void,
  ): void {
    const ticket = this.#tickets.get(number);
    const isMine = ticket?.holder === worker;
    // Who has it is waited for, and told all of it: it tells what it did, though that be nothing.
    if (!ticket || (this.#wish !== 'work' && !isMine) || (ticket.holder && !isMine)) {
      answer({ to: 'take', go: false });
      return;
    }
    // Somebody may have had it before: it is never done as it is, but under a ticket, and names, of its own.
    if (!isMine && deliveries > 1) {
      this.workers.reportFoundBefore();
      this.#drop(number, 0, NOT_BLAMED);
      answer({ to: 'take', go: false });
      return;
    }
    const hasRoom = worker.tickets.size === 0 || (!ticket.alone && worker.heldUnits < most);
    // Who was refused has forgotten the ticket: a copy of what it asked, which comes late, must not give it the ticket.
    const isRefused = attempt <= (ticket.refused.get(worker) ?? -1);
    if (!isMine && (isRefused || worker.alone || !hasRoom)) {
      if (!isRefused) ticket.refused.set(worker, attempt);
      this.#offerAgain(number, ticket);
      answer({ to: 'take', go: false });
      return;
    }
    if (!isMine) {
      worker.alone = ticket.alone;
      ticket.holder = worker;
      worker.tickets.add(number);
      worker.heldUnits += ticket.units;
      this.#link.withdraw(number);
    }
    ticket.pieces ??= new TaskInPieces(ticket.task, this.#link.longestBytes);
    const { pieces } = ticket;
    answer({ to: 'take', go: true, units: ticket.units, pieces: pieces.count, bytes: pieces.at(piece) });
  }

  #asked(worker: RemoteWorker, what: unknown, answer: (value: Answer) => void): void {
    const found = this.#answer?.(what) ?? Promise.resolve(undefined);
    found.then(
      (known) => {
        if (known !== undefined) {
          answer({ to: 'ask', answer: known });
          return;
        }
        // It would ask for ever.
        this.workers.expel(worker, 'it asks for what the driver does not know');
        answer({ to: 'nobody' });
      },
      (error: unknown) => this.#events?.failed(error),
    );
  }

  /** Gives back what nobody has taken: where nobody is left to take it, the lanes of this process do it. */
  #recall(): void {
    for (const [number, { holder }] of [...this.#tickets]) if (!holder) this.#drop(number, 0, NOT_BLAMED);
  }

  /** Nobody has it yet: it is the same ticket, for somebody who has room for it. */
  #offerAgain(number: number, ticket: Ticket<M>): void {
    // Copies of one question are no reason for more than one offer.
    if (ticket.isOfferedSoon) return;
    ticket.isOfferedSoon = true;
    this.#clock.after(OFFER_AGAIN_MS, () => {
      ticket.isOfferedSoon = false;
      if (this.#tickets.get(number) === ticket && !ticket.holder) this.#link.offer(number);
    });
  }

  #told(worker: RemoteWorker, question: Extract<Question, { say: 'tell' }>, answer: (value: Answer) => void): void {
    const { ticket: number, what, counters } = question;
    if (counters) this.workers.count(worker, { ...counters, stalled: worker.counters.stalled });
    const ticket = this.#tickets.get(number);
    // Of a ticket that is done, or was given up, nothing counts any more.
    if (!ticket || ticket.holder !== worker) {
      answer({ to: 'tell' });
      return;
    }
    // It has the task: that need not be sent again.
    ticket.pieces = undefined;
    for (const { what: kind, bytes } of ticket.told.add(question)) {
      const told = readTold(kind, bytes, ticket.task.kind);
      if (told === undefined) {
        this.workers.expel(worker, 'what it tells cannot be understood');
        answer({ to: 'nobody' });
        return;
      }
      if (kind === 'failed') this.#failed(number, worker, told as Failure);
      else this.#tell(number, kind, told as PartMessage<M> & ResultMessage<M>);
    }
    // One that came too early is not answered: it is sent again.
    if (question.number >= ticket.told.next) return;
    if (question.more || what === 'failed' || question.number < ticket.recorded) answer({ to: 'tell' });
    else this.#waiting.push({ ticket, number: question.number, answer: () => answer({ to: 'tell' }) });
  }

  #failed(number: number, worker: RemoteWorker, { code, message }: Failure): void {
    this.#forget(number);
    this.#events?.failed(new ClfsError(code, `${worker.candidate.name}: ${message}`), number);
  }

  #tell(number: number, what: 'part' | 'done', told: PartMessage<M> & ResultMessage<M>): void {
    this.#mend?.(told);
    if (what === 'part') {
      this.#events?.part(number, told);
      return;
    }
    const { holder, units } = this.#tickets.get(number) as Ticket<M>;
    if (holder) this.workers.did(holder, units);
    this.#forget(number);
    this.#events?.done(number, holder ? blameOn(holder.candidate.name, told) : told);
  }

  #lose(worker: RemoteWorker, uncertainUntilMs: number, blameOf: (ticket: number) => Blame): void {
    for (const number of [...worker.tickets]) this.#drop(number, uncertainUntilMs, blameOf(number));
  }

  #drop(number: number, uncertainUntilMs: number, blame: Blame): void {
    if (!this.#forget(number)) return;
    this.#link.withdraw(number);
    this.#events?.lost(number, uncertainUntilMs, blame);
  }

  #forget(number: number): boolean {
    const ticket = this.#tickets.get(number);
    const holder = ticket?.holder;
    if (ticket && holder?.tickets.delete(number)) holder.heldUnits -= ticket.units;
    if (holder?.tickets.size === 0) holder.alone = false;
    return this.#tickets.delete(number);
  }
}

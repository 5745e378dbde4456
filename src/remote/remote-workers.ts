import { errorOf } from '../engine/breakage.js';
import { BLAMED, type Blame, NOT_BLAMED } from '../engine/runner.js';
import type { ClfsError } from '../error.js';
import { contentSince, grownTo, NOTHING } from './counters.js';
import { type Candidate, encode, type Welcome, type WorkerCounters } from './messages.js';
import { goneOf, presenceOf, type WorkerPresence } from './presence.js';
import { RecentRate } from './recent-rate.js';
import type { RemoteWorker, WorkersParts } from './remote-worker.js';
import { SlowWatch, WATCH_MS } from './slow-watch.js';
import { shareOf, type Trouble } from './trouble.js';
import { whyNot } from './why-not.js';

/** Beyond its lease, for what is on its way. */
const GRACE_MS = 1000;
/** A worker that was not heard of for so long is not counted as present. */
const PRESENT_MS = 4000;
/** Of the time for which the driver itself was held up no more counts: it could not hear of anybody. */
const HELD_UP_MS = 1000;
/** There was no worker for so long: it is told of, or ends the job. Somebody may be about to come. */
const DESERTED_MS = 3000;
/** Who asks for work takes part after so long, or does not: it has 15 s for the container. */
const OPENING_MS = 20_000;
const MOST_CANDIDATES = 10_000;
const MOST_GONE = 20;

/** Who takes part: comes, is heard of, and goes. */
export class RemoteWorkers {
  readonly #parts: WorkersParts;
  readonly #setup: string;
  /** Those who look whether they can take part, and when they were let. */
  readonly #candidates = new Map<string, { readonly candidate: Candidate; readonly welcomeMs: number }>();
  readonly #workers = new Map<string, RemoteWorker>();
  /** Those who took part: they do not come back under the same name. */
  readonly #former = new Set<string>();
  /** What is told only once. */
  readonly #told = new Set<string>();
  /** Those who have gone, by their names, the latest ones. */
  readonly #gone = new Map<string, WorkerPresence>();
  readonly #slow = new SlowWatch();
  #watchedMs: number;
  #timer: { cancel(): void } | undefined;
  #sweptMs: number;
  /** So long the server may be why a worker is not heard of. */
  #awayUntilMs = 0;
  /** When the last one has gone, or this began. */
  #lastGoneMs: number;
  /** For how long there has been nobody, while the driver could hear; undefined when that was told. */
  #desertedMs: number | undefined = 0;
  /** With what the last one has gone, which the job would have had by itself. */
  #lastTrouble: ClfsError | undefined;
  #dismissed: Set<string> | undefined;
  /** Who took part when all was over: who is dismissed is not heard of any more. */
  #last: readonly WorkerPresence[] | undefined;

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    this.#setup = encode(parts.setup).toString('base64');
    this.#sweptMs = parts.clock.monotonic();
    this.#watchedMs = this.#sweptMs;
    this.#lastGoneMs = this.#sweptMs;
    this.#sweep();
  }

  /** Lanes that there are. */
  get lanes(): number {
    let lanes = 0;
    for (const { candidate } of this.#workers.values()) lanes += candidate.lanes;
    return lanes;
  }

  /** Workers that were heard of just now. */
  get present(): readonly RemoteWorker[] {
    const now = this.#parts.clock.monotonic();
    return [...this.#workers.values()].filter(({ heardMs }) => now - heardMs < PRESENT_MS);
  }

  /** Those who are {@link present}, and those who have gone, as people want to know them; as it was when all was over. */
  get presence(): readonly WorkerPresence[] {
    if (this.#last) return this.#last;
    const present = this.present.map((worker) => presenceOf(worker, this.#slow.isSlow(worker.candidate.worker)));
    return [...present, ...this.#gone.values()];
  }

  /** Since when, in milliseconds, requests of some worker have failed; 0: they do not. */
  get waitingMs(): number {
    return Math.max(0, ...this.present.map(({ counters }) => counters.waitingMs));
  }

  /** Somebody asks for work. */
  welcome(candidate: Candidate): Welcome | undefined {
    const { clock, epoch, leaseMs } = this.#parts;
    const { worker } = candidate;
    if (this.#former.has(worker) || candidate.refusedBy?.includes(epoch)) return undefined;
    const refused = whyNot(candidate) ?? this.#parts.refusal?.(candidate);
    if (refused !== undefined) {
      this.#reportRefusal(candidate, refused);
      return { epoch, refused };
    }
    if (this.#candidates.size >= MOST_CANDIDATES) this.#candidates.clear();
    this.#candidates.set(worker, { candidate, welcomeMs: clock.monotonic() });
    return { epoch, leaseMs, clockMs: clock.now(), setup: this.#setup };
  }

  /** @returns whether it takes part */
  begin(id: string): boolean {
    const { clock } = this.#parts;
    const now = clock.monotonic();
    const worker = this.#workers.get(id);
    if (worker) {
      // It has not heard the answer, and its lease begins with this one.
      heardAt(worker, now);
      worker.answeredMs = now;
      return true;
    }
    const candidate = this.#candidates.get(id)?.candidate;
    if (!candidate || this.#former.has(id)) return false;
    this.#candidates.delete(id);
    this.#workers.set(id, {
      candidate,
      tickets: new Set(),
      heldUnits: 0,
      alone: false,
      heardMs: now,
      silentMs: 0,
      answeredMs: now,
      counters: NOTHING,
      sinceMs: clock.now(),
      units: new RecentRate(clock),
      bytes: new RecentRate(clock),
    });
    this.#gone.delete(candidate.name);
    this.#lastTrouble = undefined;
    this.#parts.report(`${candidate.name} takes part with ${lanesText(candidate.lanes)}`);
    this.#changed();
    return true;
  }

  /** Somebody does not take part, or not any more. It sends nothing from here on. */
  leave(id: string, reason: string, suspect: boolean, trouble?: Trouble): void {
    const worker = this.#workers.get(id);
    const candidate = this.#candidates.get(id)?.candidate;
    // Who never took part has no name to come back under: it asks under a new one each time, for as long as a job lasts.
    if (worker) this.#former.add(id);
    const broken = worker && trouble && { code: trouble.code, message: `${worker.candidate.name}: ${reason}` };
    const blameOf = (ticket: number): Blame => {
      if (trouble?.ticket === ticket) return { share: shareOf(trouble), broken };
      return suspect ? BLAMED : NOT_BLAMED;
    };
    if (worker) this.#remove(worker, this.#parts.clock.monotonic(), blameOf, reason);
    else if (candidate) this.#reportRefusal(candidate, reason);
    this.#candidates.delete(id);
    this.#dismissed?.delete(id);
    if (broken) this.#lastTrouble = errorOf(broken);
  }

  /** A worker is of no use: it is told that it does not take part any more when it is heard of. */
  expel(worker: RemoteWorker, reason: string): void {
    this.#former.add(worker.candidate.worker);
    this.#remove(worker, this.#lastSentMs(worker), () => NOT_BLAMED, reason);
  }

  /** Something came that is not of a worker. @returns what there is to answer: nothing */
  reportForeign(): undefined {
    this.#reportOnce('something came by the server of the workers that is not of a worker; it is left out');
  }

  /** Somebody has found a ticket before, and may have it. */
  reportFoundBefore(): void {
    this.#reportOnce(
      'somebody has found a task and not said that it took it, such as a worker that went just then; it is given out as a new one',
    );
  }

  /** The server does not permit something. */
  reportServer(reason: string): void {
    this.#reportOnce(
      `the server of the workers refuses what a driver needs (docs/several-machines.md has how it is configured): ${reason}`,
    );
  }

  /** When a worker that is not told otherwise has sent its last: by its own clock it may go on for one lease. */
  #lastSentMs({ answeredMs }: RemoteWorker): number {
    return answeredMs + this.#parts.leaseMs;
  }

  /** A worker was heard of. @returns undefined when it is none (any more) */
  heard(id: string): RemoteWorker | undefined {
    const worker = this.#workers.get(id);
    if (this.#dismissed) {
      this.#dismissed.delete(id);
      return undefined;
    }
    if (worker) heardAt(worker, this.#parts.clock.monotonic());
    return worker;
  }

  /** A worker was told that it may go on. */
  answered(worker: RemoteWorker): void {
    worker.answeredMs = this.#parts.clock.monotonic();
  }

  /** Takes what a worker tells of all that it has sent. */
  count(worker: RemoteWorker, told: WorkerCounters): void {
    const before = worker.counters;
    const now = grownTo(before, told);
    worker.counters = now;
    const received = (now.bytesReceived ?? 0) - (before.bytesReceived ?? 0);
    worker.bytes.add(now.bytesSent - before.bytesSent + received);
    const { name } = worker.candidate;
    if (now.stalled !== undefined && before.stalled === undefined) this.#parts.report(`${name}: ${now.stalled}`);
    if (now.stalled === undefined && before.stalled !== undefined)
      this.#parts.report(`${name}: what did not answer answers again`);
    this.#parts.counted({
      ...contentSince(before, now),
      requests: now.requests - before.requests,
      bytesSent: now.bytesSent - before.bytesSent,
      retries: now.retries - before.retries,
      throttled: now.throttled - before.throttled,
      // That of one must not hide that of another.
      waitingMs: this.waitingMs,
      uncertainMs: told.uncertainMs,
    });
  }

  /** A worker has done something. @param units how much, in units of about one small file */
  did({ candidate, units: done }: RemoteWorker, units: number): void {
    done.add(units);
    this.#slow.did(candidate.worker, units);
  }

  #watch(now: number): void {
    if (now - this.#watchedMs < WATCH_MS) return;
    this.#watchedMs = now;
    const workers = this.present.map(({ candidate: { worker, lanes }, tickets }) => ({
      id: worker,
      lanes,
      busy: tickets.size > 0,
    }));
    for (const id of this.#slow.look(workers))
      this.#parts.report(`${this.#workers.get(id)?.candidate.name} is much slower than the other workers`);
  }

  /** Where all work is left to workers, it waits while there is none, unless the last one has gone in trouble. */
  #tellDeserted(listenedMs: number, now: number): void {
    // While the server is away nobody can come.
    if (this.#workers.size > 0 || this.#desertedMs === undefined || this.#isAway) return;
    this.#desertedMs += Math.min(listenedMs, now - this.#lastGoneMs);
    const { ownLanes, hasWaiting, allTroubled, report } = this.#parts;
    if (this.#desertedMs < DESERTED_MS || ownLanes > 0 || !hasWaiting()) return;
    // Not for ever: who asks again and again may never begin.
    if (this.#lastTrouble && this.#desertedMs < OPENING_MS && this.#isExpected(now)) return;
    this.#desertedMs = undefined;
    if (this.#lastTrouble) {
      allTroubled(this.#lastTrouble);
      return;
    }
    report('no worker takes part: the job waits for one (clfsload worker --join=…)');
  }

  /** Whether somebody is about to take part: it makes sure that it can, and opens its threads. */
  #isExpected(now: number): boolean {
    return [...this.#candidates.values()].some(({ welcomeMs }) => now - welcomeMs < OPENING_MS);
  }

  /** A worker's share of the cap. */
  shareOf({ candidate }: RemoteWorker): number {
    const { capMbps, ownLanes } = this.#parts;
    return capMbps === 0 ? 0 : (capMbps * candidate.lanes) / (this.lanes + ownLanes);
  }

  /** While the way to the workers is closed, and for a while after, their silence says nothing against what they had. */
  setConnected(open: boolean): void {
    const { clock, leaseMs, report } = this.#parts;
    this.#awayUntilMs = open ? clock.monotonic() + leaseMs + GRACE_MS : Number.POSITIVE_INFINITY;
    report(open ? 'the server of the workers is there' : 'the server of the workers does not answer');
  }

  /** Whoever is heard of from here on is told that all is over. Who cannot hear it now is not waited for. */
  dismiss(): void {
    this.#last = this.presence;
    this.#dismissed = new Set(this.#isAway ? [] : this.present.map(({ candidate }) => candidate.worker));
  }

  /** Those who have not been told yet. */
  get dismissed(): number {
    return this.#dismissed?.size ?? 0;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Whether the way to the workers is closed. */
  get #isAway(): boolean {
    return this.#awayUntilMs === Number.POSITIVE_INFINITY;
  }

  #sweep(): void {
    const { clock, leaseMs } = this.#parts;
    const everyMs = Math.min(1000, leaseMs / 4);
    this.#timer = clock.after(everyMs, () => {
      const now = clock.monotonic();
      // What has come while the driver was held up has not been read yet.
      const listenedMs = Math.min(now - this.#sweptMs, everyMs + HELD_UP_MS);
      for (const worker of this.#workers.values()) worker.silentMs += Math.min(listenedMs, now - worker.heardMs);
      this.#sweptMs = now;
      this.#watch(now);
      this.#tellDeserted(Math.min(listenedMs, everyMs), now);
      // While the server is away nobody is answered: whoever has not been for a lease has ended what it did.
      if ((now >= this.#awayUntilMs || this.#isAway) && !this.#dismissed) {
        for (const worker of [...this.#workers.values()]) {
          if (worker.silentMs > leaseMs + GRACE_MS) this.#loseSilent(worker);
        }
      }
      this.#sweep();
    });
  }

  #loseSilent(worker: RemoteWorker): void {
    this.#former.add(worker.candidate.worker);
    const seconds = Math.round((this.#parts.clock.monotonic() - worker.heardMs) / 1000);
    // Where the server was away, nothing speaks against what the worker had.
    const blame = this.#awayUntilMs < worker.heardMs ? BLAMED : NOT_BLAMED;
    this.#remove(worker, this.#lastSentMs(worker), () => blame, `it was not heard of for ${seconds} s`);
  }

  /** @param endMs when it has sent its last, at the latest */
  #remove(worker: RemoteWorker, endMs: number, blameOf: (ticket: number) => Blame, reason: string): void {
    const { candidate, tickets } = worker;
    this.#workers.delete(candidate.worker);
    this.#lastGoneMs = this.#parts.clock.monotonic();
    this.#desertedMs = 0;
    this.#lastTrouble = undefined;
    this.#keepGone(goneOf(worker, this.#parts.clock.now(), reason));
    const lost = tickets.size === 0 ? '' : `; ${tickets.size} of its tasks are given to others`;
    this.#parts.report(`${candidate.name} has gone: ${reason.replace(/\.$/, '')}${lost}`);
    this.#parts.counted({ ...NOTHING, waitingMs: this.waitingMs });
    this.#parts.gone(worker, tickets.size === 0 ? 0 : endMs + this.#parts.lateArrivalMs, blameOf);
    this.#changed();
  }

  #keepGone(gone: WorkerPresence): void {
    this.#gone.delete(gone.name);
    this.#gone.set(gone.name, gone);
    for (const name of this.#gone.keys()) if (this.#gone.size > MOST_GONE) this.#gone.delete(name);
  }

  #changed(): void {
    const { capMbps, ownLanes, ownShare, changed } = this.#parts;
    if (capMbps > 0 && ownLanes > 0) ownShare?.((capMbps * ownLanes) / (this.lanes + ownLanes));
    changed(this.lanes);
  }

  /** It asks again under another id. */
  #reportRefusal({ name }: Candidate, reason: string): void {
    this.#reportOnce(`${name} is refused: ${reason}`);
  }

  #reportOnce(text: string): void {
    if (this.#told.has(text)) return;
    if (this.#told.size >= MOST_CANDIDATES) this.#told.clear();
    this.#told.add(text);
    this.#parts.report(text);
  }
}

function heardAt(worker: RemoteWorker, now: number): void {
  worker.heardMs = now;
  worker.silentMs = 0;
}

function lanesText(lanes: number): string {
  return lanes === 1 ? '1 thread' : `${lanes} threads`;
}

import { randomUUID } from 'node:crypto';
import { redact } from '../container/azure/container-url.js';
import type { Kinds } from '../engine/kinds.js';
import { LANE_UNITS } from '../engine/lane-loads.js';
import { ClfsError, messageOf } from '../error.js';
import type { WorkerLink } from '../remote/link.js';
import { Member } from '../remote/member.js';
import { type Candidate, decode, encode, PROTOCOL, WIRE_FORMAT } from '../remote/messages.js';
import { readWelcome } from '../remote/read-messages.js';
import type { Trouble } from '../remote/trouble.js';
import type { Clock } from '../time/clock.js';
import { VERSION } from '../version.js';
import { fileCapabilities } from './capabilities.js';
import { ownGroups } from './groups.js';
import type { JobSetup } from './job-kind.js';
import type { MemberLanes } from './member-lanes.js';

const APPLY_MS = 2000;
const AGAIN_MS = 500;
const MINUTE_MS = 60_000;
/** A driver that this worker is not for is asked again after so long: a mount, a clock or a SAS may have been set right. */
const REFUSED_MS = MINUTE_MS;
/** Each trouble in a job doubles the time until the next try, up to this. */
const MOST_MINUTES = 64;
const AFTER_TROUBLE_MS = 5000;
/** What a worker needs to take part is there in that time, or does not answer. */
const OPENING_MS = 120_000;
const HANGS = `Its source, its target or its container has not answered for ${OPENING_MS / 1000} s.`;
/** How long it is tried to tell a driver that this worker has gone. */
const FAREWELLS = 3;

/** What a worker serves jobs with. */
export interface ServeParts<M extends Kinds<M>> {
  readonly link: WorkerLink;
  readonly clock: Clock;
  /** Host and process, as people know it. */
  readonly name: string;
  readonly threads: number;
  /** Ends the worker, once it has done what it has. */
  readonly signal: AbortSignal;
  /** Told what happens, in sentences. */
  report(text: string): void;
  /**
   * Opens what works for a job.
   *
   * @param aheadMs how far this machine's clock is ahead of the driver's, in milliseconds; below 0 when it is behind
   * @throws ClfsError with the reason why this worker cannot take part
   */
  openLanes(setup: JobSetup, aheadMs: number): Promise<MemberLanes<M>>;
}

/** Takes part in the jobs of drivers, one after another, until `signal` is aborted; waits while there is none. */
export async function serveJobs<M extends Kinds<M>>(parts: ServeParts<M>): Promise<void> {
  const { link, clock, name, threads, signal, report, openLanes } = parts;
  const refusals = new Refusals(clock, report);
  const sleep = (delayMs: number) => clock.sleep(delayMs, signal);
  while (!signal.aborted) {
    const worker = randomUUID();
    const candidate = { ...factsOf(name, threads), worker, clockMs: clock.now(), refusedBy: refusals.epochs() };
    const answer = await link.apply(Buffer.from(JSON.stringify(candidate satisfies Candidate)), APPLY_MS);
    const welcome = answer && readWelcome(answer);
    if (!welcome || candidate.refusedBy.includes(welcome.epoch)) {
      await sleep(AGAIN_MS);
      continue;
    }
    const { epoch } = welcome;
    if ('refused' in welcome) {
      refusals.add(epoch, `The driver of job ${epoch} refuses this worker: ${welcome.refused}.`);
      continue;
    }
    const leave = async (reason: string, suspect: boolean, trouble?: Trouble) => {
      // What somebody has mistaken for a container may hold a key.
      const question = encode({ say: 'leave', worker, reason: redact(reason), suspect, trouble });
      for (let tries = 0; tries < FAREWELLS; tries++) if (await link.ask(epoch, question, APPLY_MS)) return;
    };
    let lanes: MemberLanes<M> | undefined;
    try {
      const setup = decode<JobSetup>(Buffer.from(welcome.setup, 'base64'));
      const opening = openLanes(setup, clock.now() - welcome.clockMs);
      lanes = await inTime(opening, clock, signal);
      if (!lanes) {
        // One call that hangs is enough: the next one comes when this has its answer.
        refusals.holdUntil(
          epoch,
          opening.then((late) => late.close()),
        );
        if (!signal.aborted) throw new ClfsError('workers', HANGS);
        await leave('it was told to end', false);
        return;
      }
    } catch (error) {
      refusals.add(epoch, `This worker cannot take part in job ${epoch}: ${messageOf(error)}`);
      await leave(messageOf(error), false);
      continue;
    }
    report(`Worker ${name}: takes part in job ${epoch}.`);
    const { leaseMs } = welcome;
    const facts = { link, clock, epoch, worker, leaseMs, laneUnits: LANE_UNITS, signal };
    const member = new Member<M>({ ...facts, ...lanes });
    lanes.answerBy((what) => member.ask(what));
    const end = await member.run();
    // Whatever is under way ends with its thread.
    await lanes.close();
    report(`Worker ${name}: no more in job ${epoch}: ${end.text.replace(/\.$/, '')}.`);
    if (end.why === 'over') continue;
    await leave(end.text, end.why === 'broken', end.trouble);
    // What it is may be over then, and until then other jobs are heard of.
    if (end.why === 'trouble') {
      const minutes = refusals.addTrouble(epoch);
      const when = minutes === 1 ? 'a minute' : `${minutes} minutes`;
      report(`Worker ${name}: tries again to take part in job ${epoch} in ${when}.`);
    }
    if (end.why === 'broken' || end.why === 'stuck') await sleep(AFTER_TROUBLE_MS);
  }
}

/**
 * Waits for what is opened on this machine, where a file system may not answer, and for no longer than others are to wait
 * for this worker, or it is told to end.
 *
 * @returns undefined when it is not there by then: it may come later
 * @throws what opening throws until then
 */
function inTime<T>(opening: Promise<T>, clock: Clock, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const giveUp = () => resolve(undefined);
    const timer = clock.after(OPENING_MS, giveUp);
    const end = () => {
      timer.cancel();
      signal.removeEventListener('abort', giveUp);
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp);
    opening.then(resolve, reject).finally(end);
  });
}

/** Drivers that a worker is not for, for a while. */
class Refusals {
  readonly #clock: Clock;
  readonly #report: (text: string) => void;
  readonly #untilMs = new Map<string, number>();
  readonly #held = new Set<string>();
  readonly #told = new Set<string>();
  /** The latest troubles in jobs: how long each was for them, and until when. */
  readonly #troubles = new Map<string, { readonly minutes: number; readonly untilMs: number }>();

  constructor(clock: Clock, report: (text: string) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** @param text why; told once */
  add(epoch: string, text: string): void {
    this.#untilMs.set(epoch, this.#clock.monotonic() + REFUSED_MS);
    if (!this.#told.has(text)) this.#report(text);
    this.#told.add(text);
  }

  /**
   * A job has given trouble: each time that the worker comes back only to have it again, it stays away for twice as long,
   * since it takes tasks from those who could do them. A job that went well for as long as it stayed away begins anew.
   *
   * @returns for how many minutes it stays away
   */
  addTrouble(epoch: string): number {
    const now = this.#clock.monotonic();
    const last = this.#troubles.get(epoch);
    const again = last !== undefined && now - last.untilMs < last.minutes * MINUTE_MS;
    const minutes = again ? Math.min(MOST_MINUTES, 2 * last.minutes) : 1;
    const untilMs = now + minutes * MINUTE_MS;
    this.#troubles.set(epoch, { minutes, untilMs });
    this.#untilMs.set(epoch, untilMs);
    return minutes;
  }

  /** It is not for a job as long as something goes on. */
  holdUntil(epoch: string, something: Promise<unknown>): void {
    this.#held.add(epoch);
    something.catch(() => undefined).finally(() => this.#held.delete(epoch));
  }

  epochs(): readonly string[] {
    const now = this.#clock.monotonic();
    for (const [epoch, untilMs] of this.#untilMs) if (untilMs <= now) this.#untilMs.delete(epoch);
    return [...new Set([...this.#untilMs.keys(), ...this.#held])];
  }
}

function factsOf(name: string, lanes: number) {
  const user = process.geteuid?.() ?? 0;
  const capabilities = fileCapabilities();
  const facts = { protocol: PROTOCOL, wire: WIRE_FORMAT, version: VERSION, name, lanes, user, capabilities };
  return { ...facts, ...ownGroups() };
}

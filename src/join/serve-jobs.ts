import { randomUUID } from 'node:crypto';
import type { Kinds } from '../engine/kinds.js';
import { LANE_UNITS } from '../engine/lane-loads.js';
import { messageOf } from '../error.js';
import type { WorkerLink } from '../remote/link.js';
import { Member } from '../remote/member.js';
import { type Candidate, decode, encode, PROTOCOL, WIRE_FORMAT } from '../remote/messages.js';
import { readWelcome } from '../remote/read-messages.js';
import type { Trouble } from '../remote/trouble.js';
import type { Clock } from '../time/clock.js';
import { VERSION } from '../version.js';
import { fileCapabilities } from './capabilities.js';
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
  /** Opens what works for a job. @throws ClfsError with the reason why this worker cannot take part */
  openLanes(setup: JobSetup): Promise<MemberLanes<M>>;
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
      const question = encode({ say: 'leave', worker, reason, suspect, trouble });
      for (let tries = 0; tries < FAREWELLS; tries++) if (await link.ask(epoch, question, APPLY_MS)) return;
    };
    let lanes: MemberLanes<M>;
    try {
      lanes = await openLanes(decode<JobSetup>(Buffer.from(welcome.setup, 'base64')));
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

/** Drivers that a worker is not for, for a while. */
class Refusals {
  readonly #clock: Clock;
  readonly #report: (text: string) => void;
  readonly #untilMs = new Map<string, number>();
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

  epochs(): readonly string[] {
    const now = this.#clock.monotonic();
    for (const [epoch, untilMs] of this.#untilMs) if (untilMs <= now) this.#untilMs.delete(epoch);
    return [...this.#untilMs.keys()];
  }
}

function factsOf(name: string, lanes: number) {
  const user = process.geteuid?.() ?? 0;
  const capabilities = fileCapabilities();
  return { protocol: PROTOCOL, wire: WIRE_FORMAT, version: VERSION, name, lanes, user, capabilities };
}

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClfsError, isClfsError, messageOf } from '../../src/error.js';
import { exportJob } from '../../src/export/export-job.js';
import type { ExportSummary, Overwrite } from '../../src/export/options.js';
import { SYSTEM_CALLS } from '../../src/export/target/target-calls.js';
import { Crew, drawCrewPlan } from '../lives/crew.js';
import type { CrewHappening } from '../lives/events.js';
import type { Gate } from '../lives/gate.js';
import { Random } from '../lives/random.js';
import { runVirtually } from '../lives/timers.js';
import { VirtualTime } from '../lives/virtual-time.js';
import { SMALL } from '../support/check.js';
import { type CrewEvent, CrewMoments, drawEvents } from './crew-moments.js';
import { ExportDriver } from './export-driver.js';
import { createExportWorker } from './export-worker.js';
import { type CrewWorld, Killed, LATE_MS } from './machine.js';
import { differencesOf, snapshotOf } from './snapshot.js';
import { bytesOf } from './tree.js';
import type { World } from './world.js';

/** How a life went. */
export interface CrewOutcome {
  readonly findings: readonly string[];
  readonly story: readonly string[];
  readonly tally: ReadonlyMap<string, number>;
}

const MOST_SESSIONS = 3;
const HEALING = 5;
/** A life takes no longer than that, in real time. */
const HANGS_MS = 60_000;
/** Whoever is frozen at the end does afterwards what it can do, for so long. */
const AFTERMATH_MS = 30_000;

/** Lives the life of an export with workers in this process: each seed gives another one, and always the same. */
export async function liveWithCrew(seed: number, world: World, base: string): Promise<CrewOutcome> {
  const directory = mkdtempSync(join(base, 'crew-'));
  const life = new CrewLife(seed, world, directory);
  try {
    return await life.run();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

class CrewLife {
  readonly #random: Random;
  readonly #expected: World['expected'];
  readonly #directory: string;
  readonly #target: string;
  readonly #time = new VirtualTime();
  readonly #world: CrewWorld;
  readonly #crew: Crew<ExportDriver>;
  readonly #overwrite: Overwrite;
  readonly #sparse: boolean;
  readonly #findings: string[] = [];
  readonly #story: string[] = [];
  readonly #tally = new Map<string, number>();
  readonly #atEnd: (() => void)[] = [];
  #statePath: string;
  #sessions = 0;

  constructor(seed: number, { expected, store }: World, directory: string) {
    const random = new Random(seed + 0.125);
    this.#random = random;
    this.#expected = expected;
    this.#directory = directory;
    this.#target = join(directory, 'target');
    this.#statePath = join(directory, 'state-0');
    this.#overwrite = random.pick(['if-different', 'if-different', 'never', 'always']);
    this.#sparse = random.chance(30);
    const time = this.#time;
    this.#world = {
      time,
      random: new Random(seed + 0.5),
      store,
      fullUntilMs: 0,
      calls: 0,
      freeze: (gate: Gate, ms) => this.#crew.freeze(gate, ms),
    };
    const plan = drawCrewPlan(random);
    this.#crew = new Crew(
      plan,
      this.#world,
      (parts) => createExportWorker({ ...parts, world: this.#world, atEnd: (close) => this.#atEnd.push(close) }),
      (label, text) => this.#count(label, text),
    );
    const { weather, ...rest } = plan;
    this.#tell(`seed ${seed}: --overwrite=${this.#overwrite}, ${JSON.stringify({ ...rest, ...weather })}`);
  }

  async run(): Promise<CrewOutcome> {
    try {
      await runVirtually(
        this.#time,
        HANGS_MS,
        () => this.#live(),
        (error) => error instanceof Killed,
      );
    } catch (error) {
      this.#find(`life: ${String((error as Error)?.stack ?? error)}`);
    } finally {
      this.#crew.end();
      this.#time.clear();
      for (const close of this.#atEnd) close();
    }
    for (const [what, count] of this.#crew.server.happened) this.#tally.set(`message: ${what}`, count);
    return { findings: this.#findings, story: this.#story, tally: this.#tally };
  }

  async #live(): Promise<void> {
    if (this.#overwrite !== 'never' && this.#random.chance(30)) this.#furnish();
    let summary: ExportSummary | undefined;
    for (let left = 1 + this.#random.below(MOST_SESSIONS); left > 0 && summary?.status !== 'Completed'; left--) {
      summary = await this.#session(drawEvents(this.#random, this.#crew.plan.leaseMs));
      if (this.#findings.length > 0) return;
      await this.#time.sleep(this.#random.pick([0, 1000, 5000, 20_000]));
    }
    if (summary?.status !== 'Completed') {
      this.#tell('everything is healed');
      this.#world.fullUntilMs = 0;
      this.#crew.heal();
    }
    for (let left = HEALING; left > 0 && summary?.status !== 'Completed'; left--) {
      // What a worker has that is not healed, such as a SAS, it has for some time.
      summary = await this.#session([]);
      await this.#time.sleep(30_000);
    }
    if (summary?.status !== 'Completed') this.#find(`never completed: ${summary?.status} ${messageOf(summary?.error)}`);
    if (this.#findings.length > 0) return;
    this.#judge('at the end');
    // What is still under way is done now, when nobody reckons with it any more.
    this.#crew.wakeAll();
    await this.#time.sleep(AFTERMATH_MS);
    this.#judge('afterwards');
  }

  async #session(events: readonly CrewEvent[]): Promise<ExportSummary | undefined> {
    const number = ++this.#sessions;
    const happen = (what: CrewHappening) => this.#crew.happen(what);
    const moments = new CrewMoments(events, happen, (label) => this.#count(label, label));
    // A job that is refused takes back a target that is empty; one that is killed does not.
    const kept = join(this.#target, 'kept');
    const keep = () => {
      if (existsSync(this.#target) && readdirSync(this.#target).length === 0) writeFileSync(kept, '');
    };
    const driver = new ExportDriver(this.#world, this.#statePath, moments, keep);
    // What goes on after one with workers may have none: those of before may still be at work.
    const isAlone = number > 1 && this.#random.chance(25);
    if (isAlone) this.#count('session without workers', 'the next session has no workers');
    this.#atEnd.push(() => driver.machine.end());
    this.#crew.begin(driver);
    let summary: ExportSummary | undefined;
    let ended: string;
    try {
      summary = await this.#export(driver, isAlone);
      ended = `${summary.status} ${summary.error === undefined ? '' : messageOf(summary.error)}`;
    } catch (error) {
      ended = `refused: ${messageOf(error)}`;
      const isExpected = (moments.hasHappened && error instanceof ClfsError) || driver.controller.signal.aborted;
      if (!driver.isDead && !isExpected) this.#find(`refused: ${(error as Error).stack}`);
    }
    driver.end();
    rmSync(kept, { force: true });
    const { change, read, commit, message } = moments.counts;
    this.#tell(
      `session ${number}: ${change} changes, ${read} reads, ${commit} commits, ${message} messages: ${driver.isDead ? 'killed' : ended}`,
    );
    if (driver.stateLeft !== undefined) this.#statePath = driver.stateLeft;
    if (driver.isDead) return undefined;
    this.#requireOwnTrouble(summary?.error, driver);
    if (summary?.status === 'Completed') this.#requireCounts(summary);
    return summary;
  }

  #export(driver: ExportDriver, isAlone: boolean): Promise<ExportSummary> {
    const { plan, server } = this.#crew;
    const { machine } = driver;
    return exportJob({
      container: '/unused',
      target: this.#target,
      statePath: this.#statePath,
      newSession: !existsSync(join(this.#statePath, 'job.db')),
      overwrite: this.#overwrite,
      sparse: this.#sparse,
      maxErrors: 1000,
      signal: driver.controller.signal,
      workers: isAlone ? undefined : { workers: 'nats://in-memory', leaseMs: plan.leaseMs },
      threads: plan.onlyWorkers ? 0 : undefined,
      lateArrivalMs: LATE_MS,
      // Nothing else in this world is refused to an entry alone.
      onFailure: (path, reason, message) => {
        if (!driver.isDead && !message.includes('(EIO)'))
          this.#find(`failed: ${path.toString('latin1')}: ${reason}: ${message}`);
      },
      onMessage: (text) => {
        this.#crew.driverSaid(text);
        if (/ has gone: |Waiting for/.test(text)) this.#tell(`at ${this.#time.ms} ms: ${text}`);
      },
      internals: {
        container: machine.container,
        calls: SYSTEM_CALLS,
        laterCalls: machine.laterCalls,
        clock: driver.clock,
        hooks: driver.hooks,
        geometry: SMALL,
        workers: server.driver(driver.wire, plan.longestBytes),
      },
    });
  }

  /** Trouble that is not the world's is the program's. */
  #requireOwnTrouble(error: unknown, { controller }: ExportDriver): void {
    if (error === undefined) return;
    if (!(error instanceof ClfsError)) this.#find(`failed by a fault of its own: ${(error as Error).stack}`);
    else if (isClfsError(error, 'worker') && !error.message.includes('workers in a row'))
      this.#find(`failed by a fault of its own: ${error.message}`);
    else if (isClfsError(error, 'cancelled') && !controller.signal.aborted)
      this.#find(`nobody has stopped it, and it says: ${error.message}`);
  }

  #requireCounts({ progress }: ExportSummary): void {
    const { written, replaced, left, failed } = progress;
    if (written + replaced + left !== this.#expected.size)
      this.#find(`${written} written, ${replaced} replaced, ${left} left, ${failed} failed, of ${this.#expected.size}`);
  }

  /** Puts something into the target before the first session. */
  #furnish(): void {
    mkdirSync(this.#target);
    for (const [path, { kind }] of this.#expected) {
      if (path === '' || path.lastIndexOf('/') > 0 || !this.#random.chance(30)) continue;
      const at = bytesOf(`${this.#target}${path}`);
      // A directory of somebody else is not taken away for a file.
      if (kind === 'directory') mkdirSync(at);
      else writeFileSync(at, 'of somebody else');
    }
  }

  #judge(when: string): void {
    for (const difference of differencesOf(snapshotOf(this.#target), this.#expected))
      this.#find(`${when}: ${difference}`);
  }

  #count(label: string, text?: string): void {
    this.#tally.set(label, (this.#tally.get(label) ?? 0) + 1);
    if (text !== undefined) this.#tell(`at ${this.#time.ms} ms: ${text}`);
  }

  #tell(text: string): void {
    this.#story.push(text);
  }

  #find(text: string): void {
    const said = text.replaceAll(this.#directory, '');
    this.#findings.push(said);
    this.#story.push(`! ${said}`);
  }
}

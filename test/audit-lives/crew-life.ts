import { openAuditPool } from '../../src/audit/audit-pool.js';
import type { AuditKinds } from '../../src/audit/tasks/kinds.js';
import { type AuditLaneSetup, openAuditLane } from '../../src/audit/tasks/open-lane.js';
import { openCrew } from '../../src/engine/asker.js';
import { createInlineRunner } from '../../src/engine/inline-runner.js';
import { joinRunners } from '../../src/engine/joined-runner.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader } from '../../src/namespace/reader.js';
import { CrewMoments } from '../export-lives/crew-moments.js';
import { Crew, type CrewDriver, drawCrewPlan } from '../lives/crew.js';
import { CREW_HAPPENINGS } from '../lives/events.js';
import { Gate } from '../lives/gate.js';
import { Random } from '../lives/random.js';
import { runVirtually } from '../lives/timers.js';
import { VirtualTime } from '../lives/virtual-time.js';
import { SMALL } from '../support/check.js';
import { createAuditWorker } from './audit-worker.js';
import { AUDITS, type Audit, COMPARE, type Told, tellOf } from './audits.js';
import type { AuditWorld } from './world.js';

/** How a life went. */
export interface AuditOutcome {
  readonly findings: readonly string[];
  readonly story: readonly string[];
  readonly tally: ReadonlyMap<string, number>;
}

/** A life takes no longer than that, in real time. */
const HANGS_MS = 60_000;
/** How many messages into a life the things happen that are drawn, at most. */
const MESSAGES = 400;
/** After so long everything is well, so that it comes to its end. */
const ILL_MS = 300_000;
const SELECTION = { excludePaths: [], excludePatterns: [], oneFileSystem: false };

/** Lives the life of what reads a container, with workers in this process: each seed gives another one, and always the same. */
export async function liveAudit(seed: number, world: AuditWorld): Promise<AuditOutcome> {
  const random = new Random(seed + 0.375);
  const audit = random.pick(AUDITS);
  const findings: string[] = [];
  const life = new AuditLife(seed, random, world);
  try {
    const alone = await life.alone(audit);
    const together = await life.together(audit);
    findings.push(...differences(alone, together));
  } catch (error) {
    findings.push(`life: ${String((error as Error)?.stack ?? error)}`);
  }
  const story = [...life.story, ...findings.map((finding) => `! ${finding}`)];
  return { findings, story, tally: life.tally };
}

/** What workers told otherwise than one thread did. */
function differences(alone: Told, together: Told): string[] {
  const lines = (what: string, these: Told, those: Told) => {
    const rest = [...those.lines];
    return these.lines
      .filter((line) => {
        const at = rest.indexOf(line);
        if (at >= 0) rest.splice(at, 1);
        return at < 0;
      })
      .map((line) => `${what}: ${line}`);
  };
  return [
    ...lines('not told by workers', alone, together),
    ...lines('told by workers alone', together, alone),
    ...(alone.end === together.end ? [] : [`ends as ${together.end}, alone as ${alone.end}`]),
  ];
}

class AuditLife {
  readonly story: string[] = [];
  readonly tally = new Map<string, number>();
  readonly #random: Random;
  readonly #world: AuditWorld;
  readonly #time = new VirtualTime();
  readonly #crew: Crew<CrewDriver>;

  constructor(seed: number, random: Random, world: AuditWorld) {
    this.#random = random;
    this.#world = world;
    const plan = drawCrewPlan(random);
    const time = this.#time;
    this.#crew = new Crew<CrewDriver>(
      plan,
      { time, random: new Random(seed + 0.5) },
      (parts) => createAuditWorker({ ...parts, time, container: world.container }),
      (label, text) => this.#count(label, text),
    );
    const { weather, ...rest } = plan;
    this.story.push(`seed ${seed}: ${JSON.stringify({ ...rest, ...weather })}`);
  }

  /** What one thread tells. */
  async alone(audit: Audit): Promise<Told> {
    this.#count(audit, audit);
    return this.#read((reader, index) => tellOf(audit, { reader, index, world: this.#world }));
  }

  /** What workers tell, whatever happens to them. */
  async together(audit: Audit): Promise<Told> {
    try {
      return await runVirtually(this.#time, HANGS_MS, () => this.#drive(audit));
    } finally {
      this.#crew.end();
      this.#time.clear();
      for (const [what, count] of this.#crew.server.happened) this.tally.set(`message: ${what}`, count);
    }
  }

  #drive(audit: Audit): Promise<Told> {
    const { plan, server } = this.#crew;
    const { source, container } = this.#world;
    const driver = this.#begin();
    return this.#read(async (reader, index) => {
      const setup: AuditLaneSetup = {
        place: { kind: 'local', directory: '/unused' },
        constants: { geometry: SMALL, compare: COMPARE },
        retryWindowMs: 1000,
        objects: undefined,
        source: audit === 'verify' ? { path: Buffer.from(source), selection: SELECTION } : undefined,
        lanes: 1,
        mayBlock: true,
      };
      const own = createInlineRunner<AuditKinds>(await openAuditLane(setup, { query: '', bearer: '' }, container));
      const { clock } = driver;
      const wish = { workers: 'nats://in-memory', leaseMs: plan.leaseMs };
      const report = (text: string) => this.#crew.driverSaid(text);
      const ownLanes = plan.onlyWorkers ? 0 : own.lanes;
      const parts = { wish, job: 'audit', setup, reader, blobs: [], ownLanes, clock, report };
      const pool = await openAuditPool(parts, server.driver(driver.wire, plan.longestBytes));
      const crew = openCrew({
        runner: joinRunners(own, pool.pool),
        clock,
        allLanes: true,
        onlyRemote: plan.onlyWorkers,
        signal: driver.controller.signal,
      });
      this.#time.after(ILL_MS, () => this.#crew.heal());
      try {
        return await tellOf(audit, { reader, index, world: this.#world, crew });
      } finally {
        driver.moments.isOver = true;
        await crew.close();
        pool.close();
      }
    });
  }

  /** The process that drives begins, with what happens to it. */
  #begin() {
    const { leaseMs } = this.#crew.plan;
    const events = Array.from({ length: this.#random.below(9) }, () => {
      const ms = this.#random.chance(40) ? this.#random.below(leaseMs) : leaseMs + this.#random.below(60_000);
      const what = { kind: this.#random.pick(CREW_HAPPENINGS), pick: this.#random.below(1000), ms };
      return { on: 'message' as const, at: 1 + this.#random.small(MESSAGES), what };
    });
    const moments = new CrewMoments(
      events,
      (what) => this.#crew.happen(what),
      () => undefined,
    );
    const gate = new Gate(this.#time);
    const now = () => this.#time.ms;
    const wire = { arrive: (call: () => void) => gate.arrive(call), isDead: false };
    const driver = { gate, wire, controller: new AbortController(), moments, clock: gate.makeClock(now, now) };
    this.#crew.begin(driver);
    return driver;
  }

  async #read<T>(use: (reader: ContainerReader, index: Awaited<ReturnType<typeof indexContainer>>) => Promise<T>) {
    const { container } = this.#world;
    const index = await indexContainer(container);
    try {
      return await use(new ContainerReader(container, index, openLz4(), SMALL), index);
    } finally {
      index.close();
    }
  }

  #count(label: string, text?: string): void {
    this.tally.set(label, (this.tally.get(label) ?? 0) + 1);
    if (text !== undefined) this.story.push(`at ${this.#time.ms} ms: ${text}`);
  }
}

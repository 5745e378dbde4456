import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isClfsError } from '../../src/error.js';
import { BUCKET_NAME } from '../../src/format/names.js';
import { load } from '../../src/load/load.js';
import type { LoadOptions, LoadSummary } from '../../src/load/options.js';
import { SMALL } from '../support/check.js';
import { Killed } from './caller.js';
import { Crew, type CrewWorkerParts } from './crew.js';
import { type Happening, type LifeEvent, labelOf } from './events.js';
import { judge } from './judge.js';
import { setLimits } from './limits.js';
import { DIRECTORY, type Stamp } from './model-node.js';
import type { ModelTree } from './model-tree.js';
import { describeLife, type Life, type SessionPlan } from './plan.js';
import { plantTree } from './plant-tree.js';
import { Process, plainContainer, type Surroundings } from './process.js';
import { Random } from './random.js';
import { copiesOf, failuresOf } from './reports-of.js';
import { Service } from './service.js';
import { act, shorten } from './source-actions.js';
import { runVirtually } from './timers.js';
import { VirtualTime } from './virtual-time.js';
import { createLoadWorker } from './worker-process.js';

const BEGUN_MS = 1_800_000_000_000;
/** Sessions after which a job whose source is healed must have come to its end. */
const MOST_SESSIONS_HEALED = 12;
/** Nothing of a life takes so long, in real time. */
const HANG_MS = 20_000;
/** A life with workers takes no longer than that in all, in real time. */
const LIFE_HANGS_MS = 60_000;
/** Whoever is frozen at the end of a life does afterwards what it can do, for so long. */
const AFTERMATH_MS = 30_000;

/** Devices of the file systems. */
const FIRST_DEVICE = '8:1';
const SECOND_DEVICE = '8:17';
/** One in so many finished jobs is started once more. */
const FINISHED_AGAIN = 8;
/** What can happen before a session. */
const BEFORE_A_SESSION = new Set<Happening['kind']>(['source', 'clock', 'mount', 'rename mount', 'restore state']);
/** A session in which nothing happens. */
const QUIET: SessionPlan = { pauseMs: 1000, before: [], reboot: false, maxErrors: 1_000_000, events: [] };

/** How a life went. */
export interface Outcome {
  /** What was wrong; empty when all was well. */
  readonly findings: readonly string[];
  /** What happened, in order, in words. */
  readonly story: readonly string[];
  /** How often each kind of event happened. */
  readonly tally: ReadonlyMap<string, number>;
  readonly sessions: number;
}

/** Where a life keeps its files: directories on a memory file system that are there. */
export interface Scratch {
  readonly base: string;
  /** An empty directory: the source that the loader opens before the model takes its place. */
  readonly source: string;
}

let lives = 0;

/** Lives a life. */
export async function live(life: Life, scratch: Scratch): Promise<Outcome> {
  const base = join(scratch.base, `life-${process.pid}-${lives++}`);
  mkdirSync(base);
  setLimits(life.limits ?? {});
  try {
    return await new LifeRun(life, base, scratch.source).run();
  } finally {
    setLimits({});
    rmSync(base, { recursive: true, force: true });
  }
}

type SessionEnd = { readonly summary: LoadSummary | undefined; readonly error: unknown; readonly killed: boolean };

class LifeRun {
  readonly #life: Life;
  readonly #base: string;
  readonly #source: string;
  readonly #findings: string[] = [];
  readonly #story: string[] = [];
  readonly #tally = new Map<string, number>();
  readonly #around: Surroundings;
  readonly #time = new VirtualTime();
  readonly #service = new Service(this.#time);
  readonly #tree: ModelTree;
  #statePath: string;
  #sessions = 0;
  #intruders = 0;
  /** An older state was put in the place of the job's: it must not say that it is complete where it is not. */
  #isOlder = false;
  /** Whether a fault or a stop happened in the session that runs. */
  #disturbed = false;
  /** Processes that were killed, and have not found out yet. */
  readonly #killed: Promise<unknown>[] = [];

  constructor(life: Life, base: string, source: string) {
    this.#life = life;
    this.#base = base;
    this.#source = source;
    this.#statePath = join(base, 'state-0');
    this.#tree = plantTree(life.tree, life.reuseInodes, this.#sourceClock());
    this.#around = {
      tree: this.#tree,
      service: this.#service,
      time: this.#time,
      random: new Random(life.seed + 0.5),
      offsetMs: BEGUN_MS,
      bootMs: 0,
      session: 0,
      device: FIRST_DEVICE,
      mountedDevice: SECOND_DEVICE,
      isMounted: true,
      mountName: 'one',
      isPlaced: false,
      placeAsked: false,
      tellsTypes: life.tellsTypes,
      tellsBirth: life.tellsBirth,
      asyncSource: life.asyncSource,
      crew: undefined,
      happened: (event, at) => this.#happened(event, at),
      happen: (what, process) => this.#happen(what, process),
    };
  }

  /** From what a change of the source has its time; undefined: the exact one of the model. */
  #sourceClock(): ((tick: number) => Stamp) | undefined {
    const { sourceClock } = this.#life;
    if (sourceClock === 'exact') return undefined;
    const stepMs = sourceClock === 'jiffies' ? 10 : 1000;
    return () => {
      const ms = Math.floor((BEGUN_MS + this.#time.ms) / stepMs) * stepMs;
      return { seconds: Math.floor(ms / 1000), nanoseconds: (ms % 1000) * 1e6 + (stepMs < 1000 ? 1 : 0) };
    };
  }

  async run(): Promise<Outcome> {
    if (!this.#life.crew) return this.#run();
    try {
      // Workers live on between the sessions of their driver: so does the time.
      return await runVirtually(
        this.#time,
        LIFE_HANGS_MS,
        () => this.#run(),
        (error) => error instanceof Killed,
      );
    } catch (error) {
      this.#findings.push(`life: ${String((error as Error)?.stack ?? error)}`);
      return this.#outcome();
    } finally {
      this.#around.crew?.end();
      this.#time.clear();
    }
  }

  async #run(): Promise<Outcome> {
    const { crew: plan } = this.#life;
    this.#story.push(describeLife(this.#life));
    for (const { path, node } of this.#tree.places()) {
      this.#story.push(
        `  ${shorten(path)}: inode ${node.inode}, type ${node.type}, ${node.content.length} bytes, ${node.links} links`,
      );
    }
    this.#tree.history.begin(this.#tree);
    const around = this.#around;
    const make = (parts: CrewWorkerParts<Process>) => createLoadWorker({ ...parts, around });
    const crew = plan && new Crew(plan, around, make, (label, text) => this.#crewTells(label, text));
    this.#around.crew = crew;
    let end: SessionEnd | undefined;
    for (const plan of this.#life.sessions) {
      end = await this.#session(plan);
      if (end.summary?.status === 'Completed' || this.#findings.length > 0) break;
    }
    if (this.#findings.length === 0 && end?.summary?.status !== 'Completed') end = await this.#toTheEnd();
    // What is still under way arrives now, when nobody reckons with it any more.
    const complete = end?.summary?.status === 'Completed';
    if (crew && this.#findings.length === 0) {
      crew.wakeAll();
      await this.#time.sleep(AFTERMATH_MS);
    }
    const late = this.#findings.length === 0 ? await this.#service.deliver() : 0;
    const isToJudge = this.#isOlder ? complete : late > 0 || !complete || crew;
    if (this.#findings.length === 0 && isToJudge) await this.#judge(complete, true);
    if (this.#findings.length === 0 && complete && this.#life.seed % FINISHED_AGAIN === 0) {
      // A source whose root nobody may read is refused, whatever the job.
      this.#heal();
      const again = await this.#session(QUIET);
      if (again.summary?.status !== 'Completed')
        this.#findings.push('end: a finished job that is started again is not finished');
    }
    await Promise.all(this.#killed);
    for (const [what, count] of crew?.server.happened ?? []) this.#count(`message: ${what}`, count);
    return this.#outcome();
  }

  #outcome(): Outcome {
    return { findings: this.#findings, story: this.#story, tally: this.#tally, sessions: this.#sessions };
  }

  #crewTells(label: string, text?: string): void {
    this.#disturbed = true;
    this.#count(label);
    if (text !== undefined) this.#story.push(`  at ${this.#time.ms} ms: ${text}`);
  }

  /** All is healed and goes well; the job goes on until nothing changes any more. */
  async #toTheEnd(): Promise<SessionEnd | undefined> {
    this.#heal();
    let failures = '';
    let stopped = 0;
    for (let count = 0; count < MOST_SESSIONS_HEALED; count++) {
      const end = await this.#session(QUIET);
      if (this.#findings.length > 0 || end.summary?.status === 'Completed') return end;
      if (end.summary?.status === 'CompletedWithErrors') {
        // What fails for another reason than before may yet be mended by the next session.
        const now = Array.from(failuresOf(this.#statePath, this.#source), ([path, why]) => `${path}: ${why}`)
          .sort()
          .join('\n');
        if (now === failures) return end;
        failures = now;
        stopped = 0;
      } else if (++stopped > 1) {
        if (this.#isOlder) return end;
        const error = end.summary?.error ?? end.error;
        this.#findings.push(`end: it stops though all is healed: ${(error as Error)?.message}`);
        return end;
      }
    }
    this.#findings.push(`end: it has not come to an end after ${MOST_SESSIONS_HEALED} sessions without a fault`);
    return undefined;
  }

  #heal(): void {
    this.#story.push('everything is healed');
    this.#around.crew?.heal();
    this.#around.isMounted = true;
    for (const node of [this.#tree.root, ...this.#tree.places().map((place) => place.node)]) {
      node.isLost = false;
      if (node.isLocked) this.#tree.change(node, { permissions: node.type === DIRECTORY ? 0o755 : 0o644 });
    }
    this.#tree.settle();
  }

  async #session(plan: SessionPlan): Promise<SessionEnd> {
    const { crew } = this.#around;
    if (crew) await this.#time.sleep(plan.pauseMs);
    else this.#time.pass(plan.pauseMs);
    this.#disturbed = false;
    const process = new Process(this.#around, this.#statePath, plan.events);
    this.#around.session = ++this.#sessions;
    if (plan.reboot) {
      // What is mounted gets the number that the other had.
      const { device } = this.#around;
      this.#around.device = device === FIRST_DEVICE ? SECOND_DEVICE : FIRST_DEVICE;
      this.#around.mountedDevice = device;
      this.#around.bootMs = this.#time.ms;
      this.#story.push('the machine is started again');
    }
    for (const what of plan.before) if (BEFORE_A_SESSION.has(what.kind)) await this.#happen(what, process);
    const resume = existsSync(join(this.#statePath, 'job.db'));
    this.#story.push(
      `session ${this.#sessions}, ${resume ? 'which goes on' : 'a new job'}, at most ${plan.maxErrors} errors`,
    );
    crew?.begin(process);
    const end = await this.#load(process, plan, resume);
    process.end();
    this.#tellEnd(end, process);
    if (process.stateLeft !== undefined) {
      // With workers the process that was killed may have it open for a while.
      if (!crew) rmSync(this.#statePath, { recursive: true, force: true });
      this.#statePath = process.stateLeft;
    }
    if (!end.killed) this.#checkError(end, process);
    if (isClfsError(end.error, 'container-not-empty')) {
      this.#findings.push(
        'begin: no way on, since an earlier start that was refused has left something in the container',
      );
    }
    const { summary } = end;
    if (summary?.status !== 'Completed' && summary?.status !== 'CompletedWithErrors') return end;
    await this.#judge(summary.status === 'Completed', false);
    return end;
  }

  async #load(process: Process, plan: SessionPlan, resume: boolean): Promise<SessionEnd> {
    const { preserveHardLinks, compress, manifest, unchecked, seed } = this.#life;
    const { crew } = this.#around;
    const draws = new Random(seed + 0.25 + this.#sessions / 1000);
    const options: LoadOptions = {
      source: this.#source,
      destination: '/unused',
      statePath: this.#statePath,
      newSession: !resume,
      preserveHardLinks,
      compression: compress ? 'LZ4' : 'DISABLED',
      manifest: manifest ? join(this.#base, 'manifest') : undefined,
      maxErrors: plan.maxErrors,
      logLevel: 'WARNING',
      signal: process.controller.signal,
      ...(crew ? { workers: 'nats://in-memory', leaseMs: crew.plan.leaseMs } : {}),
      ...(crew?.plan.onlyWorkers ? { threads: 0 } : {}),
      onEvent: (event) => event.kind === 'message' && crew?.driverSaid(event.text),
      internals: {
        workers: crew?.server.driver(process.wire, crew.plan.longestBytes),
        container: process.container,
        clock: process.clock,
        hooks: process.hooks,
        geometry: SMALL,
        wrapSource: process.wrapSource,
        random: (count) => draws.bytes(count),
        unchecked,
      },
    };
    try {
      const summary = crew
        ? await this.#loadBeside(options, process)
        : await runVirtually(
            this.#time,
            HANG_MS,
            () => load(options),
            (error) => error instanceof Killed,
          );
      return { summary, error: undefined, killed: process.dead };
    } catch (error) {
      return { summary: undefined, error, killed: process.dead };
    }
  }

  /** Beside workers: a process that was killed is not waited for, as the next one would not. */
  #loadBeside(options: LoadOptions, process: Process): Promise<LoadSummary | undefined> {
    const loaded = load(options);
    const killed = process.killed.then(() => {
      this.#killed.push(loaded.catch(() => undefined));
      return undefined;
    });
    return Promise.race([loaded, killed]);
  }

  #tellEnd({ summary, error, killed }: SessionEnd, process: Process): void {
    const why = summary?.error ?? error;
    const text =
      why === undefined
        ? ''
        : `: ${String((why as Error).message ?? why)
            .split('\n')[0]
            .replaceAll(this.#base, '')}`;
    const { calls, commits, sourceCalls } = process.moments;
    const status = killed ? 'it was killed' : (summary?.status ?? 'it was refused');
    this.#story.push(
      `  ${status}${killed ? '' : text} (${calls} calls, ${commits} commits, ${sourceCalls} calls to the source)`,
    );
    if (summary && !killed)
      for (const [path, why] of failuresOf(this.#statePath, this.#source))
        this.#story.push(`    failed: ${shorten(path)}: ${why}`);
  }

  /** Trouble that is not the world's is the program's. */
  #checkError({ summary, error }: SessionEnd, process: Process): void {
    const why = summary?.error ?? error;
    if (isClfsError(why, 'cancelled') && !process.controller.signal.aborted)
      this.#findings.push(`error: nobody has stopped the job, and it says: ${(why as Error).message}`);
    if (isClfsError(why, 'worker') && !(why as Error).message.includes('workers in a row'))
      this.#findings.push(`error: of a worker: ${(why as Error).message.split('\n').slice(0, 3).join(' | ')}`);
    if (why === undefined || ((this.#disturbed || this.#isOlder) && isClfsError(why))) return;
    if (isClfsError(why, 'entry', 'source', 'container-not-empty')) return;
    const trace = why instanceof Error ? (why.stack ?? why.message) : `thrown: ${JSON.stringify(why)}`;
    this.#findings.push(`error: ${trace.split('\n').slice(0, 3).join(' | ')}`);
  }

  async #judge(complete: boolean, healed: boolean): Promise<void> {
    const found = await judge(this.#service.store, this.#tree, {
      complete,
      preserveHardLinks: this.#life.preserveHardLinks,
      healed,
      failed: failuresOf(this.#statePath, this.#source),
      copies: copiesOf(this.#statePath),
      manifest: this.#life.manifest ? join(this.#base, 'manifest') : undefined,
    });
    this.#findings.push(...found);
    for (const reason of failuresOf(this.#statePath, this.#source).values()) this.#count(`failure: ${reason}`);
  }

  #happened(event: Pick<LifeEvent, 'on' | 'what'>, at: number): void {
    this.#disturbed = true;
    this.#count(labelOf(event));
    this.#story.push(`  ${event.on} ${at}: ${event.what.kind}`);
  }

  #happen(what: Happening, process: Process): Promise<void> | undefined {
    const done = (text: string) => {
      const { calls, commits, sourceCalls } = process.moments;
      this.#count(labelOf({ on: 'timer', what }));
      this.#story.push(`  at call ${calls}, commit ${commits}, source call ${sourceCalls}: ${text}`);
    };
    switch (what.kind) {
      case 'source': {
        const text = act(this.#tree, what.action);
        if (text !== undefined) done(text);
        return undefined;
      }
      case 'signal':
        this.#disturbed = true;
        done('a signal');
        process.controller.abort();
        return undefined;
      case 'clock':
        // A source's clock that others are compared with goes on: the machine's stays with it.
        if (this.#life.sourceClock !== 'exact') return undefined;
        this.#around.offsetMs += what.ms;
        done(`the clock jumps by ${what.ms / 1000} s`);
        return undefined;
      case 'mount':
        if (!this.#tree.mounted || !this.#around.isPlaced || this.#around.isMounted === what.isMounted)
          return undefined;
        this.#around.isMounted = what.isMounted;
        done(`${this.#tree.mountPath} is ${what.isMounted ? 'mounted' : 'not mounted any more'}`);
        return undefined;
      case 'rename mount':
        if (!this.#tree.mounted || !this.#around.isPlaced) return undefined;
        this.#around.mountName = this.#around.mountName === 'one' ? 'two' : 'one';
        done(`what is mounted comes from ${this.#around.mountName}`);
        return undefined;
      case 'copy state':
        rmSync(this.#olderPath, { recursive: true, force: true });
        cpSync(this.#statePath, this.#olderPath, { recursive: true });
        done('the state is copied');
        return undefined;
      case 'restore state':
        return existsSync(this.#olderPath) ? this.#restoreState(done) : undefined;
      case 'second process':
        if (!existsSync(join(this.#statePath, 'job.db'))) return undefined;
        done('a second process wants the state');
        return this.#intrude({ statePath: this.#statePath, newSession: false }, 'state-busy');
      case 'second job':
        if (!this.#service.store.blobs.has(BUCKET_NAME)) return undefined;
        done('a second job wants the container');
        return this.#intrude(
          { statePath: join(this.#base, `second-${this.#intruders++}`), newSession: true },
          'container-not-empty',
        );
    }
  }

  get #olderPath(): string {
    return join(this.#base, 'older');
  }

  /** Puts the copy of the state in the place of the state, long after what was sent meanwhile. */
  async #restoreState(done: (text: string) => void): Promise<void> {
    await this.#service.deliver();
    rmSync(this.#statePath, { recursive: true, force: true });
    cpSync(this.#olderPath, this.#statePath, { recursive: true });
    this.#isOlder = true;
    done('the state is that of the copy');
  }

  /** Another process that has no business here. */
  async #intrude(
    options: Pick<LoadOptions, 'statePath' | 'newSession'>,
    code: 'state-busy' | 'container-not-empty',
  ): Promise<void> {
    const { preserveHardLinks, compress, manifest } = this.#life;
    try {
      await load({
        ...options,
        source: this.#source,
        destination: '/unused',
        preserveHardLinks,
        compression: compress ? 'LZ4' : 'DISABLED',
        manifest: manifest ? join(this.#base, 'manifest') : undefined,
        logLevel: 'ERROR',
        internals: { container: plainContainer(this.#service), geometry: SMALL },
      });
      this.#findings.push(`intruder: it was let in where ${code} was expected`);
    } catch (error) {
      if (!isClfsError(error, code)) this.#findings.push(`intruder: ${String(error)} where ${code} was expected`);
    }
    if (options.newSession && existsSync(options.statePath))
      this.#findings.push('intruder: the refused job has left a state directory');
  }

  #count(label: string, times = 1): void {
    this.#tally.set(label, (this.#tally.get(label) ?? 0) + times);
  }
}

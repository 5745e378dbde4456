import { rmdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import { checkSas, redact } from '../container/azure/container-url.js';
import { systemClock } from '../container/clock.js';
import type { Container } from '../container/container.js';
import { makeLocalContainer } from '../container/local-container.js';
import { openContainer, parseContainer, placeText } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import { Traffic } from '../container/traffic.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { GEOMETRY } from '../format/geometry.js';
import { openJobLog } from '../log/job-log.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import { requireApart } from '../state/state-directory.js';
import { VERSION } from '../version.js';
import { createContext, type WorkContext } from '../worker/context.js';
import { createInlineRunner } from '../worker/inline-runner.js';
import { JobIds } from '../worker/job-ids.js';
import type { JobConstants } from '../worker/tasks.js';
import { createThreadRunner, startThread } from '../worker/thread-runner.js';
import { cleanUp, commit, type FinishTools } from './finish.js';
import { JobContext } from './job-context.js';
import { beginJob, type JobWish, type OpenJob, resumeJob } from './open-job.js';
import type { FinalStatus, LoadOptions, LoadSummary } from './options.js';
import { type Phase, Progress } from './progress.js';
import { retryFailures } from './repair.js';
import { writeReports } from './reports.js';
import { Scheduler } from './scheduler.js';

const MOST_THREADS = 16;
const DEFAULT_MAX_ERRORS = 50;
/** While nothing has begun, a service that does not answer is an error soon. */
const FIRST_RETRY_WINDOW_MS = 15_000;
const NO_AUTHORIZATION = { query: '', bearer: '' };

/**
 * Loads a directory tree into an empty container in the CLFS format.
 *
 * Everything that goes wrong once the job has begun is in the summary, with status `Failed`, and the job can be resumed.
 *
 * @throws ClfsError when the job is refused before it begins: `usage`, `source`, `state`, `state-busy`, `container…`,
 * `access-denied`, `service…`; nothing is left behind then
 */
export async function load(options: LoadOptions): Promise<LoadSummary> {
  const clock = options.internals?.clock ?? systemClock;
  const progress = new Progress(clock.now());
  const sourcePath = absolutePath(options.source);
  const destination = parseContainer(options.destination);
  if (destination.place.kind === 'azure') checkSas(destination.query, Date.now());
  if (!options.statePath) throw new ClfsError('usage', 'please specify a state-path');
  requirePathsApart(
    sourcePath,
    options.statePath,
    destination.place.kind === 'local' && !options.internals?.container ? destination.place.directory : undefined,
  );
  const opened = openPosixSource(sourcePath);
  const source = options.internals?.wrapSource?.(opened) ?? opened;
  const lz4 = openLz4();
  const threads = options.threads ?? Math.min(MOST_THREADS, availableParallelism());
  const traffic = new Traffic(threads + 1);
  const signal = options.signal ?? new AbortController().signal;
  const authorization = { ...NO_AUTHORIZATION, query: destination.query };
  const serviceOptions = {
    retryWindowMs: FIRST_RETRY_WINDOW_MS,
    traffic,
    rateLimit: options.capMbps ? createRateLimit(options.capMbps, traffic) : undefined,
    lateArrivalMs: options.lateArrivalMs,
    signal,
  };
  let made: string | undefined;
  const open = () => {
    if (options.internals?.container) return options.internals.container;
    if (destination.place.kind === 'local' && options.newSession !== false && makeLocalContainer(destination.place.directory))
      made = destination.place.directory;
    return openContainer(destination.place, authorization, serviceOptions);
  };
  const wish: JobWish = {
    source: sourcePath,
    destination,
    statePath: options.statePath,
    compress: (options.compression ?? 'LZ4') === 'LZ4',
    preserveHardLinks: options.preserveHardLinks ?? false,
    program: VERSION,
  };
  // Threads take as long to start as the job takes to open.
  const thread = options.internals?.container ? undefined : startThread();
  let job: OpenJob & { readonly container: Container };
  try {
    const hooks = options.internals?.hooks ?? {};
    job = options.newSession === false ? await resumeJob(wish, open, lz4, hooks) : await beginJob(wish, open, lz4, hooks, options.internals?.random);
  } catch (error) {
    await thread?.terminate();
    source.close();
    if (made !== undefined) removeIfEmpty(made);
    throw error;
  }
  // From here on an outage is waited for.
  serviceOptions.retryWindowMs = options.retryWindowMs ?? Number.POSITIVE_INFINITY;
  const { record } = job.state;
  const constants: JobConstants = {
    secret: Buffer.from(record.secretHex, 'hex'),
    containerId: record.containerId,
    fsid: record.fsid,
    compress: record.compress,
    preserveHardLinks: record.preserveHardLinks,
    geometry: options.internals?.geometry ?? GEOMETRY,
  };
  const work = createContext(constants, source, job.container, lz4);
  const log = openJobLog(job.directory.path, options.logLevel ?? 'INFO', redact);
  const session = new Session(
    options,
    job,
    new JobContext(job.state, new JobIds(constants.secret, constants.containerId), constants, progress, log),
    work,
    lz4,
  );
  const runner = (events: Scheduler['events']) =>
    thread === undefined
      ? createInlineRunner(work, events)
      : createThreadRunner(
          threads,
          thread,
          {
            source: sourcePath,
            place: destination.place,
            authorization,
            constants,
            traffic: traffic.memory,
            retryWindowMs: options.retryWindowMs ?? Number.POSITIVE_INFINITY,
            concurrency: options.concurrency === undefined ? undefined : Math.max(1, Math.round(options.concurrency / threads)),
            capMbps: options.capMbps ?? 0,
            lateArrivalMs: options.lateArrivalMs,
          },
          events,
        );
  try {
    return await session.run(runner, placeText(destination.place), sourcePath, traffic, signal);
  } finally {
    await thread?.terminate();
    log.close();
    job.state.close();
    source.close();
    await job.container.close();
    job.directory.release();
  }
}

/** One run of a job, from its state to its summary. */
class Session {
  readonly #options: LoadOptions;
  readonly #job: OpenJob & { readonly container: Container };
  readonly #context: JobContext;
  readonly #tools: FinishTools;
  readonly #work: WorkContext;

  constructor(options: LoadOptions, job: OpenJob & { readonly container: Container }, context: JobContext, work: WorkContext, lz4: Lz4) {
    this.#options = options;
    this.#job = job;
    this.#context = context;
    this.#work = work;
    this.#tools = {
      work,
      lz4,
      clock: options.internals?.clock ?? systemClock,
      signal: options.signal ?? new AbortController().signal,
      uncertainUntilMs: uncertainUntil(job),
    };
  }

  async run(
    createRunner: (events: Scheduler['events']) => ReturnType<typeof createInlineRunner>,
    container: string,
    root: Buffer,
    traffic: Traffic,
    signal: AbortSignal,
  ): Promise<LoadSummary> {
    const { state, directory } = this.#job;
    const { progress, log } = this.#context;
    const { record } = state;
    const { onEvent, newSession } = this.#options;
    onEvent?.({
      kind: 'configuration',
      compression: record.compress ? 'LZ4' : 'DISABLED',
      preserveHardLinks: record.preserveHardLinks,
      newSession: newSession !== false,
      jobId: record.jobId,
      logFile: directory.file('clfsload.log'),
    });
    log.write(
      'INFO',
      `session ${record.sessions + 1} of job ${record.jobId}: ${JSON.stringify(root.toString())} to ${container}, clfsload ${VERSION}, Node ${process.version}`,
    );
    this.#enter('Init');
    if (!record.readsBack) log.write('WARNING', 'the service does not give back what was put into it: the container cannot be checked before the commit');
    let status: FinalStatus;
    let failure: unknown;
    let scheduler: Scheduler | undefined;
    const runnerHolder: { close?: () => Promise<void> } = {};
    try {
      if (this.#isFinished()) {
        progress.begin(state.counters, 0, 0, traffic);
        progress.scanning = false;
        this.#options.onStart?.(() => progress.snapshot(this.#tools.clock.now()));
        this.#say('This job is finished already: everything is in the container.');
        return { status: 'Completed', progress: progress.snapshot(this.#tools.clock.now()), error: undefined, problemsFile: undefined };
      }
      await this.#prepare(traffic);
      this.#options.onStart?.(() => progress.snapshot(this.#tools.clock.now()));
      this.#enter('Transfer');
      scheduler = new Scheduler(this.#context, this.#options.maxErrors ?? DEFAULT_MAX_ERRORS, this.#options.concurrency !== undefined, () =>
        this.#enter('Reconcile'),
      );
      const runner = createRunner(scheduler.events);
      runnerHolder.close = () => runner.close();
      await scheduler.run(runner, signal);
      await runner.close();
      runnerHolder.close = undefined;
      if (state.leftovers.list(1).length > 0) this.#enter('Cleanup');
      await cleanUp(this.#context, this.#tools);
      this.#enter('Finalize');
      state.transact(() => state.failures.dropResolved());
      writeReports(this.#context, root, directory.file);
      log.write('INFO', this.#totals());
      await commit(this.#context, this.#tools);
      // A root that was written again leaves its former version.
      await cleanUp(this.#context, this.#tools);
      await this.#work.container.tidy();
      status = state.failures.count() > 0 ? 'CompletedWithErrors' : 'Completed';
    } catch (error) {
      failure = error;
      status = isClfsError(error, 'cancelled') || signal.aborted ? 'Cancelled' : 'Failed';
      log.write('ERROR', `${status}: ${error instanceof ClfsError ? error.message : String((error as Error)?.stack ?? error)}`);
    }
    await runnerHolder.close?.();
    progress.phase = 'Done';
    try {
      if (failure !== undefined) writeReports(this.#context, root, directory.file);
      // Without a final status the next session reckons with puts that are still under way.
      const settled = failure === undefined || scheduler?.settled === true;
      const uncertainUntilMs = Math.max(this.#tools.uncertainUntilMs, this.#work.container.lastUncertainPutMs);
      state.transact(() => state.update({ finalStatus: settled ? status : '', uncertainUntilMs }));
    } catch (error) {
      failure ??= error;
      status = 'Failed';
    }
    log.write('INFO', `final status: ${status}`);
    const problemsFile = progress.failed > 0 ? directory.file('problems.txt') : undefined;
    return { status, progress: progress.snapshot(this.#tools.clock.now()), error: wrapState(failure), problemsFile };
  }

  #isFinished(): boolean {
    const { state } = this.#job;
    return state.record.committed && state.record.finalStatus === 'Completed';
  }

  /** Brings the state to where a session begins: claimed work is free again, failures are to be tried again. */
  async #prepare(traffic: Traffic): Promise<void> {
    const { state } = this.#job;
    const { progress } = this.#context;
    const first = state.record.sessions === 0;
    const root = this.#work.source.openDirectory(Buffer.alloc(0));
    const { device, inode } = root.attributes();
    root.close();
    state.transact(() => {
      state.update({ sessions: state.record.sessions + 1, finalStatus: '' });
      state.reclaim();
      if (first) {
        const name = rootName(Buffer.from(state.record.sourceHex, 'hex'));
        const fileSystem = state.fileSystemOf(device);
        state.directories.add({ parent: 0, name, fileSystem, inode, sequence: 0, manager: 0, status: DirectoryStatus.found });
      }
    });
    if (first) {
      progress.begin({ done: 0, bytes: 0 }, 0, 1, traffic);
      return;
    }
    this.#bindFileSystems(device);
    await this.#work.container.tidy();
    // An end that had begun is brought to its end before anything is repaired: the root may be there already.
    if (state.record.committing && !state.record.committed) await commit(this.#context, this.#tools);
    const retried = state.transact(() => retryFailures(state));
    if (retried > 0) this.#say(`Trying ${retried} failed ${retried === 1 ? 'entry' : 'entries'} again.`);
    progress.begin(state.counters, state.failures.count(), state.openEntries(), traffic);
  }

  /** Device numbers change at a reboot or remount: each recorded file system is looked up anew. */
  #bindFileSystems(rootDevice: string): void {
    const { state } = this.#job;
    state.bindFileSystem(0, rootDevice);
    for (const { fileSystem, directory } of state.fileSystemAnchors()) {
      if (fileSystem === 0 || directory === ROOT_DIRECTORY) continue;
      try {
        const { path, place } = this.#context.directory(directory);
        const opened = this.#work.source.openDirectory(path, { device: undefined, inode: place.inode });
        state.bindFileSystem(fileSystem, opened.attributes().device);
        opened.close();
        this.#context.forgetDirectory(directory);
      } catch (error) {
        if (!isClfsError(error, 'entry')) throw error;
      }
    }
  }

  #enter(phase: Phase): void {
    this.#context.progress.phase = phase;
    this.#context.log.write('INFO', `${phase} phase has started`);
    this.#options.onEvent?.({ kind: 'phase', phase });
  }

  #say(text: string): void {
    this.#context.log.write('INFO', text);
    this.#options.onEvent?.({ kind: 'message', text });
  }

  #totals(): string {
    const { filesDone, filesFailed, bytesDone, retries, throttled, requests } = this.#context.progress.snapshot(this.#tools.clock.now());
    return `${filesDone} entries done, ${filesFailed} failed, ${bytesDone} bytes; ${requests} requests, ${retries} retries, ${throttled} throttled`;
  }
}

/** A session that was killed may have had puts under way when it was last alive. */
function uncertainUntil({ state, container }: OpenJob & { readonly container: Container }): number {
  const { sessions, finalStatus, uncertainUntilMs } = state.record;
  const killed = sessions > 0 && finalStatus === '';
  return Math.max(uncertainUntilMs, killed && state.aliveMs > 0 ? state.aliveMs + container.lateArrivalMs : 0);
}

/** Takes back a directory that was made for a job which was refused; another job may have won it meanwhile. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // It is not empty: somebody uses it.
  }
}

function absolutePath(source: string | Uint8Array): Buffer {
  if (typeof source === 'string') return Buffer.from(resolve(source));
  const bytes = Buffer.from(source);
  return bytes[0] === 0x2f ? bytes : Buffer.concat([Buffer.from(`${resolve('.')}/`), bytes]);
}

function rootName(source: Buffer): Buffer {
  return Buffer.from(basename(source.toString('latin1')), 'latin1');
}

function requirePathsApart(source: Buffer, statePath: string, destination: string | undefined): void {
  const src = { what: 'source', path: source.toString() };
  const state = { what: 'state directory', path: statePath };
  requireApart(state, src);
  if (destination === undefined) return;
  requireApart({ what: 'destination', path: destination }, src);
  requireApart(state, { what: 'destination', path: destination });
}

/** Trouble of the database as an error that tells what to do. */
function wrapState(error: unknown): unknown {
  if (error === undefined || error instanceof ClfsError) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code.includes('SQLITE'))
    return new ClfsError('state', `Cannot write the job state: ${messageOf(error)}. Make room or mend the disk, then go on with --new-session=false.`, {
      cause: error,
    });
  return error;
}

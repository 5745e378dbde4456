import { basename, resolve } from 'node:path';
import { systemClock } from '../container/clock.js';
import type { Container } from '../container/container.js';
import type { Traffic } from '../container/traffic.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import { VERSION } from '../version.js';
import type { WorkContext } from '../worker/context.js';
import type { TaskRunner } from '../worker/runner.js';
import { cleanUp, commit, type FinishTools } from './finish.js';
import type { JobContext } from './job-context.js';
import type { OpenJob } from './open-job.js';
import type { FinalStatus, LoadOptions, LoadSummary } from './options.js';
import type { Phase } from './progress.js';
import { retryFailures } from './repair.js';
import { writeReports } from './reports.js';
import { Scheduler } from './scheduler.js';

const DEFAULT_MAX_ERRORS = 50;

/** One run of a job, from its state to its summary. */
export class Session {
  readonly #options: LoadOptions;
  readonly #logFile: string;
  readonly #job: OpenJob & { readonly container: Container };
  readonly #context: JobContext;
  readonly #tools: FinishTools;
  readonly #work: WorkContext;

  constructor(options: LoadOptions, logFile: string, job: OpenJob & { readonly container: Container }, context: JobContext, work: WorkContext, lz4: Lz4) {
    this.#options = options;
    this.#logFile = logFile;
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
    createRunner: (events: Scheduler['events']) => Promise<TaskRunner>,
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
      logFile: this.#logFile,
    });
    log.write(
      'INFO',
      `session ${record.sessions + 1} of job ${record.jobId}: ${JSON.stringify(root.toString())} to ${container}, clfsload ${VERSION}, Node ${process.version}; at most ${this.#options.maxErrors ?? DEFAULT_MAX_ERRORS} failures are tolerated`,
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
        await this.#writeManifest();
        return { status: 'Completed', progress: progress.snapshot(this.#tools.clock.now()), error: undefined, problemsFile: undefined };
      }
      await this.#prepare(traffic);
      this.#options.onStart?.(() => progress.snapshot(this.#tools.clock.now()));
      this.#enter('Transfer');
      scheduler = new Scheduler(this.#context, this.#options.maxErrors ?? DEFAULT_MAX_ERRORS, this.#options.concurrency !== undefined, () =>
        this.#enter('Reconcile'),
      );
      const runner = await createRunner(scheduler.events);
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
      await this.#writeManifest();
      status = state.failures.count() > 0 ? 'CompletedWithErrors' : 'Completed';
    } catch (error) {
      failure = error;
      status = isClfsError(error, 'cancelled') || signal.aborted ? 'Cancelled' : 'Failed';
      log.write('ERROR', `${status}: ${error instanceof ClfsError ? error.message : String((error as Error)?.stack ?? error)}`);
    }
    await runnerHolder.close?.();
    progress.phase = 'Done';
    progress.settle();
    try {
      if (failure !== undefined) writeReports(this.#context, root, directory.file);
      // Without a final status the next session reckons with puts that are still under way.
      const settled = failure === undefined || scheduler?.settled === true;
      const { clock } = this.#tools;
      const uncertainMs = Math.max(0, this.#work.container.uncertainUntilMs - clock.monotonic());
      const uncertainUntilMs = Math.max(this.#tools.uncertainUntilMs, uncertainMs > 0 ? clock.now() + uncertainMs : 0);
      state.transact(() => state.update({ finalStatus: settled ? status : '', uncertainUntilMs }));
    } catch (error) {
      failure ??= error;
      status = 'Failed';
    }
    log.write('INFO', `final status: ${status}`);
    const problemsFile = progress.failed > 0 ? directory.file('problems.txt') : undefined;
    return { status, progress: progress.snapshot(this.#tools.clock.now()), error: wrapState(failure), problemsFile };
  }

  async #writeManifest(): Promise<void> {
    const { manifest } = this.#options;
    if (manifest !== undefined) await this.#context.manifest?.copyTo(resolve(manifest), this.#job.state.record.repaired);
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
      const { done, bytes } = state.counters;
      state.update({ sessions: state.record.sessions + 1, sessionStart: { ms: this.#tools.clock.now(), done, bytes }, finalStatus: '' });
      state.reclaim();
      if (first) {
        const name = rootName(Buffer.from(state.record.sourceHex, 'hex'));
        const fileSystem = state.fileSystemOf(device);
        state.directories.add({ parent: 0, name, fileSystem, inode, sequence: 0, manager: 0, status: DirectoryStatus.found });
      }
    });
    if (first) {
      progress.begin(state.counters, 0, 1, traffic);
      return;
    }
    this.#bindFileSystems(device);
    await this.#work.container.tidy();
    // An end that had begun is brought to its end before anything is repaired: the root may be there already.
    if (state.record.committing && !state.record.committed) await commit(this.#context, this.#tools);
    const retried = state.transact(() => {
      const count = retryFailures(state);
      if (count > 0) state.update({ repaired: true });
      return count;
    });
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

function rootName(source: Buffer): Buffer {
  return Buffer.from(basename(source.toString('latin1')), 'latin1');
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

import type { Traffic } from '../container/traffic.js';
import { Engine } from '../engine/engine.js';
import { atMost } from '../engine/report.js';
import type { Runner } from '../engine/runner.js';
import { isClfsError } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { type LoadSpec, type RunSettings, sourcePath } from '../job/load-spec.js';
import { logText } from '../log/log-text.js';
import { selectionText } from '../source/selection.js';
import type { SourcePlace } from '../source/source-place.js';
import { writeTrouble } from '../state/write-trouble.js';
import { quotePath } from '../text/escape-path.js';
import { systemClock } from '../time/clock.js';
import { VERSION } from '../version.js';
import type { StallReport } from '../waits/stall-report.js';
import { stopped } from '../worker/breakage.js';
import type { WorkContext } from '../worker/context.js';
import type { LoadKinds } from '../worker/tasks.js';
import { cleanUp } from './clean-up.js';
import { commit } from './commit.js';
import { countedTexts, endNotes } from './end-notes.js';
import type { EndTools } from './end-tools.js';
import { HeldMounts } from './held-mounts.js';
import type { JobContext } from './job-context.js';
import type { OpenJob } from './open-job.js';
import type { FinalStatus, LoadOptions, LoadSummary } from './options.js';
import { LoadPlan } from './plan.js';
import { prepareSession } from './prepare-session.js';
import type { Phase } from './progress.js';
import { placeWithMounts } from './recorded-mounts.js';
import { writeReports } from './reports.js';
import { sampleLoad } from './sample-job.js';
import { isFinished, lateUntilMs, listingText } from './session-decisions.js';
import type { SourceWatch } from './source-watch.js';

const DEFAULT_MAX_ERRORS = 50;
/** How long a source is waited for that is looked at in the end. */
const LAST_LOOK_MS = 5000;
const NEVER = new AbortController().signal;

/** What a session works with. */
export interface SessionParts {
  readonly options: LoadOptions;
  readonly logFile: string;
  readonly job: OpenJob;
  readonly context: JobContext;
  /** A context of the calling thread. */
  readonly work: WorkContext;
  readonly runner: Runner<LoadKinds>;
  readonly lz4: Lz4;
  readonly traffic: Traffic;
  readonly signal: AbortSignal;
  readonly watch: SourceWatch;
  readonly stalls: StallReport;
  /** What is said before the job begins. */
  readonly warnings: readonly string[];
}

/** One run of a job, from its state to its summary. */
export class Session {
  readonly #parts: SessionParts;
  readonly #tools: EndTools;
  #engine: Engine<LoadKinds> | undefined;
  #limit: string | undefined;

  constructor(parts: SessionParts) {
    const { options, job, context, work, runner, lz4, signal, traffic } = parts;
    this.#parts = parts;
    const { clock } = context;
    const ofBeforeMs = lateUntilMs(job.state.record, job.resources.container.lateArrivalMs, clock.monotonic());
    this.#tools = {
      work,
      runner,
      lanes: () => this.#engine?.lanes ?? { first: 0, end: 1 },
      lz4,
      clock,
      signal,
      uncertainUntilMs: () => Math.max(ofBeforeMs, this.#engine?.uncertainUntilMs ?? 0, traffic.uncertainUntilMs),
      guarded: options.internals?.unchecked !== true,
      noCheck:
        job.settings.checkListing === false
          ? 'it was turned off'
          : options.internals?.unchecked
            ? 'a test turned it off'
            : '',
      report: (text) => this.#report(text),
    };
  }

  /** Where the progress reads what is recorded. */
  get #recorded() {
    const { state } = this.#parts.job;
    return { counters: () => state.counters, recorded: () => state.record };
  }

  async run(): Promise<LoadSummary> {
    const { context } = this.#parts;
    const held = new HeldMounts(context, this.#tools);
    context.held = held;
    try {
      return await this.#run();
    } finally {
      held.close();
    }
  }

  async #run(): Promise<LoadSummary> {
    const { options, job, context, work, signal, runner } = this.#parts;
    const root = sourcePath(job.spec);
    const { state, directory } = job;
    const { progress, log } = context;
    this.#introduce();
    let status: FinalStatus;
    let failure: unknown;
    try {
      if (isFinished(state.record)) {
        progress.begin(this.#recorded, 0, 0, this.#parts.traffic);
        progress.scanning = false;
        options.onStart?.(() => progress.snapshot());
        this.#report('This job is finished already: everything is in the container.');
        await this.#writeManifest();
        await runner.close();
        this.#logEnd('Completed');
        return this.#summary('Completed', undefined);
      }
      const { traffic } = this.#parts;
      const report = (text: string) => this.#report(text);
      await prepareSession(context, this.#tools, { job, traffic, recorded: this.#recorded, report });
      this.#beginSeries();
      options.onStart?.(() => progress.snapshot());
      this.#enter('Transfer');
      await this.#transfer();
      if (state.leftovers.hasAny()) this.#enter('Cleanup');
      await cleanUp(context, this.#tools);
      this.#enter('Finalize');
      state.transact(() => state.failures.dropResolved());
      progress.failed = state.failures.count();
      writeReports(context, root, directory.file);
      // The log goes into the container with the commit, and the root counts when that is done.
      log.write('INFO', `before the root: ${this.#totals()}`);
      await commit(context, this.#tools);
      // A root that was written again leaves its former version.
      await cleanUp(context, this.#tools);
      await work.container.tidy();
      await this.#writeManifest();
      status = state.failures.count() > 0 ? 'CompletedWithErrors' : 'Completed';
      for (const text of endNotes(context)) this.#report(text);
      if (this.#limit !== undefined) this.#report(this.#limit);
    } catch (error) {
      failure = error;
      status = isClfsError(error, 'cancelled') || signal.aborted ? 'Cancelled' : 'Failed';
      // A stop that was asked for is no error.
      log.write(status === 'Cancelled' ? 'INFO' : 'ERROR', `${status}: ${logText(error)}`);
    }
    await runner.close();
    progress.phase = 'Done';
    state.series.due();
    try {
      // Nothing is written beside a state that somebody else goes on with.
      state.requireMine();
      progress.failed = state.failures.count();
      if (failure !== undefined) writeReports(context, root, directory.file);
      const quiet = failure === undefined || this.#engine?.settled === true;
      const late = Math.max(this.#tools.uncertainUntilMs(), work.container.uncertainUntilMs);
      const settled = quiet && late <= context.clock.monotonic();
      const sourcePlace = await this.#placeInTheEnd(failure !== undefined);
      state.transact(() => {
        context.recordShare();
        state.update({
          finalStatus: status,
          settled,
          // What was mounted while the source was read is part of it.
          sourcePlace,
          unheld: countedTexts(context.progress) ?? state.record.unheld,
          sourceCalls: context.progress.takeSourceCalls() ?? state.record.sourceCalls,
        });
      });
    } catch (error) {
      // What ended it before may have come of that.
      failure = isClfsError(error, 'state-busy') ? error : (failure ?? error);
      status = 'Failed';
    }
    this.#logEnd(status);
    const where = `the job state in ${JSON.stringify(directory.path)}`;
    return this.#summary(status, writeTrouble(failure, where, 'then go on with --new-session=false'));
  }

  /** Brings everything but the root into the container. */
  async #transfer(): Promise<void> {
    const { job, context, runner, signal } = this.#parts;
    const plan = new LoadPlan(context, job.settings.maxErrors ?? DEFAULT_MAX_ERRORS, () => this.#enter('Reconcile'));
    const { clock } = context;
    this.#engine = new Engine({
      plan,
      store: job.state,
      clock,
      allLanes: Boolean(job.settings.concurrency),
      onlyRemote: Boolean(job.settings.workers) && job.settings.threads === 0,
      cancelled: stopped,
    });
    const { watch } = this.#parts;
    watch.start();
    try {
      await this.#engine.run(runner, signal);
      watch.look();
    } finally {
      watch.stop();
    }
    // Of what limits lanes elsewhere nothing is known here.
    if (!job.settings.workers) this.#limit = watch.limit();
  }

  #summary(status: FinalStatus, error: unknown): LoadSummary {
    const { job, context } = this.#parts;
    const problemsFile = context.progress.failed > 0 ? job.directory.file('problems.txt') : undefined;
    return {
      status,
      progress: context.progress.snapshot(),
      error,
      problemsFile,
      failures: job.state.failureGroups(),
      listing: listingText(job.state.record),
      linkCopies: job.state.linkCopies(),
    };
  }

  /** Says what runs, before anything happens. */
  #introduce(): void {
    const { options, logFile, job, context, warnings } = this.#parts;
    const { record } = job.state;
    const { spec, settings } = job;
    options.onEvent?.({
      kind: 'configuration',
      compression: spec.compression,
      preserveHardLinks: spec.preserveHardLinks,
      newSession: options.newSession !== false,
      jobId: record.jobId,
      logFile,
      statePath: job.directory.path,
      source: sourcePath(spec),
      container: spec.container,
    });
    context.log.write(
      'INFO',
      `session ${record.sessions + 1} of job ${record.jobId}: ${quotePath(sourcePath(spec))} to ${spec.container}, clfsload ${VERSION}, Node ${process.version}`,
    );
    context.log.write('INFO', `settings: ${settingsText(spec, settings, job.resources.threads)}`);
    this.#enter('Init');
    for (const text of warnings) {
      context.log.write('WARNING', text);
      options.onEvent?.({ kind: 'message', text });
    }
    if (!record.readsBack) {
      context.log.write(
        'WARNING',
        'the service does not give back what was put into it: nothing can be checked or removed',
      );
    }
  }

  async #writeManifest(): Promise<void> {
    const { context, job } = this.#parts;
    if (job.spec.manifest !== undefined) {
      await context.manifest?.copyTo(job.spec.manifest, job.state.record.repaired);
    }
  }

  /** From here on what is done is written into the job's past. */
  #beginSeries(): void {
    const { context, job, runner, traffic } = this.#parts;
    const { series } = job.state;
    context.census.restore(series.pulse()?.census);
    series.begin(() => {
      const { first, end } = this.#engine?.lanes ?? { first: 0, end: 0 };
      return sampleLoad({ context, traffic, lanes: end - first, mostLanes: runner.lanes });
    });
  }

  /**
   * The place of the source with what was mounted while it was read: that is part of it. A source that does not answer
   * any more keeps its recorded one.
   */
  async #placeInTheEnd(hasFailed: boolean): Promise<SourcePlace | undefined> {
    const { context, work, stalls } = this.#parts;
    let place = context.state.record.sourcePlace;
    if (hasFailed && stalls.isWaiting) return place;
    const found = placeWithMounts(context, { work, signal: NEVER });
    await atMost(
      systemClock,
      LAST_LOOK_MS,
      found.then((now) => (place = now)).catch(() => undefined),
    );
    return place;
  }

  #enter(phase: Phase): void {
    const { options, context } = this.#parts;
    context.progress.phase = phase;
    this.#parts.job.state.series.due();
    context.log.write('INFO', `${phase} phase has started`);
    options.onEvent?.({ kind: 'phase', phase });
  }

  #report(text: string): void {
    this.#parts.context.log.write('INFO', text);
    this.#parts.options.onEvent?.({ kind: 'message', text });
  }

  /** Every session ends with these lines, whatever ended it. */
  #logEnd(status: FinalStatus): void {
    const { log } = this.#parts.context;
    log.write('INFO', `totals: ${this.#totals()}`);
    log.write('INFO', `final status: ${status}`);
  }

  #totals(): string {
    const { filesDone, filesFailed, filesPending, filesExcluded, bytesDone, ...sent } =
      this.#parts.context.progress.snapshot();
    const { requests, retries, throttled } = sent;
    return `${filesDone} entries done, ${filesFailed} failed, ${filesPending} pending, ${filesExcluded} left out, ${bytesDone} bytes; ${requests} requests, ${retries} retries, ${throttled} throttled`;
  }
}

/** What a session goes by, on one line. @param threads beside the calling one */
function settingsText(spec: LoadSpec, settings: RunSettings, threads: number): string {
  const { maxErrors = DEFAULT_MAX_ERRORS, capMbps = 0, concurrency = 0, workers = '' } = settings;
  return [
    `compression ${spec.compression}`,
    `preserve hard links ${spec.preserveHardLinks}`,
    `left out: ${selectionText(spec.selection) || 'nothing'}`,
    `at most ${maxErrors} failures`,
    `cap ${capMbps === 0 ? 'none' : `${capMbps} Mb/s`}`,
    `${threads} threads`,
    `requests in flight ${concurrency === 0 ? 'adapted' : concurrency}`,
    `workers ${workers || 'none'}`,
  ].join('; ');
}

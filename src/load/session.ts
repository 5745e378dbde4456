import { basename } from 'node:path';
import type { Traffic } from '../container/traffic.js';
import { Engine } from '../engine/engine.js';
import { atMost } from '../engine/report.js';
import type { Runner } from '../engine/runner.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { sourcePath } from '../job/load-spec.js';
import { LEASE_MS } from '../join/open-pool.js';
import type { SourcePlace } from '../source/source-place.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import { quotePath } from '../text/escape-path.js';
import { systemClock } from '../time/clock.js';
import { VERSION } from '../version.js';
import type { StallReport } from '../waits/stall-report.js';
import { stopped } from '../worker/breakage.js';
import type { WorkContext } from '../worker/context.js';
import { encoderOf } from '../worker/encoder.js';
import type { LoadKinds } from '../worker/tasks.js';
import { NOTHING_UNSTORABLE } from '../worker/unstorable-count.js';
import { bindFileSystems } from './bind-file-systems.js';
import { cleanUp } from './clean-up.js';
import { commit } from './commit.js';
import { countedTexts, endNotes } from './end-notes.js';
import type { EndTools } from './end-tools.js';
import { LeftoverGuard } from './guard.js';
import type { JobContext } from './job-context.js';
import { giveUpMoved } from './moved-directories.js';
import type { OpenJob } from './open-job.js';
import type { FinalStatus, LoadOptions, LoadSummary } from './options.js';
import { LoadPlan } from './plan.js';
import type { Phase } from './progress.js';
import { placeWithMounts } from './recorded-mounts.js';
import { writeReports } from './reports.js';
import { restoreEntries } from './restore-entries.js';
import { retryFailures } from './retry-failures.js';
import { sampleLoad } from './sample-job.js';
import { lookAtSource, requireSameRoot } from './source-proof.js';
import type { SourceWatch } from './source-watch.js';
import { giveUpLostTries } from './tries.js';

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
    const { sessions, settled } = job.state.record;
    const { clock } = context;
    // It is not known when that process died: its last puts may have been sent just before the present session began.
    const lateMs = Math.max(job.resources.container.lateArrivalMs, job.state.record.remoteLateMs ?? 0);
    const ofBeforeMs = sessions > 0 && !settled ? clock.monotonic() + lateMs : 0;
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
    };
  }

  /** Where the progress reads what is recorded. */
  get #recorded() {
    const { state } = this.#parts.job;
    return { counters: () => state.counters, recorded: () => state.record };
  }

  async run(): Promise<LoadSummary> {
    const { options, job, context, work, signal, runner } = this.#parts;
    const root = sourcePath(job.spec);
    const { state, directory } = job;
    const { progress, log } = context;
    this.#introduce();
    let status: FinalStatus;
    let failure: unknown;
    try {
      if (this.#isFinished()) {
        progress.begin(this.#recorded, 0, 0, this.#parts.traffic);
        progress.scanning = false;
        options.onStart?.(() => progress.snapshot());
        this.#report('This job is finished already: everything is in the container.');
        await this.#writeManifest();
        await runner.close();
        return this.#summary('Completed', undefined);
      }
      await this.#prepare();
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
      log.write('INFO', this.#totals());
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
      log.write(
        'ERROR',
        `${status}: ${error instanceof ClfsError ? error.message : String((error as Error)?.stack ?? error)}`,
      );
    }
    await runner.close();
    progress.phase = 'Done';
    state.series.due();
    try {
      progress.failed = state.failures.count();
      if (failure !== undefined) writeReports(context, root, directory.file);
      const quiet = failure === undefined || this.#engine?.settled === true;
      const late = Math.max(this.#tools.uncertainUntilMs(), work.container.uncertainUntilMs);
      const settled = quiet && late <= context.clock.monotonic();
      const sourcePlace = await this.#placeInTheEnd(failure !== undefined);
      state.transact(() =>
        state.update({
          finalStatus: status,
          settled,
          // What was mounted while the source was read is part of it.
          sourcePlace,
          unheld: countedTexts(context.progress) ?? state.record.unheld,
          sourceCalls: context.progress.takeSourceCalls() ?? state.record.sourceCalls,
        }),
      );
    } catch (error) {
      failure ??= error;
      status = 'Failed';
    }
    log.write('INFO', `final status: ${status}`);
    return this.#summary(status, wrapState(failure));
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
    const { committed, notChecked } = job.state.record;
    const listing = committed ? (notChecked === '' ? 'checked' : `not checked: ${notChecked}`) : undefined;
    return {
      status,
      progress: context.progress.snapshot(),
      error,
      problemsFile,
      failures: job.state.failureGroups(),
      listing,
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
    const maxErrors = settings.maxErrors ?? DEFAULT_MAX_ERRORS;
    context.log.write(
      'INFO',
      `session ${record.sessions + 1} of job ${record.jobId}: ${quotePath(sourcePath(spec))} to ${spec.container}, clfsload ${VERSION}, Node ${process.version}; at most ${maxErrors} failures are tolerated`,
    );
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

  #isFinished(): boolean {
    const { state } = this.#parts.job;
    return state.record.committed && state.record.finalStatus === 'Completed';
  }

  /** Brings the state to where a session begins: lost tries are given up, failures are to be tried again. */
  async #prepare(): Promise<void> {
    const { job, context, work, traffic } = this.#parts;
    const { state } = job;
    const { progress } = context;
    const first = state.record.sessions === 0;
    const { device, inode, bornNs } = await lookAtSource(this.#tools, Buffer.alloc(0));
    const encoder = encoderOf(job.spec, this.#tools.lz4);
    const { encoder: before, sessions } = state.record;
    const remoteLateMs = this.#remoteLateMs();
    state.transact(() => {
      const { done, bytes } = state.counters;
      const sessionStart = { ms: context.clock.now(), done, bytes };
      state.update({
        sessions: sessions + 1,
        sessionStart,
        finalStatus: '',
        settled: false,
        remoteLateMs,
        encoder,
        spec: job.spec,
        settings: job.settings,
        ...(first ? { sourcePlace: work.source.place?.() } : {}),
      });
      if (first) {
        const name = rootName(sourcePath(job.spec));
        const fileSystem = state.fileSystemOf(device);
        const status = DirectoryStatus.found;
        state.directories.add({ parent: 0, name, fileSystem, inode, bornNs, sequence: 0, manager: 0, status });
      } else giveUpLostTries(context, encoder === before);
    });
    if (first) {
      progress.listedUnstorable = NOTHING_UNSTORABLE;
      progress.begin(this.#recorded, 0, 1, traffic);
      return;
    }
    await bindFileSystems(context, this.#tools, device);
    await work.container.tidy();
    // An end that had begun is brought to its end before anything is repaired: the root may be there already.
    if (this.#isCommitting()) {
      await cleanUp(context, this.#tools);
      await commit(context, this.#tools);
    }
    // Nothing of another tree is loaded as this one.
    const { status } = state.directories.get(ROOT_DIRECTORY);
    if (status !== DirectoryStatus.written || state.failures.count() > 0) requireSameRoot(context);
    if (!state.record.books) await restoreEntries(context, new LeftoverGuard(context, this.#tools));
    const givenUp = await giveUpMoved(context, this.#tools);
    const sourcePlace = await placeWithMounts(context, this.#tools);
    const retried = state.transact(() => {
      state.update({ sourcePlace });
      if (givenUp) {
        // What is listed anew has been counted by nobody.
        state.update({ unheld: undefined });
        const { done, bytes } = state.counters;
        state.update({ sessionStart: { ...state.record.sessionStart, done, bytes } });
        // What waited for it need not any more.
        state.directoryLife.recount();
      }
      const count = retryFailures(state);
      if (count > 0) state.update({ repaired: true });
      return count;
    });
    if (retried > 0) this.#report(`Trying ${retried} failed ${retried === 1 ? 'entry' : 'entries'} again.`);
    progress.begin(this.#recorded, 0, state.openEntries() + retried, traffic);
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

  /** How long workers elsewhere may have an effect when the present session dies, those of sessions before included. */
  #remoteLateMs(): number | undefined {
    const { settings, state, resources } = this.#parts.job;
    const { settled, remoteLateMs = 0 } = state.record;
    const own = !settings.workers ? 0 : (settings.leaseMs ?? LEASE_MS) + resources.remoteLateArrivalMs;
    return Math.max(own, settled ? 0 : remoteLateMs) || undefined;
  }

  /** Whether a session before had brought the job to its end: nothing has changed since. */
  #isCommitting(): boolean {
    const { state } = this.#parts.job;
    if (state.rootSeals.get()) return true;
    const { committing, committed } = state.record;
    const { status } = state.directories.get(ROOT_DIRECTORY);
    return committing && !committed && (status === DirectoryStatus.ready || status === DirectoryStatus.written);
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

  #totals(): string {
    const { filesDone, filesFailed, bytesDone, retries, throttled, requests } = this.#parts.context.progress.snapshot();
    return `${filesDone} entries done, ${filesFailed} failed, ${bytesDone} bytes; ${requests} requests, ${retries} retries, ${throttled} throttled`;
  }
}

function rootName(source: Buffer): Buffer {
  return Buffer.from(basename(source.toString('latin1')), 'latin1');
}

/** Trouble of the database as an error that tells what to do. */
function wrapState(error: unknown): unknown {
  if (error === undefined || error instanceof ClfsError) return error;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && code.includes('SQLITE'))
    return new ClfsError(
      'state',
      `Cannot write the job state: ${messageOf(error)}. Make room or mend the disk, then go on with --new-session=false.`,
      {
        cause: error,
      },
    );
  return error;
}

import { MOST_PERMILLE } from '../books/work-share.js';
import { joinTotals, type Traffic } from '../container/traffic.js';
import { Engine } from '../engine/engine.js';
import { atMost } from '../engine/report.js';
import type { Runner } from '../engine/runner.js';
import { isClfsError } from '../error.js';
import { LEASE_MS } from '../join/open-pool.js';
import { pathBelow, type ReportedFailure, writeFailureReports } from '../log/failure-reports.js';
import { logText } from '../log/log-text.js';
import { joinPath } from '../paths/join-path.js';
import { syncfsTells } from '../posix/syncfs-tells.js';
import type { StateDirectory } from '../state/state-directory.js';
import { writeTrouble } from '../state/write-trouble.js';
import { quotePath } from '../text/escape-path.js';
import { VERSION } from '../version.js';
import { choiceText } from './choice.js';
import type { ExportJobContext } from './job-context.js';
import { LateWrites } from './late-writes.js';
import { type ExportJobOptions, type ExportProgress, type ExportStatus, lateArrivalOf } from './options.js';
import { ExportPlan } from './plan.js';
import { retryFailures } from './retry-failures.js';
import { sampleExport } from './sample-export.js';
import type { ExportRecord } from './state/export-record.js';
import { ROOT_DIRECTORY } from './state/schema.js';
import { KEPT_WHOLE, lossText } from './target/kept-attributes.js';
import type { ExportKinds } from './tasks/kinds.js';
import { EntryPacker } from './tasks/packed-entries.js';
import { stopped } from './tasks/problem.js';

const DEFAULT_MAX_ERRORS = 50;
const PAGE = 1000;
/** How long lanes with something under way are waited for when they are closed: a call of the target may never end. */
const LAST_CALLS_MS = 2000;

/** What a session of an export works with. */
export interface ExportSessionParts {
  readonly options: ExportJobOptions;
  readonly context: ExportJobContext;
  readonly directory: StateDirectory;
  readonly runner: Runner<ExportKinds>;
  /** Of each lane. */
  readonly traffic: readonly Traffic[];
  readonly signal: AbortSignal;
  /** Workers on other machines that are there; undefined where none can be. */
  readonly workers: (() => number) | undefined;
  /** Leave all work to lanes elsewhere. */
  readonly onlyRemote: boolean;
  /** Name and handle of the one file; undefined for a tree. */
  readonly file: { readonly name: Buffer; readonly handle: Uint8Array } | undefined;
}

/** One run of an export, from its state to its end. */
export class ExportSession {
  readonly #parts: ExportSessionParts;
  readonly #begunMs: number;
  readonly #ofBeforeMs: number;
  #doneBefore = 0;
  #phase: 'Export' | 'Done' = 'Export';
  #engine: Engine<ExportKinds> | undefined;

  constructor(parts: ExportSessionParts) {
    this.#parts = parts;
    this.#begunMs = parts.context.clock.monotonic();
    const { remoteLateMs = 0 } = parts.context.state.record;
    // It is not known when that process died: workers may just have heard of it.
    this.#ofBeforeMs = remoteLateMs === 0 ? 0 : this.#begunMs + remoteLateMs;
  }

  /** Runs it. `isSettled`: nothing of it is under way any more. */
  async run(): Promise<{
    readonly status: ExportStatus;
    readonly error: unknown;
    readonly progress: ExportProgress;
    readonly isSettled: boolean;
  }> {
    const { options, context, runner, signal, onlyRemote } = this.#parts;
    const { state, log } = context;
    context.late = new LateWrites({
      clock: context.clock,
      ofBeforeMs: this.#ofBeforeMs,
      lostUntilMs: () => this.#engine?.uncertainUntilMs ?? 0,
      wake: () => this.#engine?.wake(),
      report: (text) => this.#say(text),
    });
    const maxErrors = maxErrorsOf(options);
    let status: ExportStatus;
    let failure: unknown;
    const engine = new Engine({
      plan: new ExportPlan(context, maxErrors),
      store: state,
      clock: context.clock,
      allLanes: options.threads !== undefined,
      onlyRemote,
      cancelled: stopped,
    });
    this.#engine = engine;
    context.wake = () => engine.wake();
    try {
      this.#prepare();
      options.onStart?.(() => this.#progress(), this.#parts.directory.path);
      this.#beginSeries(engine);
      await engine.run(runner, signal);
      state.transact(() => {
        state.failures.dropResolved();
        // What failed was tried, too, however few of its bytes were read.
        const permille = context.total === undefined ? undefined : MOST_PERMILLE;
        state.update({ finished: true, permille });
      });
      status = state.failures.count() > 0 ? 'CompletedWithErrors' : 'Completed';
      if (state.record.asRoot === false)
        this.#say(
          'Owners and set-id bits were not given, which only root may give: the entries that were made are yours.',
        );
    } catch (error) {
      failure = error;
      status = isClfsError(error, 'cancelled') || signal.aborted ? 'Cancelled' : 'Failed';
      // A stop that was asked for is no error.
      log.write(status === 'Cancelled' ? 'INFO' : 'ERROR', `${status}: ${logText(error)}`);
    }
    context.late.close();
    let isSettled = false;
    const closed = runner.close().then(() => {
      isSettled = !engine.abandoned;
    });
    const ended = closed.catch(() => undefined);
    await (engine.settled ? closed : atMost(context.clock, LAST_CALLS_MS, ended));
    try {
      // Nothing is written beside a state that somebody else goes on with.
      state.requireMine();
      context.failed = state.failures.count();
      this.#writeReports();
      this.#phase = 'Done';
      state.series.due();
      state.transact(() => {
        context.recordShare();
        context.recordRead();
        state.update({ finalStatus: status, remoteLateMs: this.#lateAfter() });
      });
    } catch (error) {
      // What ended it before may have come of that.
      failure = isClfsError(error, 'state-busy') ? error : (failure ?? error);
      status = 'Failed';
    }
    log.write('INFO', `totals: ${this.#totals()}`);
    log.write('INFO', `final status: ${status}`);
    return {
      status,
      error: writeTrouble(
        failure,
        `the state of the export in ${JSON.stringify(this.#parts.directory.path)}`,
        'and repeat the export: it goes on',
      ),
      progress: this.#progress(),
      isSettled,
    };
  }

  /** From here on what is done is written into the job's past. */
  #beginSeries(engine: Engine<ExportKinds>): void {
    const { context, runner, traffic } = this.#parts;
    const { series } = context.state;
    context.census.restore(series.pulse()?.census);
    series.begin(() =>
      sampleExport({
        context,
        traffic,
        phase: this.#phase,
        lanes: engine.lanes.end - engine.lanes.first,
        mostLanes: runner.lanes,
        progress: this.#progress(),
      }),
    );
  }

  /** Brings the state to where a session begins: what was claimed waits again, failures are to be tried again. */
  #prepare(): void {
    const { context, file, options } = this.#parts;
    const { threads, workers, capMbps } = options;
    const { state, log } = context;
    const { sessions, jobId } = state.record;
    log.write(
      'INFO',
      `session ${sessions + 1} of export ${jobId}: ${placesText(state.record)}, clfsload ${VERSION}, Node ${process.version}`,
    );
    log.write('INFO', `settings: ${settingsText(state.record, options)}`);
    if (!syncfsTells())
      this.#say(
        'This system tells no program of bytes that a disk refused after they were written: Linux does since 5.8. Look for errors of the disk in the log of the system, and run "clfsload verify" when the export has ended.',
      );
    if (state.record.finished && state.failures.count() === 0)
      this.#say(
        'This export is finished already: everything has been written. What has been changed in the target since is not looked at: "clfsload verify" finds it, and an export with a state of its own mends it.',
      );
    const loss = lossText(state.record.kept ?? KEPT_WHOLE);
    if (loss !== undefined) this.#say(loss);
    const retried = state.transact(() => {
      const begun = { sessions: sessions + 1, finalStatus: '', finished: false };
      state.update({ ...begun, remoteLateMs: this.#lateWhenKilled(), threads, workers, capMbps });
      // What was claimed may have left something, or be what a worker elsewhere has, which goes on with it for a while.
      state.leftovers.addClaimed();
      state.reclaim();
      if (sessions > 0) {
        // To be opened the root may have lost its mode, and takes it again.
        state.directories.reopen(ROOT_DIRECTORY);
        return retryFailures(state);
      }
      if (file) {
        const packer = new EntryPacker();
        packer.add(file.name, file.handle);
        state.chunks.add(ROOT_DIRECTORY, 1, packer.take().entries);
      }
      return 0;
    });
    context.failed = state.failures.count();
    this.#doneBefore = this.#done();
    if (retried > 0) this.#say(`Trying ${retried} failed ${retried === 1 ? 'entry' : 'entries'} again.`);
  }

  /** How long workers can still change something when the present session is killed. */
  #lateWhenKilled(): number | undefined {
    const { options, context } = this.#parts;
    const own = options.workers ? (options.workers.leaseMs ?? LEASE_MS) + lateArrivalOf(options) : 0;
    return Math.max(own, context.state.record.remoteLateMs ?? 0) || undefined;
  }

  /** The same after its end; undefined when nothing is under way any more. */
  #lateAfter(): number | undefined {
    const { context } = this.#parts;
    const isSettled = this.#engine === undefined ? this.#ofBeforeMs === 0 : this.#engine.settled;
    const isOver = isSettled && !context.late?.isOfBefore;
    return isOver ? undefined : context.state.record.remoteLateMs;
  }

  #done(): number {
    const { written, replaced, left } = this.#parts.context.state.counters;
    return written + replaced + left;
  }

  #totals(): string {
    const { written, replaced, left, failed, excluded, bytes } = this.#progress();
    const { requests, retries, throttled } = joinTotals(this.#parts.traffic);
    return `${written} entries written, ${replaced} replaced, ${left} there already, ${failed} failed, ${excluded} left out, ${bytes} bytes; ${requests} requests, ${retries} retries, ${throttled} throttled`;
  }

  #progress(): ExportProgress {
    const { context } = this.#parts;
    const { retries, waitingSince: waitingSinceMs } = joinTotals(this.#parts.traffic);
    return {
      ...context.state.counters,
      failed: context.failed,
      linkCopies: context.state.record.linkCopies ?? 0,
      total: context.total,
      content: context.content(),
      permille: context.state.record.permille ?? 0,
      workers: this.#parts.workers?.(),
      retries,
      waitingSinceMs,
      sessionEntries: this.#done() - this.#doneBefore,
      elapsedMs: context.clock.monotonic() - this.#begunMs,
    };
  }

  #writeReports(): void {
    const { context, directory } = this.#parts;
    writeFailureReports(context.failed > 0, () => reported(context), directory.file);
  }

  #say(text: string): void {
    this.#parts.context.log.write('INFO', text);
    this.#parts.options.onMessage?.(text);
  }
}

function maxErrorsOf({ maxErrors, salvage }: ExportJobOptions): number {
  return maxErrors ?? (salvage ? Number.POSITIVE_INFINITY : DEFAULT_MAX_ERRORS);
}

/** From where to where an export goes. */
function placesText({ container, pathHex, targetHex, nameHex }: ExportRecord): string {
  const path = Buffer.from(pathHex, 'hex');
  const directory = Buffer.from(targetHex, 'hex');
  const target = nameHex === '' ? directory : joinPath(directory, Buffer.from(nameHex, 'hex'));
  return `${container}${path.length === 0 ? '' : `, ${quotePath(path)},`} to ${quotePath(target)}`;
}

/** What a session goes by, on one line. */
function settingsText(record: ExportRecord, options: ExportJobOptions): string {
  const { threads, workers, capMbps = 0 } = options;
  const most = maxErrorsOf(options);
  return [
    `overwrite ${record.overwrite}`,
    `sparse ${record.sparse}`,
    `salvage ${options.salvage === true}`,
    `chosen: ${choiceText(record.choice) || 'everything'}`,
    `failures ${Number.isFinite(most) ? `at most ${most}` : 'without limit'}`,
    `cap ${capMbps === 0 ? 'none' : `${capMbps} Mb/s`}`,
    `threads ${threads ?? 'one a processor'}`,
    `workers ${workers?.workers ?? 'none'}`,
  ].join('; ');
}

function* reported(context: ExportJobContext): Generator<ReportedFailure> {
  const { state } = context;
  const root = Buffer.from(state.record.targetHex, 'hex');
  for (
    let page = state.failures.list(0, PAGE);
    page.length > 0;
    page = state.failures.list(page[page.length - 1].id, PAGE)
  )
    for (const failure of page)
      yield { ...failure, path: pathBelow(root, context.entryPath(failure.directory, failure.name)) };
}

import { join, resolve } from 'node:path';
import { redact } from '../container/azure/container-url.js';
import { parseContainer, placeText } from '../container/open-container.js';
import type { LaneLog } from '../engine/lane.js';
import { ClfsError, isClfsError } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { GEOMETRY } from '../format/geometry.js';
import type { LoadWish, RunSettings } from '../job/load-spec.js';
import { requireServer, requireWorkers } from '../join/open-pool.js';
import { forgetWorkers, WORKERS_FILE, WorkersFile } from '../join/workers-file.js';
import { type JobLog, openJobLog } from '../log/job-log.js';
import { openLz4 } from '../lz4/lz4.js';
import { checkOptions } from '../option-checks.js';
import { SourceGauge } from '../source/source-gauge.js';
import { writeTrouble } from '../state/write-trouble.js';
import { type Clock, systemClock } from '../time/clock.js';
import { JobWaits } from '../waits/job-waits.js';
import { WaitBoard } from '../waits/wait-board.js';
import { unlessStopped } from '../waits/waits.js';
import { createContext } from '../worker/context.js';
import { JobIds } from '../worker/job-ids.js';
import type { JobConstants } from '../worker/tasks.js';
import { warningsBefore } from './before-load.js';
import { Closers } from './closers.js';
import { startEstimate } from './estimate.js';
import { JobContext } from './job-context.js';
import { ManifestFile } from './manifest-file.js';
import { beginJob, type JobStart, type OpenJob, resumeJob } from './open-job.js';
import { openLoadLanes } from './open-lanes.js';
import { LOAD_CHECKS, type LoadOptions, type LoadSummary } from './options.js';
import { createLook, ownContainer } from './own-container.js';
import { Progress } from './progress.js';
import { openResources, requirePlaces } from './resources.js';
import { Session } from './session.js';
import { SourceWatch } from './source-watch.js';

/**
 * Loads a directory tree into an empty container in the CLFS format.
 *
 * Everything that goes wrong once the job has begun is in the summary, with status `Failed`, and the job can be
 * resumed.
 *
 * @throws ClfsError when the job is refused before it begins: `usage`, `source`, `state`, `state-busy`, `container…`,
 * `access-denied`, `service…`; nothing is left behind then
 */
export async function load(options: LoadOptions): Promise<LoadSummary> {
  checkOptions('load', options, LOAD_CHECKS);
  if (!options.statePath) throw new ClfsError('usage', 'please specify a state-path');
  const clock = options.internals?.clock ?? systemClock;
  const signal = options.signal ?? new AbortController().signal;
  const waits = new JobWaits(clock, signal, (text) => options.onEvent?.({ kind: 'message', text }));
  try {
    return await runLoad({ options, statePath: options.statePath, clock, signal, waits });
  } catch (error) {
    // The disk may run full while a job begins, or is taken up again, too.
    throw writeTrouble(error, `the state in ${JSON.stringify(options.statePath)}`, 'then start again in the same way');
  } finally {
    waits.close();
  }
}

/** What one call of {@link load} goes by. */
interface LoadCall {
  readonly options: LoadOptions;
  readonly statePath: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly waits: JobWaits;
}

async function runLoad(call: LoadCall): Promise<LoadSummary> {
  const lz4 = openLz4();
  let log: JobLog | undefined;
  // Nobody keeps what connections tell before there is a log.
  const note: LaneLog = (text, detail) => log?.write(detail ? 'DEBUG' : 'WARNING', text);
  const { job, warnings } = await openJob(call, lz4, note);
  const closers = new Closers();
  closers.add(() => job.directory.release());
  closers.add(() => job.resources.close());
  closers.add(() => job.state.close());
  try {
    const logFile = logFileOf(job);
    const opened = openJobLog(logFile, call.options.logLevel ?? 'INFO', redact);
    log = opened;
    closers.add(() => opened.close());
    call.waits.log = opened;
    return await runSession(call, { job, lz4, logFile, log: opened, note, warnings, closers });
  } finally {
    await closers.close();
  }
}

/** Begins a job, or goes on with it. @returns with what is to be said before it begins */
async function openJob(
  { options, statePath, clock, signal, waits }: LoadCall,
  lz4: Lz4,
  note: LaneLog,
): Promise<{ readonly job: OpenJob; readonly warnings: readonly string[] }> {
  const { internals, newSession } = options;
  let warnings: readonly string[] = [];
  const start: JobStart = {
    statePath,
    wish: wishOf(options),
    settings: settingsOf(options),
    lz4,
    hooks: internals?.hooks ?? {},
    random: internals?.random,
    async check(spec, settings) {
      if (settings.stallWarningMs !== undefined) waits.stalls.stallMs = settings.stallWarningMs;
      await unlessStopped(signal, () => requirePlaces({ spec, settings, options, waits }));
      const { workers, leaseMs } = settings;
      if (workers && !internals?.workers) requireWorkers({ workers, leaseMs });
    },
    async open(spec, settings) {
      const { workers } = settings;
      if (workers && !internals?.workers) await requireServer({ workers }, { signal, isResumed: newSession === false });
      const log: LaneLog = (text, detail) => note(redact(text), detail);
      const opened = await openResources({ spec, settings, options, signal, waits, log });
      warnings = warningsBefore(opened.destination, statePath, clock.now());
      return opened;
    },
  };
  try {
    return { job: await (newSession === false ? resumeJob(start) : beginJob(start)), warnings };
  } catch (error) {
    // What a SAS lacks is why the service has refused, most likely.
    if (isClfsError(error, 'access-denied')) for (const text of warnings) options.onEvent?.({ kind: 'message', text });
    throw error;
  }
}

/** What a session of a job runs with. */
interface OpenedJob {
  readonly job: OpenJob;
  readonly lz4: Lz4;
  readonly logFile: string;
  readonly log: JobLog;
  readonly note: LaneLog;
  readonly warnings: readonly string[];
  /** Takes what is opened for the session. */
  readonly closers: Closers;
}

async function runSession({ options, clock, signal, waits }: LoadCall, opened: OpenedJob): Promise<LoadSummary> {
  const { job, lz4, logFile, log, note, warnings, closers } = opened;
  const { state, directory, spec, settings, resources } = job;
  const { stalls } = waits;
  const { internals } = options;
  const requireMine = () => state.requireMine();
  const look = createLook(requireMine, clock);
  resources.begun(look);
  forgetWorkers(directory.file(WORKERS_FILE));
  let manifest: ManifestFile | undefined;
  if (spec.manifest !== undefined) {
    const file = new ManifestFile((name) => directory.file(name), state);
    closers.add(() => file.close());
    manifest = file;
  }
  const constants = constantsOf(job, options);
  const progress = new Progress(clock);
  const ids = new JobIds(constants.secret, constants.containerId);
  const sourcePlace = () => resources.source.place?.();
  const context = new JobContext({ state, ids, constants, progress, log, clock, manifest, sourcePlace });
  const gauge = new SourceGauge(resources.threads + 2);
  const watch = new SourceWatch(context, gauge, stalls);
  closers.add(() => watch.stop());
  // A source that does not answer must not hold up this thread.
  const work = createContext(constants, resources.source, ownContainer(resources.container, look), lz4, 1, clock, {
    mayBlock: false,
    gauge,
    waits: stalls.add(new WaitBoard()),
  });
  progress.checksListing = settings.checkListing !== false;
  if (options.knownSize) progress.setSized(options.knownSize.entries, options.knownSize.bytes, true);
  else if (settings.estimate !== false && !internals?.container) {
    const { memory } = stalls.add(new WaitBoard());
    const setup = { spec, root: resources.source.root, geometry: constants.geometry, waits: memory };
    const sizing = startEstimate(setup, progress);
    closers.add(() => sizing.stop());
  }
  const { runner, pool } = await openLoadLanes({
    job,
    constants,
    work,
    internals,
    lz4,
    clock,
    gauge,
    stalls,
    signal,
    note,
    detailed: log.includes('DEBUG'),
    report(text) {
      log.write('INFO', text);
      options.onEvent?.({ kind: 'message', text });
    },
  });
  closers.add(() => runner.close());
  if (pool) {
    progress.workers = () => pool.workers.present.length;
    const file = new WorkersFile(directory.file(WORKERS_FILE), clock, () => pool.workers.presence, requireMine);
    closers.add(() => file.close());
  }
  const onStart: LoadOptions['onStart'] = (snapshot) => {
    waits.isShown = options.onStart !== undefined;
    options.onStart?.(snapshot);
  };
  const { traffic } = resources;
  const parts = { options: { ...options, onStart }, logFile, job, context, work, watch, stalls };
  return new Session({ ...parts, runner, lz4, traffic, signal, warnings }).run();
}

function logFileOf({ state, directory, settings: { logDirectory } }: OpenJob): string {
  return logDirectory === undefined
    ? directory.file('clfsload.log')
    : join(resolve(logDirectory), `${state.record.jobId}.log`);
}

function constantsOf({ state, spec }: OpenJob, { internals }: LoadOptions): JobConstants {
  const { secretHex, containerId, fsid } = state.record;
  return { spec, secret: Buffer.from(secretHex, 'hex'), containerId, fsid, geometry: internals?.geometry ?? GEOMETRY };
}

function wishOf({ source, destination, compression, preserveHardLinks, selection, manifest }: LoadOptions): LoadWish {
  return {
    source: source === undefined ? undefined : absolutePath(source),
    container: destination === undefined ? undefined : placeText(parseContainer(destination).place),
    compression,
    preserveHardLinks,
    selection,
    manifest,
  };
}

const SETTINGS = [
  'maxErrors',
  'capMbps',
  'concurrency',
  'threads',
  'estimate',
  'logDirectory',
  'retryWindowMs',
  'lateArrivalMs',
  'workers',
  'leaseMs',
  'stallWarningMs',
  'checkListing',
] as const satisfies readonly (keyof RunSettings)[];

/** The settings that are given: those that are not leave what was before. */
function settingsOf(options: LoadOptions): RunSettings {
  return Object.fromEntries(
    SETTINGS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}

function absolutePath(source: string | Uint8Array): Buffer {
  if (typeof source === 'string') return Buffer.from(resolve(source));
  const bytes = Buffer.from(source);
  return bytes[0] === 0x2f ? bytes : Buffer.concat([Buffer.from(`${resolve('.')}/`), bytes]);
}

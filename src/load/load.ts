import { join, resolve } from 'node:path';
import type { Authorization } from '../container/azure/authorization.js';
import { redact } from '../container/azure/container-url.js';
import { parseContainer, placeText } from '../container/open-container.js';
import { Traffic } from '../container/traffic.js';
import { createInlineRunner } from '../engine/inline-runner.js';
import { joinRunners } from '../engine/joined-runner.js';
import type { LaneLog } from '../engine/lane.js';
import type { Runner } from '../engine/runner.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import { ClfsError, isClfsError } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { GEOMETRY } from '../format/geometry.js';
import type { LoadWish, RunSettings } from '../job/load-spec.js';
import { requireServer, requireWorkers } from '../join/open-pool.js';
import { WORKERS_FILE, WorkersFile } from '../join/workers-file.js';
import { type JobLog, openJobLog } from '../log/job-log.js';
import { openLz4 } from '../lz4/lz4.js';
import { checkOptions } from '../option-checks.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { RemotePool } from '../remote/remote-pool.js';
import { SourceGauge } from '../source/source-gauge.js';
import { writeTrouble } from '../state/write-trouble.js';
import { type Clock, systemClock } from '../time/clock.js';
import { JobWaits } from '../waits/job-waits.js';
import type { StallReport } from '../waits/stall-report.js';
import { WaitBoard } from '../waits/wait-board.js';
import { unlessStopped } from '../waits/waits.js';
import { createContext } from '../worker/context.js';
import { encoderOf } from '../worker/encoder.js';
import { JobIds } from '../worker/job-ids.js';
import {
  type LaneSetup,
  openLoadLane,
  shareLoadLane,
  THREAD_ENTRY,
  type ThreadLaneSetup,
} from '../worker/open-lane.js';
import type { JobConstants, LoadKinds } from '../worker/tasks.js';
import { warningsBefore } from './before-load.js';
import { startEstimate } from './estimate.js';
import { JobContext } from './job-context.js';
import { type LoadWorkersParts, openLoadWorkers } from './load-workers.js';
import { ManifestFile } from './manifest-file.js';
import { beginJob, type OpenJob, resumeJob } from './open-job.js';
import { LOAD_CHECKS, type LoadOptions, type LoadSummary } from './options.js';
import { createLook, ownContainer } from './own-container.js';
import { Progress } from './progress.js';
import { openResources, requirePlaces } from './resources.js';
import { Session } from './session.js';
import { isFinished } from './session-decisions.js';
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
    return await runLoad(options, options.statePath, clock, signal, waits);
  } catch (error) {
    // The disk may run full while a job begins, or is taken up again, too.
    throw writeTrouble(error, `the state in ${JSON.stringify(options.statePath)}`, 'then start again in the same way');
  } finally {
    waits.close();
  }
}

async function runLoad(
  options: LoadOptions,
  statePath: string,
  clock: Clock,
  signal: AbortSignal,
  waits: JobWaits,
): Promise<LoadSummary> {
  const { internals, newSession } = options;
  const lz4 = openLz4();
  let log: JobLog | undefined;
  const note: LaneLog = (text, detail) => log?.write(detail ? 'DEBUG' : 'WARNING', text);
  let warnings: readonly string[] = [];
  const job = await (newSession === false ? resumeJob : beginJob)({
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
      if (workers && !internals?.workers) await requireServer({ workers }, signal);
      const opened = await openResources({
        spec,
        settings,
        options,
        signal,
        waits,
        log: (text, detail) => note(redact(text), detail),
      });
      warnings = warningsBefore(opened.destination, statePath, clock.now());
      return opened;
    },
  }).catch((error) => {
    // What a SAS lacks is why the service has refused, most likely.
    if (isClfsError(error, 'access-denied')) for (const text of warnings) options.onEvent?.({ kind: 'message', text });
    throw error;
  });
  const { state, directory, spec, settings, resources } = job;
  const progress = new Progress(clock);
  const requireMine = () => state.requireMine();
  const look = createLook(requireMine, clock);
  resources.begun(look);
  let manifest: ManifestFile | undefined;
  let sizing: ReturnType<typeof startEstimate> | undefined;
  let runner: Runner<LoadKinds> | undefined;
  let watch: SourceWatch | undefined;
  let workersFile: WorkersFile | undefined;
  try {
    const constants = constantsOf(job, options);
    const { jobId } = state.record;
    const logFile =
      settings.logDirectory === undefined
        ? directory.file('clfsload.log')
        : join(resolve(settings.logDirectory), `${jobId}.log`);
    log = openJobLog(logFile, options.logLevel ?? 'INFO', redact);
    waits.log = log;
    if (spec.manifest !== undefined) manifest = new ManifestFile((name) => directory.file(name), state);
    const ids = new JobIds(constants.secret, constants.containerId);
    const sourcePlace = () => resources.source.place?.();
    const context = new JobContext({ state, ids, constants, progress, log, clock, manifest, sourcePlace });
    const gauge = new SourceGauge(resources.threads + 2);
    const { stalls } = waits;
    watch = new SourceWatch(context, gauge, stalls);
    // A source that does not answer must not hold up this thread.
    const work = createContext(constants, resources.source, ownContainer(resources.container, look), lz4, 1, clock, {
      mayBlock: false,
      gauge,
      waits: stalls.add(new WaitBoard()),
    });
    progress.checksListing = settings.checkListing !== false;
    if (options.knownSize) progress.setSized(options.knownSize.entries, options.knownSize.bytes, true);
    else if (settings.estimate !== false && !internals?.container) {
      sizing = startEstimate(
        {
          spec,
          root: resources.source.root,
          geometry: constants.geometry,
          waits: stalls.add(new WaitBoard()).memory,
        },
        progress,
      );
    }
    const own = internals?.container
      ? createInlineRunner(shareLoadLane(work))
      : await openRunner(job, constants, gauge, stalls, note, log.includes('DEBUG'), signal);
    runner = own;
    const report = (text: string) => {
      log?.write('INFO', text);
      options.onEvent?.({ kind: 'message', text });
    };
    const pool = await openPool(
      job,
      constants,
      lz4,
      { ownLanes: own.lanes, clock, signal, report },
      internals?.workers,
    );
    if (pool) {
      runner = joinRunners(own, pool);
      progress.workers = () => pool.workers.present.length;
      workersFile = new WorkersFile(directory.file(WORKERS_FILE), clock, () => pool.workers.presence, requireMine);
    }
    const onStart: LoadOptions['onStart'] = (snapshot) => {
      waits.isShown = options.onStart !== undefined;
      options.onStart?.(snapshot);
    };
    const parts = {
      options: { ...options, onStart },
      logFile,
      job,
      context,
      work,
      watch,
      stalls,
      runner,
      lz4,
      traffic: resources.traffic,
      signal,
      warnings,
    };
    return await new Session(parts).run();
  } finally {
    sizing?.stop();
    watch?.stop();
    workersFile?.close();
    try {
      await runner?.close();
      log?.close();
      manifest?.close();
    } finally {
      state.close();
      await resources.close().finally(() => directory.release());
    }
  }
}

function constantsOf({ state, spec }: OpenJob, { internals }: LoadOptions): JobConstants {
  const { secretHex, containerId, fsid } = state.record;
  return { spec, secret: Buffer.from(secretHex, 'hex'), containerId, fsid, geometry: internals?.geometry ?? GEOMETRY };
}

/** Lanes elsewhere, when there is a server for them. */
async function openPool(
  job: OpenJob,
  constants: JobConstants,
  lz4: Lz4,
  { ownLanes, ...parts }: Pick<LoadWorkersParts, 'ownLanes' | 'clock' | 'signal' | 'report'>,
  open: OpenDriverLink | undefined,
): Promise<RemotePool<LoadKinds> | undefined> {
  const { resources, spec, settings, state } = job;
  // Of a job that is finished there is nothing left to do.
  if (!settings.workers || isFinished(state.record)) return undefined;
  const { destination, threads } = resources;
  return openLoadWorkers(
    {
      job,
      setup: { place: destination.place, constants, encoder: encoderOf(spec, lz4) },
      ownLanes: threads === 0 ? 0 : ownLanes,
      traffic: new Traffic(resources.traffic.memory, resources.traffic.slots - 1),
      ...parts,
    },
    open,
  );
}

/** The lane of the calling thread, and those of threads. */
async function openRunner(
  { resources: { destination, identity, source, traffic, threads }, settings }: OpenJob,
  constants: JobConstants,
  gauge: SourceGauge,
  stalls: StallReport,
  onLog: LaneLog,
  detailed: boolean,
  signal: AbortSignal,
): Promise<Runner<LoadKinds>> {
  const concurrency = settings.concurrency
    ? Math.max(1, Math.round(settings.concurrency / Math.max(1, threads)))
    : undefined;
  const { retryWindowMs, capMbps, lateArrivalMs } = settings;
  const lane: LaneSetup = {
    detailed,
    place: destination.place,
    constants,
    settings: { retryWindowMs, concurrency, capMbps, lateArrivalMs },
    lanes: threads + 1,
    root: source.root,
    gauge: gauge.memory,
    gaugeSlot: 1,
    waits: stalls.add(new WaitBoard()).memory,
    mayBlock: false,
  };
  // Its container may not answer any more.
  const own = await unlessStopped(
    signal,
    () => openLoadLane(lane, identity.authorization, new Traffic(traffic.memory, 1), onLog),
    (late) => late.abandon(),
  );
  // A lane that has but its share of a fixed number of requests waits where others would not.
  const neverBlocks = source.isRemote === true && destination.place.kind !== 'local' && concurrency === undefined;
  if (threads === 0) return createInlineRunner(own);
  const inThreads = createThreadRunner<LoadKinds, ThreadLaneSetup, Authorization>({
    lanes: threads,
    entry: THREAD_ENTRY,
    // Slots 0 and 1 are this thread's own.
    setupOf: (at) => ({
      ...lane,
      mayBlock: true,
      gaugeSlot: at + 2,
      waits: stalls.add(new WaitBoard()).memory,
      authorization: identity.authorization,
      traffic: traffic.memory,
      slot: at + 2,
    }),
    log: onLog,
  });
  identity.onRenewed((authorization) => inThreads.update(authorization));
  return joinRunners(createInlineRunner(own, neverBlocks), inThreads);
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

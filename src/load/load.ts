import { constants as access, accessSync, existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { redact } from '../container/azure/container-url.js';
import { systemClock } from '../container/clock.js';
import type { Container } from '../container/container.js';
import { makeLocalContainer } from '../container/local-container.js';
import { openContainer, parseContainer } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import { Traffic } from '../container/traffic.js';
import { ClfsError, messageOf } from '../error.js';
import { GEOMETRY } from '../format/geometry.js';
import { openIdentity } from '../identity/identity.js';
import { type JobLog, openJobLog } from '../log/job-log.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { EVERYTHING, selectFrom } from '../source/selection.js';
import { requireApart } from '../state/state-directory.js';
import { VERSION } from '../version.js';
import { createContext } from '../worker/context.js';
import { createInlineRunner } from '../worker/inline-runner.js';
import { JobIds } from '../worker/job-ids.js';
import { joinRunners } from '../worker/joined-runner.js';
import { type LaneSetup, openLane } from '../worker/open-lane.js';
import type { SizeSetup } from '../worker/size-protocol.js';
import type { JobConstants } from '../worker/tasks.js';
import { createThreadRunner } from '../worker/thread-runner.js';
import { warningsBefore } from './before-load.js';
import { JobContext } from './job-context.js';
import { ManifestFile } from './manifest-file.js';
import { beginJob, type JobWish, type OpenJob, resumeJob } from './open-job.js';
import type { LoadOptions, LoadSummary } from './options.js';
import { Progress } from './progress.js';
import { Session } from './session.js';
import { sizeBeside } from './size-beside.js';

const MOST_THREADS = 16;
/** While nothing has begun, a service that does not answer is an error soon. */
const FIRST_RETRY_WINDOW_MS = 15_000;

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
  const progress = new Progress(clock);
  const sourcePath = absolutePath(options.source);
  const destination = parseContainer(options.destination);
  if (!options.statePath) throw new ClfsError('usage', 'please specify a state-path');
  requirePathsApart(
    sourcePath,
    options.statePath,
    destination.place.kind === 'local' && !options.internals?.container ? destination.place.directory : undefined,
  );
  requireWritable(options);
  const opened = openPosixSource(sourcePath);
  const selection = options.selection ?? EVERYTHING;
  const source = selectFrom(options.internals?.wrapSource?.(opened) ?? opened, selection);
  const lz4 = openLz4();
  const threads = options.threads ?? Math.min(MOST_THREADS, availableParallelism());
  // The first place is this thread's own, the second that of its lane.
  const traffic = new Traffic(threads + 2);
  const signal = options.signal ?? new AbortController().signal;
  let log: JobLog | undefined;
  const identity = await openIdentity(destination, { ...options.identity, onTrouble: (text) => log?.write('WARNING', redact(text)) }).catch((error) => {
    source.close();
    throw error;
  });
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
    return openContainer(destination.place, identity.authorization, serviceOptions);
  };
  const wish: JobWish = {
    source: sourcePath,
    destination,
    statePath: options.statePath,
    compress: (options.compression ?? 'LZ4') === 'LZ4',
    preserveHardLinks: options.preserveHardLinks ?? false,
    selection,
    manifest: options.manifest !== undefined,
    program: VERSION,
  };
  let job: OpenJob & { readonly container: Container };
  try {
    const hooks = options.internals?.hooks ?? {};
    job = options.newSession === false ? await resumeJob(wish, open, lz4, hooks) : await beginJob(wish, open, lz4, hooks, options.internals?.random);
  } catch (error) {
    identity.close();
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
    manifest: record.manifestBytes !== undefined,
    geometry: options.internals?.geometry ?? GEOMETRY,
  };
  const setup: SizeSetup = { source: sourcePath, selection, preserveHardLinks: constants.preserveHardLinks, geometry: constants.geometry };
  const work = createContext(constants, source, job.container, lz4, 1, clock);
  const logFile = options.logDirectory === undefined ? job.directory.file('clfsload.log') : join(resolve(options.logDirectory), `${record.jobId}.log`);
  let manifest: ManifestFile | undefined;
  const sizing = options.estimate === false || options.knownSize || options.internals?.container ? undefined : sizeBeside(setup, progress);
  if (options.knownSize) progress.setSized(options.knownSize.entries, options.knownSize.bytes, true);
  const lane: LaneSetup = {
    source: sourcePath,
    selection,
    place: destination.place,
    constants,
    retryWindowMs: options.retryWindowMs ?? Number.POSITIVE_INFINITY,
    concurrency: options.concurrency === undefined ? undefined : Math.max(1, Math.round(options.concurrency / threads)),
    capMbps: options.capMbps ?? 0,
    lateArrivalMs: options.lateArrivalMs,
    lanes: threads + 1,
  };
  const openRunner = async () => {
    if (options.internals?.container) return createInlineRunner(work);
    const onLog = (text: string) => log?.write('WARNING', text);
    const own = await openLane(lane, identity.authorization, new Traffic(traffic.memory, 1), onLog);
    const created = joinRunners(
      createInlineRunner(own, () => own.container.close()),
      createThreadRunner(threads, { ...lane, authorization: identity.authorization, traffic: traffic.memory }, onLog),
    );
    identity.onRenewed((authorization) => created.authorize(authorization));
    return created;
  };
  try {
    log = openJobLog(logFile, options.logLevel ?? 'INFO', redact);
    if (constants.manifest) manifest = new ManifestFile((name) => job.directory.file(name), job.state);
    const ids = new JobIds(constants.secret, constants.containerId);
    const context = new JobContext({ state: job.state, ids, constants, progress, log, clock, manifest });
    const runner = await openRunner();
    const warnings = warningsBefore(destination, options.statePath, clock.now());
    const parts = { options, logFile, job, context, work, runner, lz4, traffic, signal, root: sourcePath, warnings };
    return await new Session(parts).run();
  } finally {
    sizing?.stop();
    identity.close();
    log?.close();
    manifest?.close();
    job.state.close();
    source.close();
    await job.container.close();
    job.directory.release();
  }
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

/** What is written outside the state directory is found out about before anything begins. @throws ClfsError `usage` */
function requireWritable({ logDirectory, manifest }: LoadOptions): void {
  const check = (what: string, directory: string, prepare?: () => unknown) => {
    try {
      prepare?.();
      accessSync(directory, access.W_OK);
    } catch (error) {
      throw new ClfsError('usage', `Cannot write the ${what} to ${JSON.stringify(directory)}: ${messageOf(error)}.`, { cause: error });
    }
  };
  if (logDirectory !== undefined) {
    check('log', logDirectory, () => existsSync(logDirectory) || mkdirSync(logDirectory));
  }
  if (manifest !== undefined) check('manifest', dirname(resolve(manifest)));
}

function requirePathsApart(source: Buffer, statePath: string, destination: string | undefined): void {
  const src = { what: 'source', path: source };
  const state = { what: 'state directory', path: statePath };
  requireApart(state, src);
  if (destination === undefined) return;
  requireApart({ what: 'destination', path: destination }, src);
  requireApart(state, { what: 'destination', path: destination });
}

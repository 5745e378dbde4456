import { constants } from 'node:fs';
import { access, mkdir, realpath, rmdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { Container } from '../container/container.js';
import { makeLocalContainer } from '../container/local-container.js';
import { openContainer, type ParsedContainer, parseContainer } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import { Traffic } from '../container/traffic.js';
import type { LaneLog } from '../engine/lane.js';
import { atMost } from '../engine/report.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import { type Identity, openIdentity } from '../identity/identity.js';
import { type LoadSpec, type RunSettings, sourcePath } from '../job/load-spec.js';
import { type NamedPlace, namedPlace, requireApart, requireNotInside } from '../paths/places-apart.js';
import { openSource } from '../source/posix-source.js';
import { selectFrom } from '../source/selection.js';
import type { SourceTree } from '../source/source-tree.js';
import { systemClock } from '../time/clock.js';
import type { JobWaits } from '../waits/job-waits.js';
import type { LoadOptions } from './options.js';

const MOST_THREADS = 16;
/** What a machine that was frozen has sent to a container on disk may take effect when it goes on. */
const LATE_ON_DISK_MS = 235_000;
/** How long a container that does not answer is waited for when it is to be left as it was. */
const LAST_CALLS_MS = 2000;
/** Retry window until the job has begun, where none is named: a service that does not answer is then an error soon. */
const FIRST_RETRY_WINDOW_MS = 15_000;

/** What a load has open in its own thread, beside its state. */
export interface LoadResources {
  readonly destination: ParsedContainer;
  readonly identity: Identity;
  readonly source: SourceTree;
  readonly container: Container;
  /** Threads that work, beside the calling one. */
  readonly threads: number;
  /** Counts of requests: the first place is the calling thread's own, the second that of its lane. */
  readonly traffic: Traffic;
  /** Longest time after which a put of a worker elsewhere, that was given up, can still take effect. */
  readonly remoteLateArrivalMs: number;
  /**
   * The job has begun: from here on an outage is waited for.
   *
   * @param look throws when somebody else goes on with the job: asked before each try to change the container
   */
  begun(look: () => void): void;
  /**
   * Removes the directory of a container that was made for a job which was refused, unless another job uses it by now.
   */
  discard(): Promise<void>;
  close(): Promise<void>;
}

/** What resources are opened with. */
export interface ResourceNeeds {
  readonly spec: LoadSpec;
  readonly settings: RunSettings;
  readonly options: LoadOptions;
  readonly signal: AbortSignal;
  readonly waits: JobWaits;
  /** Takes trouble with the identity, and details where they are wanted, once the log is open. */
  readonly log: LaneLog;
}

/**
 * Finds out whether source, container and state are places that a load can use, before anything is touched.
 *
 * @throws ClfsError `usage`
 */
export async function requirePlaces({
  spec,
  settings,
  options,
  waits,
}: Pick<ResourceNeeds, 'spec' | 'settings' | 'options' | 'waits'>): Promise<void> {
  const destination = parseContainer(options.destination ?? spec.container);
  if (settings.capMbps && localDirectory(destination, options) !== undefined)
    throw new ClfsError(
      'usage',
      '--cap-mbps holds what is sent to a service to a rate, and a container on disk has none: leave it out, or name 0.',
    );
  // Whichever does not answer is named.
  const local = localDirectory(destination, options);
  const source = await waits.of('source').during(sourcePath(spec), () => namedPlace('source', sourcePath(spec)));
  const container = local && (await waits.of('container').during(local, () => namedPlace('destination', local)));
  const place = 'state directory';
  const state = await waits.of(place).during(options.statePath, () => namedPlace(place, options.statePath));
  requireApart(state, source);
  if (container) {
    requireApart(container, source);
    requireApart(state, container);
  }
  const written = { 'log directory': settings.logDirectory, manifest: spec.manifest };
  for (const place of container ? [source, container] : [source]) await requireOutside(place, written);
  await requireWritable(settings.logDirectory, spec.manifest);
}

/** Where a container on disk is; undefined for one of a service. */
function localDirectory({ place }: ParsedContainer, { internals }: LoadOptions): string | undefined {
  return place.kind === 'local' && !internals?.container ? place.directory : undefined;
}

/**
 * Opens source, identity and container.
 *
 * @throws ClfsError `usage`, `source`, `container…`, `access-denied`, `service…`; nothing is left open then
 */
export async function openResources({
  spec,
  settings,
  options,
  signal,
  waits,
  log,
}: ResourceNeeds): Promise<LoadResources> {
  const destination = parseContainer(options.destination ?? spec.container);
  const local = localDirectory(destination, options);
  const tree = await waits.of('source').during(
    sourcePath(spec),
    () => openSource(sourcePath(spec)),
    (late) => late.close(),
  );
  const source = selectFrom(options.internals?.wrapSource?.(tree) ?? tree, spec.selection);
  let identity: Identity | undefined;
  let made: string | undefined;
  const threads = settings.threads ?? Math.min(MOST_THREADS, availableParallelism());
  const traffic = new Traffic(threads + (settings.workers ? 3 : 2));
  // The container goes by what this says at the moment: `begun` changes it.
  const service = {
    retryWindowMs: settings.retryWindowMs ?? FIRST_RETRY_WINDOW_MS,
    traffic,
    rateLimit: settings.capMbps ? createRateLimit(settings.capMbps, traffic) : undefined,
    lateArrivalMs: settings.lateArrivalMs,
    onDetail: options.logLevel === 'DEBUG' ? (text: string) => log(text, true) : undefined,
    onWaiting: (text: string) => options.onEvent?.({ kind: 'message', text }),
    signal,
    waits: waits.slot('container'),
    mayBlock: false,
    maySend: () => true,
  };
  const discard = async () => {
    if (made !== undefined) await atMost(systemClock, LAST_CALLS_MS, removeIfEmpty(made));
  };
  try {
    identity = await openIdentity(destination, { ...options.identity, onTrouble: (text) => log(text) });
    if (local !== undefined && options.newSession !== false) {
      const isNew = await waits.of('container').during(local, () => makeLocalContainer(local));
      if (isNew) made = local;
    }
    const container =
      options.internals?.container ?? (await openContainer(destination.place, identity.authorization, service));
    const close = async () => {
      identity?.close();
      source.close();
      await container.close();
    };
    const begun = (look: () => void) => {
      service.maySend = () => {
        try {
          look();
          return true;
        } catch (error) {
          // A state that cannot be read ends the job by its next transaction, with the reason.
          return !isClfsError(error, 'state-busy');
        }
      };
      service.retryWindowMs = settings.retryWindowMs ?? Number.POSITIVE_INFINITY;
    };
    const remoteLateArrivalMs = settings.lateArrivalMs ?? (container.lateArrivalMs || LATE_ON_DISK_MS);
    const opened = { destination, identity, source, container, threads, traffic, remoteLateArrivalMs };
    return { ...opened, begun, discard, close };
  } catch (error) {
    identity?.close();
    source.close();
    await discard();
    throw error;
  }
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch {
    // It is not empty: somebody uses it.
  }
}

/** Checks, before anything begins, that files outside the state directory can be written. @throws ClfsError `usage` */
async function requireWritable(logDirectory: string | undefined, manifest: string | undefined): Promise<void> {
  const check = async (what: string, directory: string, prepare?: () => Promise<unknown>) => {
    try {
      await prepare?.();
      await access(directory, constants.W_OK);
    } catch (error) {
      throw new ClfsError('usage', `Cannot write the ${what} to ${JSON.stringify(directory)}: ${messageOf(error)}.`, {
        cause: error,
      });
    }
  };
  if (logDirectory !== undefined)
    // What is there already is no trouble; what it is, is seen when it is written to.
    await check('log', logDirectory, () => mkdir(logDirectory).catch(rethrowUnless('EEXIST')));
  if (manifest === undefined) return;
  const there = await stat(manifest).catch(() => undefined);
  if (there?.isDirectory())
    throw new ClfsError('usage', `Cannot write the manifest ${JSON.stringify(manifest)}: it is a directory.`);
  // A device or a pipe is written to, as it is; a file is replaced, where it really is.
  if (there && !there.isFile()) await check('manifest', manifest);
  else await check('manifest', dirname(there ? await realpath(manifest) : manifest));
}

function rethrowUnless(code: string): (error: unknown) => void {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
  };
}

/** What is written beside the load must not be in the source, nor in a container on disk. @throws ClfsError `usage` */
async function requireOutside(outer: NamedPlace, places: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [what, path] of Object.entries(places))
    if (path !== undefined) requireNotInside(await namedPlace(what, path), outer);
}

import type { Authorization } from '../container/azure/authorization.js';
import type { Container } from '../container/container.js';
import type { ContainerPlace } from '../container/open-container.js';
import type { ReadCap } from '../container/read-cap.js';
import { Traffic } from '../container/traffic.js';
import { createInlineRunner } from '../engine/inline-runner.js';
import { joinRunners } from '../engine/joined-runner.js';
import type { LaneLog } from '../engine/lane.js';
import type { Runner } from '../engine/runner.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import { isClfsError } from '../error.js';
import type { Identity } from '../identity/identity.js';
import type { JobLog } from '../log/job-log.js';
import type { ReaderOverlay } from '../namespace/reader.js';
import type { SharedObjects } from '../namespace/shared-objects.js';
import { threadCount } from '../posix/descriptors.js';
import type { RemotePool } from '../remote/remote-pool.js';
import { systemClock } from '../time/clock.js';
import type { StallReport } from '../waits/stall-report.js';
import { WaitBoard } from '../waits/wait-board.js';
import { unlessStopped } from '../waits/waits.js';
import { EXPORT_ENTRY } from './export-entry.js';
import { endProbe, openExportPool } from './export-pool.js';
import type { OpenTarget } from './open-target.js';
import { type ExportJobOptions, lateArrivalOf } from './options.js';
import type { ExportRecord } from './state/export-record.js';
import type { ExportConstants, ExportKinds } from './tasks/kinds.js';
import { type ExportLaneSetup, openExportLane, type ThreadExportSetup } from './tasks/open-lane.js';

/** How long an unreachable service is waited for, where nothing else is said. */
export const DEFAULT_RETRY_WINDOW_MS = 60_000;

/** What the lanes of an export are opened with. */
interface LanesParts {
  readonly options: ExportJobOptions;
  readonly place: ContainerPlace;
  /** It, open. */
  readonly container: Container;
  readonly identity: Identity;
  /** What all lanes here read is held to it; undefined: no cap. */
  readonly cap?: ReadCap;
  /** What is read in place of the container's own tree. */
  readonly overlay: ReaderOverlay | undefined;
  readonly record: ExportRecord;
  readonly constants: ExportConstants;
  /** The container's listing; undefined: each object is asked for. */
  readonly objects: SharedObjects | undefined;
  readonly target: OpenTarget;
  readonly log: JobLog;
  /** Told what lanes wait for. */
  readonly stalls: StallReport;
}

/** Lanes of an export that are open. */
interface ExportLanes {
  readonly runner: Runner<ExportKinds>;
  /** Those elsewhere; undefined: there are none. */
  readonly pool: RemotePool<ExportKinds> | undefined;
  /** Of each lane, and of all that are elsewhere. */
  readonly traffic: readonly Traffic[];
  /** When the runner has been closed. */
  close(): Promise<void>;
}

/** Whether all work is left to lanes elsewhere. */
export function isOnlyRemote({ workers, threads }: ExportJobOptions): boolean {
  return workers !== undefined && threads === 0;
}

/** Opens the lanes of an export. @throws ClfsError as the container says; `workers`, `target` */
export async function openExportLanes(parts: LanesParts): Promise<ExportLanes> {
  const { runner: own, traffic } = await openOwn(parts);
  const { workers } = parts.options;
  if (!workers) return { runner: own, pool: undefined, traffic, close: async () => undefined };
  const close = () => quietly(() => endProbe(parts.target, parts.constants));
  try {
    const sent = new Traffic(1);
    const pool = await openPool(parts, workers, own.lanes, sent);
    return { runner: joinRunners(own, pool), pool, traffic: [...traffic, sent], close };
  } catch (error) {
    await close();
    await own.close();
    throw error;
  }
}

function openPool(
  { options, place, container, cap, record, constants, objects, target, log }: LanesParts,
  wish: NonNullable<ExportJobOptions['workers']>,
  ownLanes: number,
  traffic: Traffic,
): Promise<RemotePool<ExportKinds>> {
  const { internals = {}, retryWindowMs = DEFAULT_RETRY_WINDOW_MS, stallWarningMs, onMessage } = options;
  const parts = {
    wish,
    place,
    container,
    record,
    constants,
    retryWindowMs,
    stallWarningMs,
    lateArrivalMs: lateArrivalOf(options),
    objects,
    target,
    ownLanes: isOnlyRemote(options) ? 0 : ownLanes,
    capMbps: cap?.mbps,
    ownShare: (megabitsPerSecond: number) => cap?.change(megabitsPerSecond),
    traffic,
    signal: options.signal,
    clock: internals.clock ?? systemClock,
    report(text: string) {
      log.write('INFO', text);
      onMessage?.(text);
    },
  };
  return openExportPool(parts, internals.workers);
}

/** The lane of the calling thread, and those of threads. */
async function openOwn({
  options,
  place,
  identity,
  cap,
  overlay,
  constants,
  objects,
  target,
  log,
  stalls,
}: LanesParts): Promise<Pick<ExportLanes, 'runner' | 'traffic'>> {
  const { internals = {}, retryWindowMs = DEFAULT_RETRY_WINDOW_MS } = options;
  const { authorization } = identity;
  // The salvaged tree is read where it was put together.
  const threads = internals.container || overlay ? 0 : threadCount(options.threads);
  // Each lane has a description of its own, from the start: so each hears of what the system could not write.
  const roots = await Promise.all(Array.from({ length: threads + 1 }, () => target.openAgain()));
  // A lane's own, since the number of connections that it may have goes by the places in it.
  const traffic = roots.map(() => new Traffic(1));
  const { mounted, isRemote } = target;
  const reading = { place, retryWindowMs, objects, cap: cap?.memory };
  const setup: Omit<ExportLaneSetup, 'root' | 'traffic' | 'waits'> = {
    ...reading,
    constants,
    mounted,
    isRemote,
    lanes: threads + 1,
    mayBlock: true,
  };
  const note: LaneLog = (text, detail) => log.write(detail ? 'INFO' : 'WARNING', text);
  // Its thread carries the line of progress, and the stop.
  const waits = () => stalls.add(new WaitBoard()).memory;
  const ownSetup = {
    ...setup,
    waits: waits(),
    root: roots[threads],
    traffic: traffic[threads].memory,
    mayBlock: false,
  };
  const { container, clock, calls, laterCalls } = internals;
  const ways = calls && { now: calls, later: laterCalls, mayBlock: laterCalls === undefined };
  // Its container may not answer any more.
  const lane = await unlessStopped(
    options.signal ?? new AbortController().signal,
    () => openExportLane(ownSetup, authorization, { container, clock, ways, overlay, log: note }),
    (late) => late.abandon(),
  );
  const own = createInlineRunner(lane, isRemote && place.kind !== 'local');
  if (threads === 0) return { runner: own, traffic };
  const inThreads = createThreadRunner<ExportKinds, ThreadExportSetup, Authorization>({
    lanes: threads,
    entry: EXPORT_ENTRY,
    setupOf: (at) => ({ ...setup, waits: waits(), root: roots[at], traffic: traffic[at].memory, authorization }),
    log: note,
  });
  identity.onRenewed((renewed) => inThreads.update(renewed));
  return { runner: joinRunners(own, inThreads), traffic };
}

/** What is left behind is removed by the next session. */
async function quietly(call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isClfsError(error, 'target')) throw error;
  }
}

import { randomBytes } from 'node:crypto';
import type { Traffic } from '../container/traffic.js';
import { ClfsError, isClfsError } from '../error.js';
import type { RunSettings } from '../job/load-spec.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { WorkerCounters } from '../remote/messages.js';
import { natsOptions } from '../remote/nats-options.js';
import { RemotePool } from '../remote/remote-pool.js';
import type { TreeEvidence } from '../source/same-tree.js';
import { evidenceOf } from '../source/same-tree.js';
import { pathOfDevice } from '../source/shared-devices.js';
import type { SourceTree } from '../source/source-tree.js';
import type { Clock } from '../time/clock.js';
import type { RemoteLoadSetup } from '../worker/remote-setup.js';
import type { LoadKinds } from '../worker/tasks.js';
import type { OpenJob } from './open-job.js';

/** How long workers go on without an answer of their driver, where nothing else is said, in milliseconds. */
export const LEASE_MS = 30_000;

/** A beat a second, and what it takes to be answered, must have room in it. */
const SHORTEST_LEASE_MS = 1000;

/** Refuses workers that cannot be, before anything begins. @throws ClfsError `usage` */
export function requireWorkers({ workers, leaseMs = LEASE_MS }: RunSettings): void {
  if (!workers) return;
  natsOptions(workers);
  if (leaseMs < SHORTEST_LEASE_MS)
    throw new ClfsError(
      'usage',
      '--worker-lease takes a second at least: a worker says once a second that it is there.',
    );
}

/** Makes sure that there is a server for workers, before anything begins. @throws ClfsError `workers` */
export async function requireServer({ workers }: RunSettings): Promise<void> {
  if (!workers) return;
  const { requireNats } = await import('../remote/nats-driver.js');
  await requireNats(natsOptions(workers));
}

/** What lanes elsewhere are opened with. */
export interface LoadWorkersParts {
  readonly job: OpenJob;
  readonly setup: Omit<RemoteLoadSetup, 'kind' | 'source' | 'settings' | 'bucketUuid'>;
  readonly ownLanes: number;
  readonly clock: Clock;
  /** Of the pool: takes what workers have sent. */
  readonly traffic: Traffic;
  report(text: string): void;
}

/**
 * Opens the lanes of a load that are elsewhere: who comes later takes part as well.
 *
 * @param open in place of NATS
 * @throws ClfsError `usage`, `workers`
 */
export async function openLoadWorkers(
  { job, setup, ownLanes, clock, traffic, report }: LoadWorkersParts,
  open: OpenDriverLink = (names) => openServer(job.settings.workers ?? '', names),
): Promise<RemotePool<LoadKinds>> {
  const { state, settings, resources } = job;
  const { jobId, bucketUuid, readsBack } = state.record;
  const epoch = `${jobId.slice(0, 8)}-${randomBytes(6).toString('hex')}`;
  const link = await open({ job: jobId.slice(0, 8), epoch });
  const { retryWindowMs, lateArrivalMs } = settings;
  const source: TreeEvidence = evidenceOf(resources.source, job.spec.selection);
  const all: RemoteLoadSetup = {
    ...setup,
    kind: 'load',
    settings: { retryWindowMs, lateArrivalMs },
    source,
    bucketUuid: readsBack ? bucketUuid : undefined,
  };
  return new RemotePool<LoadKinds>({
    link,
    clock,
    epoch,
    leaseMs: settings.leaseMs ?? LEASE_MS,
    lateArrivalMs: resources.remoteLateArrivalMs,
    setup: all,
    capMbps: settings.capMbps ?? 0,
    ownLanes,
    ownShare: (megabitsPerSecond) => {
      traffic.capMbps[0] = megabitsPerSecond;
    },
    refusal: ({ user, clockMs }) => whyNot(user, clockMs, clock),
    report,
    counted: (counters) => addTraffic(traffic, counters, clock),
    mend: ({ kind, ...told }) => {
      if (kind === 'list' || kind === 'look') nameDevices(resources.source, told);
    },
  });
}

/** The client of the server is loaded only where there is one. */
async function openServer(url: string, names: Parameters<OpenDriverLink>[0]): ReturnType<OpenDriverLink> {
  const options = natsOptions(url);
  const { openNatsDriver } = await import('../remote/nats-driver.js');
  return openNatsDriver(options, names);
}

const MOST_CLOCK_DIFFERENCE_MS = 300_000;

function whyNot(user: number, clockMs: number, clock: Clock): string | undefined {
  const mine = process.geteuid?.() ?? 0;
  if (user !== mine)
    return `it runs as user ${user}, the driver as user ${mine}: what they may read differs; run both as the same user`;
  const seconds = Math.round((clockMs - clock.now()) / 1000);
  if (Math.abs(seconds) * 1000 > MOST_CLOCK_DIFFERENCE_MS)
    return `its clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}: set it right`;
  return undefined;
}

function addTraffic(traffic: Traffic, counters: WorkerCounters, clock: Clock): void {
  for (const field of ['requests', 'bytesSent', 'retries', 'throttled'] as const) traffic.add(field, counters[field]);
  if (counters.uncertainMs > 0) traffic.setUncertainUntil(clock.monotonic() + counters.uncertainMs);
  traffic.setWaitingSince(counters.waitingMs > 0 ? clock.now() - counters.waitingMs : 0);
}

interface WithDevice {
  device: string;
}

/** Gives devices that a worker has called by a path the numbers that they have here. */
function nameDevices(source: SourceTree, told: object): void {
  const { part, result } = told as {
    readonly part?: { readonly directories: readonly WithDevice[]; readonly links: readonly WithDevice[] };
    readonly result?: Partial<WithDevice>;
  };
  const named: readonly Partial<WithDevice>[] = [...(part?.directories ?? []), ...(part?.links ?? []), result ?? {}];
  for (const entry of named) {
    const path = entry.device === undefined ? undefined : pathOfDevice(entry.device);
    if (path) entry.device = deviceAt(source, path) ?? entry.device;
  }
}

function deviceAt(source: SourceTree, path: Buffer): string | undefined {
  try {
    const directory = source.openDirectory(path);
    try {
      return directory.attributes().device;
    } finally {
      directory.close();
    }
  } catch (error) {
    // A file of a file system of its own, or what is not there (any more): it stays apart.
    if (isClfsError(error, 'entry')) return undefined;
    throw error;
  }
}

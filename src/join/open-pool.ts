import { randomBytes } from 'node:crypto';
import { redact } from '../container/azure/container-url.js';
import { CONTENT_FIELDS } from '../container/content-read.js';
import type { Traffic } from '../container/traffic.js';
import type { Kinds } from '../engine/kinds.js';
import { ClfsError, isClfsError } from '../error.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { Candidate, WorkerCounters } from '../remote/messages.js';
import { natsOptions } from '../remote/nats-options.js';
import { type PoolParts, RemotePool } from '../remote/remote-pool.js';
import type { Clock } from '../time/clock.js';
import { unlessStopped } from '../waits/waits.js';
import { type FileUse, fileCapabilities, lackingCapability } from './capabilities.js';
import { ownGroups, whyNotGroups } from './groups.js';
import type { JobSetup } from './job-kind.js';

/** How long workers go on without an answer of their driver, where nothing else is said, in milliseconds. */
export const LEASE_MS = 30_000;

/** Where workers are, as the options of a job say. */
export interface WorkersWish {
  /** Server by which workers take part: `nats://HOST:PORT` or `tls://HOST:PORT`. */
  readonly workers: string;
  /** How long workers go on without an answer of their driver, in milliseconds. Default 30,000. */
  readonly leaseMs?: number;
}

/** A beat a second, and what it takes to be answered, must have room in it. */
const SHORTEST_LEASE_MS = 1000;

/** Refuses workers that cannot be, before anything begins. @throws ClfsError `usage` */
export function requireWorkers({ workers, leaseMs = LEASE_MS }: WorkersWish): void {
  natsOptions(workers);
  if (leaseMs < SHORTEST_LEASE_MS)
    throw new ClfsError(
      'usage',
      '--worker-lease takes a second at least: a worker says once a second that it is there.',
    );
}

/**
 * Makes sure that there is a server for workers, before anything begins.
 *
 * @param isResumed whether the job may have been begun with it, and has it again unless it is told otherwise
 * @throws ClfsError `workers`, `cancelled`
 */
export async function requireServer(
  { workers }: Pick<WorkersWish, 'workers'>,
  { signal = NEVER, isResumed }: { readonly signal?: AbortSignal; readonly isResumed: boolean },
): Promise<void> {
  const { requireNats } = await import('../remote/nats-driver.js');
  try {
    await unlessStopped(signal, () => requireNats(natsOptions(workers)));
  } catch (cause) {
    if (!isResumed || !isClfsError(cause, 'workers')) throw cause;
    throw new ClfsError('workers', `${cause.message} The job goes on without workers by --workers= (empty).`, {
      cause,
    });
  }
}

const NEVER = new AbortController().signal;

/** What lanes elsewhere are opened with. */
export interface DriveParts<M extends Kinds<M>>
  extends Pick<PoolParts<M>, 'lateArrivalMs' | 'ownLanes' | 'ownShare' | 'report' | 'mend' | 'answer'> {
  readonly wish: WorkersWish;
  /** Default: it reads them. */
  readonly files?: FileUse;
  /** Names the job, in few characters. */
  readonly job: string;
  readonly setup: JobSetup;
  readonly clock: Clock;
  /** For all lanes together; default: no cap. */
  readonly capMbps?: number;
  /** Of the pool: takes what workers have sent. */
  readonly traffic?: Traffic;
  /** Ends the waiting for the server. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the lanes of a job that are elsewhere: who comes later takes part as well.
 *
 * @param openLink in place of NATS
 * @throws ClfsError `usage`, `workers`, `cancelled`
 */
export async function openPool<M extends Kinds<M>>(
  parts: DriveParts<M>,
  openLink: OpenDriverLink = (names) => openServer(parts.wish.workers, names),
): Promise<RemotePool<M>> {
  const { wish, job, clock, traffic, capMbps = 0, files = 'read', signal = NEVER, report, ...rest } = parts;
  // What reads blobs of a service alone has nothing to do with files.
  const usesFiles = files !== 'blobs' || rest.setup.place.kind === 'local';
  const epoch = `${job}-${randomBytes(6).toString('hex')}`;
  return new RemotePool<M>({
    ...rest,
    link: await unlessStopped(
      signal,
      () => openLink({ job, epoch }),
      (late) => void late.close(),
    ),
    clock,
    // A worker of whatever kind may tell more than it should.
    report: (text) => report(redact(text)),
    epoch,
    leaseMs: wish.leaseMs ?? LEASE_MS,
    capMbps,
    refusal: (candidate) => whyNot(candidate, files, usesFiles, clock),
    counted: (counters) => traffic && addTraffic(traffic, counters, clock),
  });
}

/** The client of the server is loaded only where there is one. */
async function openServer(url: string, names: Parameters<OpenDriverLink>[0]): ReturnType<OpenDriverLink> {
  const options = natsOptions(url);
  const { openNatsDriver } = await import('../remote/nats-driver.js');
  return openNatsDriver(options, names);
}

const MOST_CLOCK_DIFFERENCE_MS = 300_000;

function whyNot(candidate: Candidate, files: FileUse, usesFiles: boolean, clock: Clock): string | undefined {
  const { user, capabilities, clockMs } = candidate;
  const mine = process.geteuid?.() ?? 0;
  if (user !== mine)
    return `it runs as user ${user}, the driver as user ${mine}: what they may read or write differs; run both as the same user`;
  const own = fileCapabilities();
  const lacking =
    capabilities === undefined || own === undefined ? undefined : lackingCapability(capabilities, own, files);
  if (lacking !== undefined) return `it may not ${lacking}, which the driver may: give it the same rights`;
  const groups = usesFiles ? whyNotGroups(candidate, ownGroups(), files) : undefined;
  if (groups !== undefined) return groups;
  const seconds = Math.round((clockMs - clock.now()) / 1000);
  if (Math.abs(seconds) * 1000 > MOST_CLOCK_DIFFERENCE_MS)
    return `its clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}: set it right`;
  return undefined;
}

function addTraffic(traffic: Traffic, counters: WorkerCounters, clock: Clock): void {
  for (const field of ['requests', 'bytesSent', 'retries', 'throttled'] as const) traffic.add(field, counters[field]);
  for (const field of CONTENT_FIELDS) traffic.add(field, counters[field] ?? 0);
  if (counters.uncertainMs > 0) traffic.setUncertainUntil(clock.monotonic() + counters.uncertainMs);
  traffic.setWaitingSince(counters.waitingMs > 0 ? clock.now() - counters.waitingMs : 0);
}

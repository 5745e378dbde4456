import type { Traffic } from '../container/traffic.js';
import { isClfsError } from '../error.js';
import { openPool } from '../join/open-pool.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { RemotePool } from '../remote/remote-pool.js';
import { evidenceOf } from '../source/same-tree.js';
import { pathOfDevice } from '../source/shared-devices.js';
import type { SourceTree } from '../source/source-tree.js';
import type { Clock } from '../time/clock.js';
import type { LoadKinds } from '../worker/tasks.js';
import type { RemoteLoadSetup } from './load-kind.js';
import type { OpenJob } from './open-job.js';

/** What lanes elsewhere are opened with. */
export interface LoadWorkersParts {
  readonly job: OpenJob;
  readonly setup: Omit<RemoteLoadSetup, 'kind' | 'source' | 'settings' | 'bucketUuid' | 'probe'>;
  readonly ownLanes: number;
  readonly clock: Clock;
  /** Of the pool: takes what workers have sent. */
  readonly traffic: Traffic;
  /** Ends the waiting for the server. */
  readonly signal: AbortSignal;
  report(text: string): void;
}

/**
 * Opens the lanes of a load that are elsewhere.
 *
 * @param open in place of NATS
 * @throws ClfsError `usage`, `workers`, `cancelled`; as a put into the container
 */
export async function openLoadWorkers(
  { job, setup, ownLanes, clock, traffic, signal, report }: LoadWorkersParts,
  open?: OpenDriverLink,
): Promise<RemotePool<LoadKinds>> {
  const { state, settings, resources } = job;
  const { jobId, bucketUuid, readsBack } = state.record;
  const { retryWindowMs, lateArrivalMs, stallWarningMs, workers = '', leaseMs, capMbps } = settings;
  const all: RemoteLoadSetup = {
    ...setup,
    kind: 'load',
    settings: { retryWindowMs, lateArrivalMs, stallWarningMs },
    source: evidenceOf(resources.source, job.spec.selection),
    bucketUuid: readsBack ? bucketUuid : undefined,
    probe: await resources.container.makeProbe?.(),
  };
  return openPool<LoadKinds>(
    {
      wish: { workers, leaseMs },
      job: jobId.slice(0, 8),
      setup: all,
      clock,
      lateArrivalMs: resources.remoteLateArrivalMs,
      capMbps,
      ownLanes,
      ownShare: (megabitsPerSecond) => {
        traffic.capMbps[0] = megabitsPerSecond;
      },
      signal,
      report,
      traffic,
      mend: ({ kind, ...told }) => {
        if (kind === 'list' || kind === 'look') nameDevices(resources.source, told);
      },
    },
    open,
  );
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

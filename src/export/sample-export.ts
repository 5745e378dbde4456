import { joinTotals, type Traffic, type TrafficTotals } from '../container/traffic.js';
import type { JobPulse } from '../state/job-pulse.js';
import type { JobSample } from '../state/job-series.js';
import type { ExportJobContext } from './job-context.js';
import type { ExportProgress } from './options.js';

/** What a running export is sampled by. */
export interface SampledExport {
  readonly context: ExportJobContext;
  /** Of each lane. */
  readonly traffic: readonly Traffic[];
  readonly phase: string;
  readonly progress: ExportProgress;
  /** Lanes that have work, and all of them. */
  readonly lanes: number;
  readonly mostLanes: number;
}

/** What is recorded now and then of a running export, for the page and for who asks for its status. */
export function sampleExport(sampled: SampledExport): JobSample {
  const { context, progress, lanes } = sampled;
  const traffic = joinTotals(sampled.traffic);
  const { requests, retries, throttled, inFlight } = traffic;
  const { written, replaced, left, bytes } = progress;
  return {
    session: context.state.record.sessions,
    counts: { entries: written + replaced + left, bytes, requests, retries, throttled },
    levels: { inFlight, lanes, workers: progress.workers ?? 0, sourceCalls: 0 },
    pulse: () => pulseOf(sampled, traffic),
  };
}

function pulseOf({ context, phase, progress, lanes, mostLanes }: SampledExport, traffic: TrafficTotals): JobPulse {
  const { requests, retries, throttled, bytesSent, inFlight, limit, waitingSince } = traffic;
  return {
    phase,
    elapsedMs: progress.elapsedMs,
    ...(progress.total === undefined ? {} : { total: progress.total }),
    requests,
    retries,
    throttled,
    bytesOnWire: bytesSent,
    inFlight,
    limit,
    lanes,
    mostLanes,
    ...(progress.workers === undefined ? {} : { workers: progress.workers }),
    waitingSinceMs: waitingSince,
    census: context.census.record(),
  };
}

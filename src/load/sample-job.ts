import type { Traffic } from '../container/traffic.js';
import type { JobPulse } from '../state/job-pulse.js';
import type { JobSample } from '../state/job-series.js';
import type { JobContext } from './job-context.js';

/** What a running load is sampled by. */
export interface SampledLoad {
  readonly context: JobContext;
  readonly traffic: Traffic;
  /** Lanes of this process that have work, and all of them. */
  readonly lanes: number;
  readonly mostLanes: number;
}

/** What is recorded now and then of a running load, for the page and for who asks for its status. */
export function sampleLoad(load: SampledLoad): JobSample {
  const { context, traffic, lanes } = load;
  const { state, progress } = context;
  const { requests, retries, throttled, inFlight } = traffic.totals();
  const { done, bytes } = state.counters;
  return {
    session: state.record.sessions,
    counts: { entries: done, bytes, requests, retries, throttled },
    levels: {
      inFlight,
      lanes,
      workers: progress.workers?.() ?? 0,
      sourceCalls: progress.source()?.calls.inFlight ?? 0,
    },
    pulse: () => pulseOf(load),
  };
}

function pulseOf({ context, traffic, lanes, mostLanes }: SampledLoad): JobPulse {
  const { phase, elapsedMs, scanning, filesTotal, totalsKnown, bytesTotal, listingMs, workers, source, ...now } =
    context.progress.snapshot();
  const { inFlight, limit } = traffic.totals();
  return {
    phase,
    elapsedMs,
    ...(scanning ? {} : { total: filesTotal }),
    ...(totalsKnown ? { bytesTotal } : {}),
    listingMs,
    requests: now.requests,
    retries: now.retries,
    throttled: now.throttled,
    bytesOnWire: now.bytesOnWire,
    inFlight,
    limit,
    lanes,
    mostLanes,
    ...(workers === undefined ? {} : { workers }),
    waitingSinceMs: now.waitingSinceMs,
    ...(source && {
      source: {
        calls: source.calls,
        awaySinceMs: source.awaySinceMs,
        ...(source.stalled && {
          stalled: { sinceMs: source.stalled.sinceMs, pathHex: source.stalled.path.toString('hex') },
        }),
      },
    }),
    census: context.census.record(),
  };
}

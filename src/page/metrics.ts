import { Counter, Gauge, Registry } from 'prom-client';
import type { PageModel } from './model.js';

/** Media type of {@link metricsText}. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Where a job stands, in Prometheus' format. What is not known is left out. */
export function metricsText({ job, now, census, failures, workers }: PageModel): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, value: number | undefined) => {
    if (value !== undefined) new Gauge({ name: `clfsload_${name}`, help, registers }).set(value);
  };
  const counter = (name: string, help: string, value: number) =>
    new Counter({ name: `clfsload_${name}_total`, help, registers }).inc(value);
  const seconds = (sinceMs: number | undefined) => (sinceMs === undefined ? 0 : Math.max(0, now.atMs - sinceMs) / 1000);

  // A command without a state does not count its requests, and has no sessions.
  const isJob = job.kind !== 'command';

  new Gauge({
    name: 'clfsload_job_info',
    help: 'The job: its id and kind, the program, the phase and the final status of the latest session.',
    labelNames: ['job_id', 'kind', 'version', 'phase', 'final_status'],
    registers,
  }).set({ job_id: job.id, kind: job.kind, version: job.program, phase: now.phase, final_status: now.finalStatus }, 1);
  gauge('running', 'Whether a process works on the job.', now.state === 'running' ? 1 : 0);
  if (isJob) gauge('session', 'Number of the latest session.', now.session);
  gauge(
    'progress_ratio',
    'Share of the work that is done, by entries and bytes.',
    now.permille === undefined ? undefined : now.permille / 1000,
  );
  // What is counted may be something else for a while, such as the blobs of a listing.
  const ofEntries = (count: number | undefined) => (job.unit === 'entries' ? count : undefined);
  gauge('entries_done', 'Entries done, over all sessions.', ofEntries(now.done));
  gauge('entries', 'Entries in all, as far as they are known.', ofEntries(now.total));
  gauge('entries_failed', 'Entries that failed.', now.failed);
  if (isJob) gauge('entries_excluded', "Entries that the user's choice leaves out.", now.excluded);
  gauge('bytes_done', 'Bytes of file data done, over all sessions.', now.bytes);
  gauge('bytes', 'Bytes of file data in all, as far as they are known.', now.bytesTotal);
  gauge('entries_per_second', 'Entries a second, at present.', ofEntries(now.entriesPerSecond));
  gauge('bytes_per_second', 'Bytes of file data a second, at present.', now.bytesPerSecond);
  gauge('left_seconds', 'Time that is left, as far as it can be foretold.', now.secondsLeft);
  counter('worked_seconds', 'Time that the job has run, all its sessions together.', now.workedMs / 1000);
  gauge(
    'last_alive_timestamp_seconds',
    'When the job last recorded something.',
    now.aliveMs === undefined ? undefined : now.aliveMs / 1000,
  );
  if (isJob) {
    counter('requests', 'Requests to the service, over all sessions.', now.requests);
    counter('retries', 'Requests that were repeated.', now.retries);
    counter('throttled', 'Answers 429 and 503.', now.throttled);
  }
  gauge('requests_in_flight', 'Requests to the service in flight.', now.inFlight);
  gauge('requests_limit', 'How many requests there may be in flight.', now.limit);
  gauge(
    'service_waiting_seconds',
    'For how long the service has not answered; 0 when it does.',
    seconds(now.waitingSinceMs),
  );
  gauge('lanes', 'Lanes of this process that have work.', now.lanes);
  gauge('workers', 'Workers on other machines.', now.workers);
  // Never by name: who comes and goes for days would leave a series each.
  const ofWorkers = (count: number) => (now.workers === undefined ? undefined : count);
  gauge('workers_slow', 'Workers that do much less a thread than the others.', ofWorkers(workers.slow));
  gauge('workers_troubled', 'Workers whom something does not answer.', ofWorkers(workers.troubled));
  gauge('workers_gone', 'Workers that took part and have gone, of the latest 20 of them.', ofWorkers(workers.gone));
  if (now.source) {
    gauge('source_calls_in_flight', 'Calls of the source in flight.', now.source.inFlight);
    gauge('source_call_seconds', 'What a call of the source takes.', now.source.callMs / 1000);
    gauge(
      'source_away_seconds',
      'For how long the source, or a file system in it, cannot be read; 0 when it can.',
      seconds(now.source.awaySinceMs),
    );
    gauge(
      'source_stalled_seconds',
      'For how long one thing of the source has not been answered; 0 when all is.',
      seconds(now.source.stalledSinceMs),
    );
  }
  const byReason = new Gauge({
    name: 'clfsload_failures',
    help: 'Entries that failed, by reason.',
    labelNames: ['reason'],
    registers,
  });
  for (const { reason, entries } of failures.groups) byReason.set({ reason }, entries);
  const byType = new Gauge({
    name: 'clfsload_entries_by_type',
    help: 'Entries done, by type.',
    labelNames: ['type'],
    registers,
  });
  for (const { name, count } of census.types) byType.set({ type: name }, count);
  if (job.unit !== 'entries')
    new Gauge({
      name: 'clfsload_other_done',
      help: 'What has been done of what is counted in place of entries, by what that is.',
      labelNames: ['unit'],
      registers,
    }).set({ unit: job.unit }, now.done);
  if (now.listing)
    gauge(
      'listing_checked',
      'Whether the listing of the container was compared with the books.',
      now.listing.checked ? 1 : 0,
    );
  return registry.metrics();
}

import { hostname } from 'node:os';
import type { Kind } from '../engine/kinds.js';
import { ClfsError } from '../error.js';
import { natsOptions } from '../remote/nats-options.js';
import { systemClock } from '../time/clock.js';
import type { AnyJobKind } from './job-kind.js';
import { openMemberLanes } from './member-lanes.js';
import { serveJobs } from './serve-jobs.js';
import type { WorkerOptions } from './worker-options.js';

/** Whatever a job's tasks are: they go from the driver to its lanes as they come. */
type AnyKinds = Readonly<Record<string, Kind<unknown, unknown, unknown>>>;

/**
 * Takes part in the jobs of drivers at a server, one after another, until `signal` is aborted; waits while there is none.
 *
 * @param kinds of jobs that it can do
 * @throws ClfsError `usage`; `workers` when the server refuses this worker
 */
export async function serveKinds(options: WorkerOptions, kinds: readonly AnyJobKind[]): Promise<void> {
  const server = natsOptions(options.join);
  const { openNatsWorker } = await import('../remote/nats-worker.js');
  const name = `${hostname()}/${process.pid}`;
  const { threads, signal, report } = options;
  report(`Worker ${name}: waiting for a job at ${options.join}.`);
  const link = await openNatsWorker(server, `clfsload worker ${name}`, { signal, report });
  if (!link) return;
  try {
    await serveJobs<AnyKinds>({
      link,
      clock: systemClock,
      name,
      threads,
      signal,
      report,
      async openLanes(setup, aheadMs) {
        const kind = kinds.find((each) => each.kind === setup.kind);
        if (!kind) throw new ClfsError('workers', `it does not know jobs of the kind ${JSON.stringify(setup.kind)}.`);
        return openMemberLanes<AnyKinds>(kind, setup, { ...options, aheadMs });
      },
    });
  } finally {
    await link.close();
  }
}

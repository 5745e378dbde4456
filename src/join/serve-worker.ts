import { hostname } from 'node:os';
import { natsOptions } from '../remote/nats-options.js';
import { systemClock } from '../time/clock.js';
import { openMemberLanes } from './member-lanes.js';
import { serveJobs } from './serve-jobs.js';
import type { WorkerOptions } from './worker-options.js';

/**
 * Takes part in the jobs of drivers at a server, one after another, until `signal` is aborted; waits while there is none.
 *
 * @throws ClfsError `usage`; `workers` when the server refuses this worker
 */
export async function serveWorker(options: WorkerOptions): Promise<void> {
  const server = natsOptions(options.join);
  const { openNatsWorker } = await import('../remote/nats-worker.js');
  const name = `${hostname()}/${process.pid}`;
  const { threads, signal, report } = options;
  report(`Worker ${name}: waiting for a job at ${options.join}.`);
  const link = await openNatsWorker(server, `clfsload worker ${name}`, { signal, report });
  if (!link) return;
  try {
    await serveJobs({
      link,
      clock: systemClock,
      name,
      threads,
      signal,
      report,
      openLanes: (setup) => openMemberLanes(setup, options),
    });
  } finally {
    await link.close();
  }
}

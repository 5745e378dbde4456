import { AUDIT_JOB } from './audit/audit-kind.js';
import { EXPORT_JOB } from './export/export-kind.js';
import { serveKinds } from './join/serve-worker.js';
import type { WorkerOptions } from './join/worker-options.js';
import { LOAD_JOB } from './load/load-kind.js';
import { threadCount } from './posix/descriptors.js';

/**
 * Takes part in the jobs of drivers at a server, one after another, until `signal` is aborted; waits while there is none.
 *
 * @throws ClfsError `usage`; `workers` when the server refuses this worker
 */
export function serveWorker(options: WorkerOptions): Promise<void> {
  // No more than there are descriptors for: a thread that cannot begin ends the worker's part in a job.
  const threads = Math.max(1, threadCount(options.threads));
  return serveKinds({ ...options, threads }, [LOAD_JOB, AUDIT_JOB, EXPORT_JOB]);
}

import { join } from 'node:path';
import type { WorkerPresence } from '../remote/presence.js';
import { readWorkers, WORKERS_FILE } from './workers-file.js';

/** A worker on another machine that takes part in a job. */
export interface WorkerStatus {
  /** Host and process. */
  readonly name: string;
  readonly threads: number;
  /** Since when it takes part. */
  readonly since: string;
  readonly tasks: number;
  /** Of late, in units of about one small file. */
  readonly unitsPerSecond: number;
  readonly megabitsPerSecond: number;
  /** Whether it does much less a thread than the others. */
  readonly slow: boolean;
  /** What does not answer it, or why it has gone. */
  readonly trouble: string | undefined;
  /** When it has gone; undefined: it is there. */
  readonly gone: string | undefined;
}

function statusOf(worker: WorkerPresence): WorkerStatus {
  const { name, threads, sinceMs, tasks, unitsPerSecond, bytesPerSecond, isSlow, trouble, goneMs } = worker;
  const since = new Date(sinceMs).toISOString();
  return {
    name,
    threads,
    since,
    tasks,
    unitsPerSecond,
    megabitsPerSecond: (bytesPerSecond * 8) / 1e6,
    slow: isSlow,
    trouble,
    gone: goneMs === undefined ? undefined : new Date(goneMs).toISOString(),
  };
}

/** Who takes part in the job at a state path, which runs; undefined where it has no workers. */
export function workersAt(statePath: string): readonly WorkerStatus[] | undefined {
  return readWorkers(join(statePath, WORKERS_FILE))?.map(statusOf);
}

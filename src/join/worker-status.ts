import { join } from 'node:path';
import type { WorkerPresence } from '../remote/presence.js';
import { LAST_WORKERS_FILE, readWorkers, WORKERS_FILE } from './workers-file.js';

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
  /** That it has done since it takes part. */
  readonly units: number;
  /** That it has sent to the service or received from it since it takes part. */
  readonly bytes: number;
  /** Whether it does much less a thread than the others. */
  readonly slow: boolean;
  /** What does not answer it, or why it has gone. */
  readonly trouble: string | undefined;
  /** When it has gone; undefined: it is there. */
  readonly gone: string | undefined;
}

/** What people are told of a worker. */
function workerStatusOf(worker: WorkerPresence): WorkerStatus {
  const { name, threads, sinceMs, tasks, unitsPerSecond, bytesPerSecond, units, bytes } = worker;
  const { isSlow, trouble, goneMs } = worker;
  const since = new Date(sinceMs).toISOString();
  return {
    name,
    threads,
    since,
    tasks,
    unitsPerSecond,
    megabitsPerSecond: (bytesPerSecond * 8) / 1e6,
    units,
    bytes,
    slow: isSlow,
    trouble,
    gone: goneMs === undefined ? undefined : new Date(goneMs).toISOString(),
  };
}

/** Who takes part in the job at a state path, which runs; undefined where it has no workers. */
export function workersAt(statePath: string): readonly WorkerStatus[] | undefined {
  return readWorkers(join(statePath, WORKERS_FILE))?.map(workerStatusOf);
}

/** Who took part in the latest session of the job at a state path, which does not run, as it stood last. */
export function lastWorkersAt(statePath: string): readonly WorkerStatus[] | undefined {
  // A session that was killed has left the one, and any other the other.
  const left = readWorkers(join(statePath, WORKERS_FILE)) ?? readWorkers(join(statePath, LAST_WORKERS_FILE));
  return left?.map(workerStatusOf);
}

import type { WorkerPresence } from '../../src/remote/presence.js';

/** A worker that takes part, as a job tells of it in the file of its workers. */
export function workerPresence(name: string, more: Partial<WorkerPresence> = {}): WorkerPresence {
  return {
    name,
    threads: 4,
    sinceMs: 1_700_000_000_000,
    tasks: 2,
    unitsPerSecond: 50,
    bytesPerSecond: 1e6,
    units: 1000,
    bytes: 5e6,
    isSlow: false,
    ...more,
  };
}

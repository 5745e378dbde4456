import type { RemoteWorker } from './remote-worker.js';

/** A worker that takes part, as people want to know it. */
export interface WorkerPresence {
  /** Host and process. */
  readonly name: string;
  readonly threads: number;
  /** Since when it takes part, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly tasks: number;
  /** Of late, in units of about one small file, and in bytes that it has sent. */
  readonly unitsPerSecond: number;
  readonly bytesPerSecond: number;
  /** It does much less a thread than the others. */
  readonly isSlow: boolean;
  /** What does not answer it; missing where all does. */
  readonly trouble?: string;
}

/** @param isSlow whether it was found to be much slower than the others */
export function presenceOf(worker: RemoteWorker, isSlow: boolean): WorkerPresence {
  const { candidate, tickets, sinceMs, units, bytes, counters } = worker;
  const away = counters.waitingMs > 0 ? 'the service does not answer' : undefined;
  const trouble = counters.stalled ?? away;
  return {
    name: candidate.name,
    threads: candidate.lanes,
    sinceMs,
    tasks: tickets.size,
    unitsPerSecond: units.perSecond,
    bytesPerSecond: bytes.perSecond,
    isSlow,
    ...(trouble === undefined ? {} : { trouble }),
  };
}

import type { RemoteWorker } from './remote-worker.js';

/** A worker that takes part, as people want to know it. */
export interface WorkerPresence {
  /** Host and process. */
  readonly name: string;
  readonly threads: number;
  /** Since when it takes part, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly tasks: number;
  /** Of late, in units of about one small file, and in bytes that it has sent to the service or received from it. */
  readonly unitsPerSecond: number;
  readonly bytesPerSecond: number;
  /** The same, of all that it has done since it takes part. */
  readonly units: number;
  readonly bytes: number;
  /** It does much less a thread than the others. */
  readonly isSlow: boolean;
  /** What does not answer it, or why it has gone; missing where all is well. */
  readonly trouble?: string;
  /** When it has gone, in milliseconds since 1970; missing where it is there. */
  readonly goneMs?: number;
}

/** A worker that does not take part any more, as people want to know it. */
export function goneOf(worker: RemoteWorker, goneMs: number, trouble: string): WorkerPresence {
  const { candidate, sinceMs, units, bytes } = worker;
  const { name, lanes: threads } = candidate;
  const nothing = { tasks: 0, unitsPerSecond: 0, bytesPerSecond: 0, isSlow: false };
  return { name, threads, sinceMs, ...nothing, units: units.total, bytes: bytes.total, trouble, goneMs };
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
    units: units.total,
    bytes: bytes.total,
    isSlow,
    ...(trouble === undefined ? {} : { trouble }),
  };
}

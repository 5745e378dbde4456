import type { WorkerCounters } from './messages.js';

/** Of a worker that has told nothing. */
export const NOTHING: WorkerCounters = {
  requests: 0,
  bytesSent: 0,
  retries: 0,
  throttled: 0,
  waitingMs: 0,
  uncertainMs: 0,
};

/** What a worker tells of all that it has sent. Messages may be late: no count goes back. */
export function grownTo(before: WorkerCounters, told: WorkerCounters): WorkerCounters {
  const grown = (field: 'requests' | 'bytesSent' | 'retries' | 'throttled') => Math.max(before[field], told[field]);
  return {
    ...told,
    bytesReceived: Math.max(before.bytesReceived ?? 0, told.bytesReceived ?? 0),
    requests: grown('requests'),
    bytesSent: grown('bytesSent'),
    retries: grown('retries'),
    throttled: grown('throttled'),
  };
}

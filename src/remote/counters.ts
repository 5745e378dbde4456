import type { ContentCounters, WorkerCounters } from './messages.js';

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
    ...contentOf((field) => Math.max(before[field] ?? 0, told[field] ?? 0)),
    bytesReceived: Math.max(before.bytesReceived ?? 0, told.bytesReceived ?? 0),
    requests: grown('requests'),
    bytesSent: grown('bytesSent'),
    retries: grown('retries'),
    throttled: grown('throttled'),
  };
}

/** What has been read of content since. */
export function contentSince(before: ContentCounters, now: ContentCounters): ContentCounters {
  return contentOf((field) => (now[field] ?? 0) - (before[field] ?? 0));
}

function contentOf(amount: (field: keyof ContentCounters) => number): ContentCounters {
  return {
    contentStored: amount('contentStored'),
    contentData: amount('contentData'),
    passedStored: amount('passedStored'),
    passedData: amount('passedData'),
  };
}

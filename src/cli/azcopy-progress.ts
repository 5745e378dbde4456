import type { LoadSummary, ProgressSnapshot } from '../index.js';

/** The time left is estimated after this much time; before, it would be a guess. */
const ETA_AFTER_MS = 10_000;

/** Said once when the service stops answering. */
export const WAITING = 'The service does not answer; waiting for it. Requests are repeated until it does.';

/** Fields of a Progress message. Source: docs/output.md 1.3 */
export interface ProgressFields {
  readonly elapsed: number;
  readonly files_completed_failed: number;
  readonly files_completed_success: number;
  readonly files_pending: number;
  readonly files_skipped: number;
  readonly files_total: number;
  readonly pct_complete: number;
  readonly phase: string;
  readonly throughput_Mbps: number;
  readonly throughput_delta_secs: number;
  readonly time_eta: number | null;
  readonly time_report: number;
}

/** Turns snapshots into the fields of Progress messages; throughput is that since the message before. */
export class ProgressMeter {
  #last: { readonly bytes: number; readonly elapsedMs: number } | undefined;

  fields(now: ProgressSnapshot): ProgressFields {
    // Bytes that earlier sessions sent do not count for the rate of this one.
    const last = this.#last ?? { bytes: now.bytesDone - now.sessionBytes, elapsedMs: 0 };
    const deltaMs = now.elapsedMs - last.elapsedMs;
    this.#last = { bytes: now.bytesDone, elapsedMs: now.elapsedMs };
    const left = secondsLeft(now);
    const report = Math.round(Date.now() / 1000);
    return {
      elapsed: now.elapsedMs / 1000,
      files_completed_failed: now.filesFailed,
      files_completed_success: now.filesDone,
      files_pending: now.filesPending,
      files_skipped: 0,
      files_total: now.filesTotal,
      pct_complete: percentOf(now),
      phase: now.phase,
      throughput_Mbps: megabitsPerSecond(Math.max(0, now.bytesDone - last.bytes), deltaMs),
      throughput_delta_secs: deltaMs / 1000,
      time_eta: left === undefined ? null : report + Math.round(left),
      time_report: report,
    };
  }
}

/** Fields of an EndOfJob message. Source: docs/output.md 1.3 */
export function endFields({ status, progress }: LoadSummary): Record<string, number | string> {
  return {
    elapsed: progress.elapsedMs / 1000,
    files_completed_failed: progress.filesFailed,
    files_completed_success: progress.filesDone,
    files_skipped: 0,
    files_total: progress.filesTotal,
    final_job_status: status,
    total_bytes_transferred: progress.bytesDone,
  };
}

/**
 * Work for an entry beside its bytes, expressed in bytes: so the percentage moves evenly over small and large files.
 */
const ENTRY_COST_BYTES = 65536;

function cost(entries: number, bytes: number): number {
  return entries * ENTRY_COST_BYTES + bytes;
}

/** Never 100 before the end. */
function percentOf(now: ProgressSnapshot): number {
  const total = cost(now.filesTotal, now.bytesTotal);
  return total === 0 ? 0 : Math.min(99.9, (100 * cost(now.filesDone + now.filesFailed, now.bytesDone)) / total);
}

/** Seconds to the end at the mean rate of the session; undefined while that would be a guess. */
export function secondsLeft(now: ProgressSnapshot): number | undefined {
  const done = cost(now.sessionFiles, now.sessionBytes);
  if (now.scanning || now.elapsedMs < ETA_AFTER_MS || done <= 0 || now.waitingSinceMs > 0) return undefined;
  const left = cost(now.filesTotal, now.bytesTotal) - cost(now.filesDone + now.filesFailed, now.bytesDone);
  return (Math.max(0, left) / done) * (now.elapsedMs / 1000);
}

export function megabitsPerSecond(bytes: number, ms: number): number {
  return ms > 0 ? (bytes * 8) / 1000 / ms : 0;
}

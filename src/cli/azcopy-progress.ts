import {
  counted,
  type LoadSummary,
  ProgressMeter,
  type ProgressSample,
  type ProgressSnapshot,
  stallSentence,
} from '../index.js';
import { type ProgressFigures, serviceFigures } from './progress/figures.js';
import { durationText } from './progress/quantities.js';

/** Said once when the service stops answering. */
export const WAITING = 'The service does not answer; waiting for it. Requests are repeated until it does.';

/** Said once when the source, or a file system in it, is away. */
export const SOURCE_AWAY =
  'The source, or a file system that is mounted in it, cannot be read; waiting for it. The load goes on when it can be read. If it is mounted anew, stop the load, and resume it.';

/** What has not been answered for long, and since when; undefined where all is. */
export function stallText({ source }: ProgressSnapshot): string | undefined {
  return source?.stalled && stallSentence(source.stalled);
}

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
  /** Only with --workers. */
  readonly workers?: number;
}

/** Turns snapshots into the fields of Progress messages; throughput is that since the message before. */
export class AzcopyMeter {
  #last: { readonly bytes: number; readonly elapsedMs: number } | undefined;
  readonly #meter = new ProgressMeter();

  fields(now: ProgressSnapshot): ProgressFields {
    // Bytes that earlier sessions sent do not count for the rate of this one.
    const last = this.#last ?? { bytes: now.bytesDone - now.sessionBytes, elapsedMs: 0 };
    if (!this.#last)
      this.#meter.take({ ...sampleOf(now), ms: 0, done: workDone(now) - now.sessionFiles, bytes: last.bytes });
    const deltaMs = now.elapsedMs - last.elapsedMs;
    this.#last = { bytes: now.bytesDone, elapsedMs: now.elapsedMs };
    const { secondsLeft } = this.#meter.take(sampleOf(now));
    const report = Math.round(Date.now() / 1000);
    return {
      elapsed: now.elapsedMs / 1000,
      files_completed_failed: now.filesFailed,
      files_completed_success: now.filesDone,
      files_pending: now.filesPending,
      files_skipped: 0,
      files_total: now.filesTotal,
      pct_complete: now.permille / 10,
      phase: now.phase,
      throughput_Mbps: megabitsPerSecond(Math.max(0, now.bytesDone - last.bytes), deltaMs),
      throughput_delta_secs: deltaMs / 1000,
      time_eta: secondsLeft === undefined ? null : report + Math.round(secondsLeft),
      time_report: report,
      ...(now.workers === undefined ? {} : { workers: now.workers }),
    };
  }
}

/** What the time left is foretold by. */
function sampleOf(now: ProgressSnapshot): ProgressSample {
  return {
    ms: now.elapsedMs,
    done: workDone(now),
    total: now.scanning ? undefined : now.filesTotal,
    bytes: now.bytesDone,
    bytesTotal: now.bytesTotal,
    listingMs: now.listingMs,
    waiting: serviceFigures(now).waitingSeconds !== undefined || (now.source?.awaySinceMs ?? 0) > 0,
  };
}

function workDone({ filesDone, filesFailed }: ProgressSnapshot): number {
  return filesDone + filesFailed;
}

/** Where a load stands, for the line of progress that is not azcopy's. */
export function loadFigures(now: ProgressSnapshot): ProgressFigures {
  return {
    work: 'load',
    label: now.phase,
    unit: 'entries',
    done: workDone(now),
    // While the source is gone over, a total would only grow.
    total: now.scanning ? undefined : now.filesTotal,
    bytes: now.bytesDone,
    bytesTotal: now.totalsKnown ? now.bytesTotal : undefined,
    permille: now.totalsKnown ? now.permille : undefined,
    failed: now.filesFailed,
    listingMs: now.listingMs,
    workers: now.workers,
    ...serviceFigures(now),
  };
}

/**
 * Azcopy's line of progress.
 *
 * @param columns of the terminal: details, and counts that say little, are left out where they do not fit
 */
export function azcopyLine(now: ProgressSnapshot, fields: ProgressFields, columns: number | undefined): string {
  const percent = `${fields.pct_complete.toFixed(1)} %`;
  const done = `${now.filesDone} Done, ${now.filesFailed} Failed`;
  const rate = fields.throughput_Mbps.toFixed(1);
  const all = `${percent}, ${done}, ${fields.files_pending} Pending, 0 Skipped, ${now.filesTotal} Total, Throughput (Mb/s): ${rate}`;
  const details = `${all} (${detailsOf(now, fields).join(', ')})`;
  if (columns === undefined) return details;
  const forms = [
    details,
    all,
    `${percent}, ${done}, ${fields.files_pending} Pending, ${now.filesTotal} Total, ${rate} Mb/s`,
    `${percent}, ${done}, ${now.filesTotal} Total`,
    `${percent}, ${done}`,
  ];
  const room = Math.max(1, columns - 1);
  return forms.find((form) => form.length <= room) ?? percent.slice(0, room);
}

function detailsOf(now: ProgressSnapshot, { time_eta, time_report }: ProgressFields): readonly string[] {
  const parts: string[] = [now.phase];
  if (now.workers !== undefined) parts.push(counted(now.workers, 'workers'));
  if (now.scanning) parts.push('totals still growing');
  parts.push(`overall ${megabitsPerSecond(now.sessionBytes, now.elapsedMs).toFixed(1)} Mb/s`);
  if (time_eta !== null) parts.push(`${durationText(time_eta - time_report)} left`);
  if (now.retries > 0) parts.push(counted(now.retries, 'retries'));
  if (now.throttled > 0) parts.push(`${now.throttled} throttled`);
  const stall = stallText(now);
  if (stall !== undefined) parts.push(stall);
  return parts;
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

function megabitsPerSecond(bytes: number, ms: number): number {
  return ms > 0 ? (bytes * 8) / 1000 / ms : 0;
}

import type { FinalStatus, LoadEvent, LoadSummary, ProgressSnapshot } from '../index.js';
import { messageOf, redact, VERSION } from '../index.js';
import type { MessageOutput } from './messages.js';

/** Time between two progress lines. Source: azcopy-contract.md 2 */
const PROGRESS_MS = 2000;
/** Before this much is done an estimate of the end means nothing. */
const ETA_AFTER_MS = 10_000;

/** Shows a load as azcopy showed it. */
export class LoadOutput {
  readonly #messages: MessageOutput;
  #timer: NodeJS.Timeout | undefined;
  #snapshot: (() => ProgressSnapshot) | undefined;
  #last: { readonly bytes: number; readonly elapsedMs: number } = { bytes: 0, elapsedMs: 0 };
  #toldWaiting = false;

  constructor(messages: MessageOutput) {
    this.#messages = messages;
  }

  event(event: LoadEvent): void {
    const { info, init } = this.#messages;
    if (event.kind === 'configuration') {
      init({ LogFileLocation: event.logFile, JobID: event.jobId, IsCleanupJob: false });
      info(`INFO: CLFSLoad Extension version: ${VERSION}`);
      info(`INFO: CLFSLoad Extension configurations: compression type=${event.compression}, preserve hard links=${event.preserveHardLinks}`);
      info(event.newSession ? 'INFO: Starting a new job.' : 'INFO: Continuing the existing job.');
    } else if (event.kind === 'phase') info(`INFO: ${event.phase} phase has started.`);
    else info(`INFO: ${event.text}`);
  }

  start(snapshot: () => ProgressSnapshot): void {
    this.#snapshot = snapshot;
    this.#timer = setInterval(() => this.#progress(), PROGRESS_MS);
    this.#timer.unref();
  }

  end(summary: LoadSummary): void {
    clearInterval(this.#timer);
    const { progress, status, error } = summary;
    const { info } = this.#messages;
    if (error !== undefined) info(`INFO: The job stopped: ${redact(messageOf(error))}`);
    if (progress.retries > 0) info(`INFO: ${progress.retries} requests were repeated; the service asked for less ${progress.throttled} times.`);
    if (summary.problemsFile) info(`INFO: What failed is listed in ${summary.problemsFile}; go on with --new-session=false to try it again.`);
    this.#messages.endOfJob(summaryText(status, progress), {
      elapsed: progress.elapsedMs / 1000,
      files_completed_failed: progress.filesFailed,
      files_completed_success: progress.filesDone,
      files_skipped: 0,
      files_total: progress.filesTotal,
      final_job_status: status,
      total_bytes_transferred: progress.bytesDone,
    });
  }

  #progress(): void {
    const now = this.#snapshot?.();
    if (!now) return;
    if (now.waitingSinceMs > 0 && !this.#toldWaiting)
      this.#messages.info('INFO: The service does not answer; waiting for it. Requests are repeated until it does.');
    this.#toldWaiting = now.waitingSinceMs > 0;
    const deltaMs = now.elapsedMs - this.#last.elapsedMs;
    const megabits = deltaMs > 0 ? (Math.max(0, now.bytesDone - this.#last.bytes) * 8) / 1000 / deltaMs : 0;
    this.#last = { bytes: now.bytesDone, elapsedMs: now.elapsedMs };
    const percent = percentOf(now);
    const left = now.filesTotal - now.filesDone - now.filesFailed;
    const rate = now.elapsedMs > ETA_AFTER_MS && !now.scanning ? now.filesDone / now.elapsedMs : 0;
    const report = Math.round(Date.now() / 1000);
    const counts = `${now.filesDone} Done, ${now.filesFailed} Failed, ${left} Pending, 0 Skipped, ${now.filesTotal} Total`;
    this.#messages.progress(`${percent.toFixed(1)} %, ${counts}${now.scanning ? ' (scanning)' : ''}, Throughput (Mb/s): ${megabits.toFixed(1)}`, {
      elapsed: now.elapsedMs / 1000,
      files_completed_failed: now.filesFailed,
      files_completed_success: now.filesDone,
      files_pending: left,
      files_skipped: 0,
      files_total: now.filesTotal,
      pct_complete: percent,
      phase: now.phase,
      throughput_Mbps: megabits,
      throughput_delta_secs: deltaMs / 1000,
      time_eta: rate > 0 ? report + Math.round(left / rate / 1000) : null,
      time_report: report,
    });
  }
}

/** Never 100 before the end. */
function percentOf(now: ProgressSnapshot): number {
  if (now.filesTotal === 0) return 0;
  return Math.min(99.9, (100 * (now.filesDone + now.filesFailed)) / now.filesTotal);
}

function summaryText(status: FinalStatus, progress: ProgressSnapshot): string {
  return [
    '',
    `Elapsed Time (Minutes): ${(progress.elapsedMs / 60_000).toFixed(4)}`,
    `Total Number Of Transfers: ${progress.filesTotal}`,
    `Number of Transfers Completed: ${progress.filesDone}`,
    `Number of Transfers Failed: ${progress.filesFailed}`,
    'Number of Transfers Skipped: 0',
    `TotalBytesTransferred: ${progress.bytesDone}`,
    `Final Job Status: ${status}`,
  ].join('\n');
}

import type { FinalStatus, LoadEvent, LoadSummary, ProgressSnapshot } from '../index.js';
import { messageOf, redact, VERSION } from '../index.js';
import { AzcopyMeter, azcopyLine, endFields, loadFigures, WAITING } from './azcopy-progress.js';
import type { MessageOutput } from './messages.js';

/** Shows a load as azcopy showed it. */
export class LoadOutput {
  readonly #messages: MessageOutput;
  #timer: NodeJS.Timeout | undefined;
  #snapshot: (() => ProgressSnapshot) | undefined;
  readonly #meter = new AzcopyMeter();
  #reportedWaiting = false;

  constructor(messages: MessageOutput) {
    this.#messages = messages;
  }

  event(event: LoadEvent): void {
    const { info, init } = this.#messages;
    if (event.kind === 'configuration') {
      init({ LogFileLocation: event.logFile, JobID: event.jobId, IsCleanupJob: false });
      info(`INFO: CLFSLoad Extension version: ${VERSION}`);
      info(
        `INFO: CLFSLoad Extension configurations: compression type=${event.compression}, preserve hard links=${event.preserveHardLinks}`,
      );
      info(event.newSession ? 'INFO: Starting a new job.' : 'INFO: Continuing the existing job.');
    } else if (event.kind === 'phase') info(`INFO: ${event.phase} phase has started.`);
    else info(`INFO: ${event.text}`);
  }

  start(snapshot: () => ProgressSnapshot): void {
    this.#snapshot = snapshot;
    this.#timer = setInterval(() => this.#progress(), this.#messages.progressMs);
    this.#timer.unref();
  }

  end(summary: LoadSummary): void {
    clearInterval(this.#timer);
    const { progress, status, error } = summary;
    const { info } = this.#messages;
    if (error !== undefined) info(`INFO: The job stopped: ${redact(messageOf(error))}`);
    if (progress.retries > 0)
      info(`INFO: ${progress.retries} requests were repeated; the service asked for less ${progress.throttled} times.`);
    if (progress.filesExcluded > 0)
      info(
        `INFO: ${progress.filesExcluded} entries were left out, as the flags say; what is below them is not counted.`,
      );
    if (summary.problemsFile)
      info(`INFO: What failed is listed in ${summary.problemsFile}; go on with --new-session=false to try it again.`);
    this.#messages.endOfJob(summaryText(status, progress), endFields(summary));
  }

  #progress(): void {
    const now = this.#snapshot?.();
    if (!now) return;
    if (now.waitingSinceMs > 0 && !this.#reportedWaiting) this.#messages.info(`INFO: ${WAITING}`);
    this.#reportedWaiting = now.waitingSinceMs > 0;
    const fields = () => this.#meter.fields(now);
    this.#messages.progress({
      content: fields,
      azcopyLine: (columns) => azcopyLine(now, fields(), columns),
      figures: () => loadFigures(now),
    });
  }
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

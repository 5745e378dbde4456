import type { FinalStatus, LoadEvent, LoadSummary, ProgressSnapshot } from '../index.js';
import { counted, messageOf, redact, VERSION, wereCounted } from '../index.js';
import { AzcopyMeter, azcopyLine, endFields, loadFigures, SOURCE_AWAY, stallText, WAITING } from './azcopy-progress.js';
import { endingLines } from './ending-text.js';
import type { MessageOutput } from './messages.js';
import { serviceFigures } from './progress/figures.js';
import { type ResumeProgram, resumeText } from './resume-text.js';

/** What the command line of a load said. */
interface AskedLoad {
  /** As it stands there; undefined where it was left out. */
  readonly container: string | undefined;
  /** Whether something is to be left out by its path or name. */
  readonly excludes: boolean;
  /** The command by which a job is gone on with. */
  readonly program: ResumeProgram;
}

/** Shows a load as azcopy showed it. */
export class LoadOutput {
  readonly #messages: MessageOutput;
  #timer: NodeJS.Timeout | undefined;
  #snapshot: (() => ProgressSnapshot) | undefined;
  readonly #meter = new AzcopyMeter();
  #reportedWaiting = false;
  #reportedAway = false;
  #reportedStall: string | undefined;

  /** What runs; told before anything happens. */
  #job: (LoadEvent & { kind: 'configuration' }) | undefined;
  readonly #asked: AskedLoad;

  constructor(messages: MessageOutput, asked: AskedLoad) {
    this.#messages = messages;
    this.#asked = asked;
  }

  event(event: LoadEvent): void {
    const { info, init } = this.#messages;
    if (event.kind === 'configuration') {
      this.#job = event;
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
    // What it says is less than what the summary says.
    this.#messages.endProgress();
    const { progress, status, error } = summary;
    const { info } = this.#messages;
    if (error !== undefined) info(`INFO: ${stopText(summary)}`);
    if (progress.retries > 0)
      info(
        `INFO: ${wereCounted(progress.retries, 'requests')} repeated${progress.throttled > 0 ? `; the service asked for less ${counted(progress.throttled, 'times')}` : ''}.`,
      );
    if (progress.filesExcluded > 0)
      info(
        `INFO: ${wereCounted(progress.filesExcluded, 'entries')} left out, as the flags say; what is below them is not counted.`,
      );
    else if (this.#asked.excludes && status === 'Completed')
      info(
        'INFO: No entry was left out: nothing in the source matches --exclude-path or --exclude-pattern. "clfsload load --dry-run" says so of each.',
      );
    for (const line of this.#ending(summary)) info(`INFO: ${line}`);
    this.#messages.endOfJob(summaryText(status, progress), endFields(summary));
  }

  #ending({ status, progress, failures }: LoadSummary): readonly string[] {
    if (!this.#job) return [];
    const { statePath, source: root, container, logFile } = this.#job;
    const { container: given, program } = this.#asked;
    const resume = status === 'Completed' ? undefined : resumeText(statePath, container, { given, program });
    const { filesDone: done, filesFailed: failed, filesPending: pending } = progress;
    return endingLines({ done, failed, pending, failures, root, statePath, logFile, resume });
  }

  #progress(): void {
    const now = this.#snapshot?.();
    if (!now) return;
    const isWaiting = serviceFigures(now).waitingSeconds !== undefined;
    if (isWaiting && !this.#reportedWaiting) this.#messages.info(`INFO: ${WAITING}`);
    this.#reportedWaiting = isWaiting;
    const isAway = (now.source?.awaySinceMs ?? 0) > 0;
    if (isAway && !this.#reportedAway) this.#messages.info(`INFO: ${SOURCE_AWAY}`);
    this.#reportedAway = isAway;
    const stall = stallText(now);
    if (stall !== undefined && stall !== this.#reportedStall) this.#messages.info(`INFO: ${stall}`);
    this.#reportedStall = stall;
    const fields = () => this.#meter.fields(now);
    this.#messages.progress({
      content: fields,
      azcopyLine: (columns) => azcopyLine(now, fields(), columns),
      figures: () => loadFigures(now),
    });
  }
}

/** Why a load ended before everything was done. */
export function stopText({ status, error }: LoadSummary): string {
  return status === 'Cancelled'
    ? 'The job was stopped. What is done is recorded.'
    : `The job failed: ${redact(messageOf(error))}`;
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

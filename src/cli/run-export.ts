import { join } from 'node:path';
import {
  counted,
  type ExportJobOptions,
  type ExportProgress,
  type ExportSummary,
  escapePath,
  exportJob,
  messageOf,
  type OpenPage,
  wereCounted,
} from '../index.js';
import { endingLines } from './ending-text.js';
import { fieldsLine, pathFields } from './fields-line.js';
import { jobPage } from './job-page.js';
import { type ProgressFigures, serviceFigures } from './progress/figures.js';
import { shortBytes } from './progress/quantities.js';
import { type ResumeProgram, resumeText } from './resume-text.js';
import { keepReport } from './run-load.js';
import { isSalvagedWhole, salvageText } from './verbs/salvage-text.js';
import { Exit, listingProgress, salvageProgress, type VerbIo } from './verbs/verb.js';

const PROGRESS_MS = 1000;

/** In which form an export says how it ended. */
export interface ExportForm {
  readonly json: boolean;
  /** The container as it was on the command line, if it was. */
  readonly given?: string;
  /** Of `--page`. */
  readonly page?: string;
  /** The command by which a job is gone on with. */
  readonly program: ResumeProgram;
}

/** Runs an export to its end, and says how it ended. @returns exit code */
export async function runExport(
  options: ExportJobOptions,
  { json, given, page: listen, program }: ExportForm,
  io: VerbIo,
): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const page = await jobPage(listen, {}, io.complain);
  let ending: Parameters<OpenPage['close']>[0];
  try {
    const summary = await exportJob({
      ...options,
      signal: io.signal,
      onListed: listingProgress(io),
      onSalvaging: salvageProgress(io),
      onFailure: (failed, _reason, message) => io.complain(`${escapePath(failed) || '.'}: ${message}`),
      onMessage: io.complain,
      onStart: (snapshot, statePath) => {
        io.endsByItself();
        page?.about(statePath);
        timer = setInterval(() => io.progress(() => figuresOf(snapshot())), PROGRESS_MS);
        timer.unref();
      },
    });
    ending = endingOf(summary);
    if (summary.statePath !== undefined) await keepReport(summary.statePath, io.complain);
    const { path = Buffer.alloc(0), container } = options;
    await io.write(
      json
        ? fieldsLine({ ...pathFields(path), ...summaryFields(summary) })
        : summaryText(summary, {
            container: container.replace(/\?.*$/s, ''),
            given,
            program,
            root: Buffer.from(options.target),
          }),
    );
    if (summary.status === 'Failed') io.complain(messageOf(summary.error));
    if (summary.status === 'Completed' && summary.salvage && !isSalvagedWhole(summary.salvage)) return Exit.found;
    return { Completed: Exit.ok, CompletedWithErrors: Exit.found, Failed: Exit.unchecked, Cancelled: Exit.interrupted }[
      summary.status
    ];
  } finally {
    clearInterval(timer);
    await page?.close(ending);
  }
}

/** What the page says in the end of an export that leaves no state behind. */
function endingOf({ status, progress }: ExportSummary): Parameters<OpenPage['close']>[0] {
  const { written, replaced, left, failed, bytes } = progress;
  return { finalStatus: status, done: written + replaced + left, failed, bytes };
}

function figuresOf({ written, replaced, left, failed, total, workers, ...at }: ExportProgress): ProgressFigures {
  const done = written + replaced + left + failed;
  const permille = total === undefined ? undefined : at.permille;
  const bytes = at.content ?? { bytes: at.bytes };
  return { label: 'Export', unit: 'entries', done, total, ...bytes, failed, permille, workers, ...serviceFigures(at) };
}

function summaryFields(summary: ExportSummary) {
  const { status, progress, statePath, problemsFile, error, failures, notKept, salvage } = summary;
  const { written, replaced, left, failed, excluded, bytes, linkCopies } = progress;
  return {
    status,
    written,
    replaced,
    left,
    failed,
    excluded,
    bytes,
    linkCopies,
    statePath,
    problemsFile,
    error: error === undefined ? undefined : messageOf(error),
    failures,
    notKept: notKept.length === 0 ? undefined : notKept,
    salvage,
  };
}

/** @param given the container as it was on the command line @param root what paths of failures are below */
function summaryText(
  { status, progress, statePath, failures, notKept, salvage }: ExportSummary,
  {
    container,
    given,
    program,
    root,
  }: Pick<ExportForm, 'given' | 'program'> & {
    readonly container: string;
    readonly root: Uint8Array;
  },
): string {
  const { written, replaced, left, failed, excluded, bytes, linkCopies } = progress;
  const lines = [
    `${status === 'Cancelled' ? 'Stopped: ' : ''}${counted(written, 'entries')} written (${shortBytes(bytes)}), ${replaced} replaced, ${left} there already, ${failed} failed`,
  ];
  if (excluded > 0)
    lines.push(`${wereCounted(excluded, 'entries')} left out, as the flags say; what is below them is not counted`);
  if (linkCopies > 0)
    lines.push(
      `${counted(linkCopies, 'hard links')} became ${linkCopies === 1 ? 'a copy of its own: the target cannot link it' : 'copies of their own: the target cannot link them'}, as across what is mounted in it`,
    );
  if (notKept.length > 0) lines.push(`the target does not keep all ${notKept.join(', ')} that it is given`);
  if (salvage) lines.push(salvageText(salvage));
  const resume =
    status === 'Completed' || statePath === undefined
      ? undefined
      : resumeText(statePath, container, { given, program });
  const done = written + replaced + left;
  const { total } = progress;
  const remaining = total === undefined ? undefined : Math.max(0, total - done - failed);
  const pending = status === 'CompletedWithErrors' ? 0 : remaining;
  const logFile = statePath === undefined ? undefined : join(statePath, 'clfsload.log');
  lines.push(...endingLines({ done, failed, pending, failures, root, statePath, logFile, resume }));
  return `${lines.join('\n')}\n`;
}

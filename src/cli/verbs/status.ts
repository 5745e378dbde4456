import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  counted,
  escapeText,
  exportStateOf,
  exportStatus,
  type JobStatus,
  jobStatus,
  type RecordedExport,
  type WorkerStatus,
} from '../../index.js';
import { UsageError } from '../arguments.js';
import { failureFiles, failureLines, moreLine, resumeLines } from '../ending-text.js';
import { fieldsLine } from '../fields-line.js';
import { textPath } from '../local-path.js';
import { type ResumeProgram, resumeProgram, resumeText } from '../resume-text.js';
import { Exit, plainCommand, stallWarningOption, type Verb, wantsJson } from './verb.js';

function callsText({ way, callMs, inFlight, mostInFlight }: NonNullable<JobStatus['sourceCalls']>): string {
  const took = callMs === 0 ? '' : `, ${callMs.toFixed(callMs < 10 ? 1 : 0)} ms each`;
  return `${way}${took}, ${inFlight} in flight, at most ${mostInFlight}`;
}

function shareLines({ permille }: { readonly permille: number }): readonly string[] {
  return permille === 0 ? [] : [`Share:     ${(permille / 10).toFixed(1)} % of the work`];
}

/** What a running job does, and what it waits for. */
function nowLines({ now }: Pick<JobStatus, 'now'>): readonly string[] {
  if (!now) return [];
  const { phase, serviceAwaySince, sourceAwaySince, stalled } = now;
  return [
    `Phase:     ${phase}`,
    ...(serviceAwaySince === undefined
      ? []
      : [`Waiting:   the service has not answered since ${serviceAwaySince}; requests are repeated until it does`]),
    ...(sourceAwaySince === undefined
      ? []
      : [`Waiting:   the source has not answered since ${sourceAwaySince}; the job goes on when it does`]),
    ...(stalled ? [`Waiting:   a call of ${stalled.path} has not been answered since ${stalled.since}`] : []),
  ];
}

function workerLines({ workers }: Pick<JobStatus, 'workers'>): readonly string[] {
  if (!workers) return [];
  const here = workers.filter(({ gone }) => gone === undefined);
  return [`Workers:   ${here.length}`, ...workers.map((worker) => `           ${workerText(worker)}`)];
}

function workerText({ name, threads, since, tasks, gone, ...rest }: WorkerStatus): string {
  if (gone !== undefined) return `${name}: has gone at ${gone}, ${rest.trouble}`;
  const { unitsPerSecond, megabitsPerSecond, slow, trouble } = rest;
  // Nothing goes to a service where the container is on disk.
  const sent = megabitsPerSecond === 0 ? '' : `, ${megabitsPerSecond.toFixed(1)} Mb/s`;
  const rate = `${unitsPerSecond.toFixed(0)} units/s${sent}`;
  const marks = `${slow ? ', much slower than the others' : ''}${trouble === undefined ? '' : `, ${trouble}`}`;
  return `${name}: ${counted(threads, 'threads')} since ${since}, ${counted(tasks, 'tasks')}, ${rate}${marks}`;
}

/** `status`: a job, without disturbing it. */
export const status: Verb = {
  name: 'status',
  summary: 'show a job: running, stopped or finished',
  command: () =>
    plainCommand(
      'status',
      'Show the job at a state path, also while it runs: counts, failures, and how to go on.',
      '  clfsload status /path/to/state\n',
    )
      .argument('[state]', 'state directory of the job, or the target of an export whose state is kept beside it')
      .option('--state-path <string>', 'the same, as a load has it')
      .addOption(stallWarningOption()),
  async run(command, io) {
    const { statePath = command.args[0] } = command.opts<{ statePath?: string }>();
    if (statePath !== (command.args[0] ?? statePath))
      throw new UsageError('please name the state directory once: as the argument, or by --state-path');
    if (!statePath) throw new UsageError('please name the state directory of the job');
    const given = textPath(statePath, 'the state directory');
    const ofExport = await exportStateOf(given);
    const path = ofExport ?? given;
    const job = ofExport === undefined ? jobStatus(given) : exportStatus(ofExport);
    if (wantsJson(command)) {
      await io.write(fieldsLine(job));
      return Exit.ok;
    }
    const program = resumeProgram(command.name());
    const lines = 'targetHex' in job ? exportLines(job, path, program) : loadLines(job, path, program);
    await io.write(`${lines.map(escapeText).join('\n')}\n`);
    return Exit.ok;
  },
};

function loadLines(job: JobStatus, statePath: string, program: ResumeProgram): readonly string[] {
  return [
    `Job:       ${job.jobId} (${job.state}), session ${job.sessions}`,
    `Source:    ${job.source}`,
    `Container: ${job.container}`,
    `Settings:  compression ${job.compression}, preserve hard links ${job.preserveHardLinks}`,
    `Entries:   ${job.entriesDone} done, ${job.entriesFailed} failed, ${job.entriesOpen} known to be left`,
    ...(job.selection === '' ? [] : [`Left out:  ${job.entriesExcluded} entries, by ${job.selection}`]),
    ...(job.linkCopies === 0 ? [] : [`Links:     ${job.linkCopies} became copies of their own; the log tells which`]),
    `Bytes:     ${job.bytesDone}`,
    ...shareLines(job),
    `Rate:      ${job.entriesPerSecond.toFixed(0)} entries/s, ${job.megabitsPerSecond.toFixed(1)} Mb/s in the latest session`,
    ...(job.sourceCalls === undefined ? [] : [`Calls:     of the source ${callsText(job.sourceCalls)}`]),
    ...nowLines(job),
    ...workerLines(job),
    `Seen:      ${job.lastAlive ?? 'never'}`,
    ...(job.finalStatus === '' ? [] : [`Ended:     ${job.finalStatus}`]),
    ...recordedFailures(job, job.sourceHex, statePath),
    ...(job.state === 'stopped'
      ? resumeLines(resumeText(statePath, job.container, { program }), job.entriesOpen === 0 && job.entriesFailed > 0)
      : []),
  ];
}

/** What failed, and where the rest of it is told: written at the end of a session, so not while the first one runs. */
function recordedFailures(
  { failures }: JobStatus | RecordedExport,
  rootHex: string,
  statePath: string,
): readonly string[] {
  const lines = failureLines({ failures, root: Buffer.from(rootHex, 'hex') });
  const told = lines.length > 0 && existsSync(join(statePath, 'problems.txt'));
  return told ? [...lines, moreLine(failureFiles(resolve(statePath)))] : lines;
}

function exportLines(job: RecordedExport, statePath: string, program: ResumeProgram): readonly string[] {
  const { overwrite, sparse, salvage } = job;
  return [
    `Job:       ${job.jobId} (${job.state}), session ${job.sessions}`,
    `Container: ${job.container}${job.path === '' ? '' : `, ${job.path}`}`,
    `Target:    ${job.target}`,
    `Settings:  overwrite ${overwrite}, sparse ${sparse}, salvage ${salvage}`,
    `Entries:   ${job.written} written, ${job.replaced} replaced, ${job.left} there already, ${job.failed} failed`,
    ...(job.selection === '' ? [] : [`Left out:  ${job.excluded} entries, by ${job.selection}`]),
    ...(job.linkCopies === 0 ? [] : [`Links:     ${job.linkCopies} became copies of their own; the log tells which`]),
    `Bytes:     ${job.bytes}`,
    ...shareLines(job),
    ...nowLines(job),
    ...workerLines(job),
    `Seen:      ${job.lastAlive ?? 'never'}`,
    ...(job.finalStatus === '' ? [] : [`Ended:     ${job.finalStatus}`]),
    ...recordedFailures(job, job.targetHex, statePath),
    ...(job.state === 'stopped'
      ? resumeLines(resumeText(statePath, job.container, { program }), job.finalStatus === 'CompletedWithErrors')
      : []),
  ];
}

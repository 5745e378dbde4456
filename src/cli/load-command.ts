import type { Command } from 'commander';
import {
  ClfsError,
  counted,
  dryRun,
  isClfsError,
  jobStatus,
  type LoadOptions,
  messageOf,
  parseSelection,
  redact,
} from '../index.js';
import { dryRunNotice, normalizeBooleans, normalizePage, UsageError } from './arguments.js';
import { containerArgument } from './container-argument.js';
import { dryRunFields, dryRunText } from './dry-run-text.js';
import { jobPage } from './job-page.js';
import { leaveAtOnce } from './leave-at-once.js';
import { DRY_RUN_FLAGS, LOAD_BOOLEANS, type LoadFlags, loadCommand } from './load-flags.js';
import { LoadOutput } from './load-output.js';
import { presentPath, textPath } from './local-path.js';
import { type JobProgress, type MessageOutput, openMessages, type ProgressForm } from './messages.js';
import { askedForSas, resumeProgram, resumeText } from './resume-text.js';
import { runLoad } from './run-load.js';
import { stopOnSignals } from './stop-on-signals.js';
import { workersOf } from './verbs/verb.js';

/**
 * Runs `load clfs`.
 *
 * @returns exit code: 0 only when everything arrived
 * @throws UsageError
 */
export async function runLoadCommand(name: string, argv: readonly string[]): Promise<number> {
  const command = loadCommand(name);
  command.parse(normalizePage(normalizeBooleans(argv, LOAD_BOOLEANS)), { from: 'user' });
  const flags = command.opts<LoadFlags>();
  const resumed = !flags.newSession && !flags.dryRun;
  // What sizes a source sends nothing anywhere.
  const isSized = flags.dryRun && command.args.length === 1;
  if (command.args.length !== 2 && !isSized && !(resumed && command.args.length === 0)) {
    throw new UsageError('please pass two arguments: the path to the local source data, and the URL to the container');
  }
  const [source, container] = command.args;
  if (!flags.dryRun)
    return runJob(command, { source, container, statePath: flags.statePath, newSession: flags.newSession });
  return withMessages(command, async (messages, signal) => {
    const notice = dryRunNotice(command, (name) => DRY_RUN_FLAGS.has(name));
    if (notice !== undefined) messages.info(`INFO: ${notice}`);
    const selection = selectionOf(flags);
    const size = await dryRun({
      source: await presentPath(source),
      selection,
      preserveHardLinks: flags.preserveHardlinks,
      stallWarningMs: flags.stallWarning,
      signal,
      onMessage: (text) => messages.info(`INFO: ${text}`),
      onSize:
        flags.outputType === 'text' && (formOf(command) === 'own' || process.stdout.isTTY)
          ? ({ entries, bytes }) => messages.progress(sizingProgress(entries, bytes))
          : undefined,
    });
    messages.report(dryRunText(size, flags.capMbps, flags.preserveHardlinks), dryRunFields(size, flags.capMbps));
    return 0;
  });
}

/** Which job is to be run. When a job goes on, what is left out stays as it was. */
interface JobArguments {
  readonly source?: string;
  /** As it stands on the command line. */
  readonly container?: string;
  readonly statePath?: string;
  readonly newSession: boolean;
}

/** Begins a load, or goes on with one, by the flags of `command`. @returns exit code */
export function runJob(command: Command, job: JobArguments): Promise<number> {
  const flags = command.opts<LoadFlags>();
  // When a job goes on, a flag that is not given changes nothing.
  const given = <K extends keyof LoadFlags>(name: K): LoadFlags[K] | undefined =>
    command.getOptionValueSource(name) === 'cli' ? flags[name] : undefined;
  const selects = (['excludePath', 'excludePattern', 'oneFileSystem'] as const).some(
    (name) => given(name) !== undefined,
  );
  const excludes = flags.excludePath !== undefined && `${flags.excludePath}${flags.excludePattern}` !== '';
  return withMessages(command, async (messages, signal) => {
    if (!job.statePath) throw new ClfsError('usage', 'please specify a state-path');
    // A job that goes on may have workers by what it was told before.
    if (job.newSession) workersOf(flags);
    const manifest = given('manifest');
    const statePath = textPath(job.statePath, 'the state directory');
    const run: LoadOptions = {
      source: job.source === undefined ? undefined : await presentPath(job.source),
      destination: job.container === undefined ? undefined : containerArgument(job.container),
      statePath,
      newSession: job.newSession,
      compression: given('compressionType'),
      preserveHardLinks: given('preserveHardlinks'),
      selection: selects ? selectionOf(flags) : undefined,
      manifest: manifest === undefined ? undefined : textPath(manifest, 'the manifest'),
      estimate: given('estimate'),
      checkListing: given('checkListing'),
      identity: {
        trustedSuffixes: flags.trustedMicrosoftSuffixes,
        onPrompt: (text) => messages.info(`INFO: ${text}`),
      },
      maxErrors: given('maxErrors'),
      capMbps: given('capMbps'),
      concurrency: flags.concurrencyCount ?? concurrencyFromEnvironment(),
      threads: given('threads'),
      workers: given('workers'),
      leaseMs: given('workerLease'),
      logLevel: flags.logLevel,
      retryWindowMs: given('retryWindow'),
      lateArrivalMs: given('lateArrival'),
      stallWarningMs: given('stallWarning'),
      signal,
    };
    const page = await jobPage(flags.page, { statePath }, (text) => messages.info(`INFO: ${text}`));
    const program = resumeProgram(command.name());
    try {
      return await runLoad(run, new LoadOutput(messages, { container: job.container, excludes, program }));
    } catch (error) {
      if (job.container !== undefined || formOf(command) === 'azcopy') throw error;
      throw askedForSas(error, () => resumeText(statePath, jobStatus(statePath).container, { program }));
    } finally {
      await page?.close();
    }
  });
}

/** Only the command that azcopy had shows its progress as azcopy did. */
function formOf(command: Command): ProgressForm {
  return command.name() === 'azcopy load clfs' ? 'azcopy' : 'own';
}

/** `resume` goes on by itself, without the flag of `load` that messages name. */
function inFlagsOfResume(messages: MessageOutput): MessageOutput {
  const own = (text: string) =>
    text
      .replace(
        /Leave out --new-session=false to start one|Start one without --new-session=false/g,
        'Start one by "clfsload load"; an export that was to have it is repeated with the arguments that it was given',
      )
      .replace(/,? (?:by|with|and) --new-session=false(?: goes on)?/g, '');
  return { ...messages, info: (text) => messages.info(own(text)), error: (text) => messages.error(own(text)) };
}

/** How far a dry run has come. */
function sizingProgress(done: number, bytes: number): JobProgress {
  return {
    content: () => undefined,
    azcopyLine: () => `${counted(done, 'entries')}, ${counted(bytes, 'bytes')} found`,
    figures: () => ({ label: 'Sizing', unit: 'entries', done, bytes }),
  };
}

async function withMessages(
  command: Command,
  use: (messages: MessageOutput, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const { outputType, outputLevel } = command.opts<LoadFlags>();
  const opened = openMessages({ type: outputType, level: outputLevel, form: formOf(command) });
  const messages = command.name().endsWith(' resume') ? inFlagsOfResume(opened) : opened;
  leaveAtOnce();
  const stop = stopOnSignals(() => messages.info('INFO: stopping; once more stops at once'));
  try {
    return await use(messages, stop.signal);
  } catch (error) {
    if (!(error instanceof ClfsError)) throw error;
    if (isClfsError(error, 'cancelled')) {
      messages.error('The job was stopped before it had begun.');
      return 1;
    }
    messages.error(`Cannot start job due to error: ${redact(refusalText(error, formOf(command)))}`);
    return 1;
  } finally {
    stop.release();
  }
}

function selectionOf({ excludePath, excludePattern, oneFileSystem }: LoadFlags) {
  return parseSelection(excludePath, excludePattern, oneFileSystem);
}

function refusalText(error: ClfsError, form: ProgressForm): string {
  if (isClfsError(error, 'source'))
    return `the source cannot be accessed due to error: ${messageOf(error).replace('Cannot read the source ', '')}`;
  return form === 'azcopy' ? inWordsOfAzcopy(messageOf(error)) : messageOf(error);
}

/** Azcopy says the same of whatever is wrong with a container's URL; what it is stands in brackets behind that. */
function inWordsOfAzcopy(text: string): string {
  const why =
    /^The container URL is not valid \((.*)\)$/s.exec(text)?.[1] ??
    text
      .match(/^The (?:container URL has no SAS: |SAS of the container URL has no ).*$/s)?.[0]
      .replace('The container URL has', 'it has')
      .replace('The SAS of the container URL', 'the SAS')
      .replace(/\.$/, '');
  return why === undefined
    ? text
    : `the destination is not a valid Container URL with SAS, please refer to the examples (${why})`;
}

function concurrencyFromEnvironment(): number | undefined {
  const value = process.env.AZCOPY_CONCURRENCY_VALUE;
  if (value === undefined || value === '') return undefined;
  if (value.toUpperCase() === 'AUTO') return 0;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`AZCOPY_CONCURRENCY_VALUE takes a whole number or AUTO, not ${JSON.stringify(value)}`);
  return number;
}

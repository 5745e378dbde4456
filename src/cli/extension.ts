import { Command, CommanderError, InvalidArgumentError } from 'commander';
import {
  ClfsError,
  escapeText,
  LOG_LEVELS,
  type LoadEvent,
  type LoadSummary,
  type LogLevel,
  messageOf,
  redact,
  VERSION,
} from '../index.js';
import { parseChoice, parsePositive, parseUint32, strict, UsageError, usageText } from './arguments.js';
import { AzcopyMeter, endFields, WAITING } from './azcopy-progress.js';
import { exactArguments } from './exact-arguments.js';
import { leaveAtOnce } from './leave-at-once.js';
import { LoadOutput, stopText } from './load-output.js';
import { presentPath, textPath } from './local-path.js';
import { openMessages } from './messages.js';
import { serviceFigures } from './progress/figures.js';
import { type LoadListener, runLoad } from './run-load.js';
import { OutputError, outliveReaders } from './standard-streams.js';
import { stopOnSignals } from './stop-on-signals.js';

export { endProcess } from './end-process.js';

const PROGRESS_MS = 2000;
const ACCOUNT_NAME = /^[a-z0-9]{3,24}$/;
const BYTES_A_GB = 1e9;
/** `--max_errors=0` of CLFSLoad's own command line. */
const NO_LIMIT = 0xffffffff;

interface Flags {
  readonly azcopy?: boolean;
  readonly dry_run?: boolean;
  readonly dry_run_gb?: number;
  readonly dry_run_count?: number;
  readonly retry_errors?: readonly number[];
  readonly max_errors?: number;
  readonly compression: 'LZ4' | 'DISABLED';
  readonly preserve_hardlinks: boolean;
  readonly log_level: LogLevel;
  readonly worker_thread_count?: number;
  readonly new?: boolean;
}

interface ExtensionOutput extends LoadListener {
  error(text: string): void;
}

/** The command line of CLFSLoad, with its underscores. Source: docs/migrating.md 3, 4 */
export function extensionCommand(): Command {
  return strict(new Command('CLFSLoad.py'))
    .description(
      'Load a local directory into a CLFS container: the program that azcopy up to 10.14 runs for "load clfs", with the command line of CLFSLoad.',
    )
    .version(VERSION, '--version')
    .argument('[local_state_path]', 'directory for the state of the job')
    .argument('[source_root]', 'the directory to load')
    .argument('[target_storage_account]', 'name of the storage account')
    .argument('[target_container]', 'name of the container')
    .argument('[sas_token]', 'SAS, without a leading question mark')
    .option('--new', 'start a new job; without it the job at the state path goes on')
    .option(
      '--compression <string>',
      'LZ4 or DISABLED',
      parseChoice(['LZ4', 'DISABLED'], (value) => value.toUpperCase()),
      'LZ4',
    )
    .option('--preserve_hardlinks [0|1]', 'keep hard links as links', parseBit, false)
    .option('--max_errors <n>', 'failures of entries to tolerate; 0: no limit (default: 50)', parseUint32)
    .option(
      '--retry_errors <n>',
      'accepted: what failed is always tried again; under azcopy the second one is --max-errors',
      collect,
    )
    .option('--worker_thread_count <n>', 'number of requests in flight (default: adapted to the service)', parseUint32)
    .option(
      '--log_level <string>',
      LOG_LEVELS.join(', '),
      parseChoice(LOG_LEVELS, (value) => value.toUpperCase()),
      'INFO',
    )
    .option('--dry_run', 'size the source, so that progress can be told in per cent')
    .option('--dry_run_gb <n>', 'gigabytes that are known to be there, in place of sizing', parsePositive)
    .option('--dry_run_count <n>', 'entries that are known to be there, in place of sizing', parsePositive)
    .option('--azcopy', 'speak to azcopy')
    .addHelpText(
      'after',
      '\nCLFSLOAD_BLOB_ENDPOINT replaces https://ACCOUNT.blob.core.windows.net:\nhttp://127.0.0.1:10000/devstoreaccount1 for an emulator.',
    );
}

/** Runs as azcopy's extension, or by CLFSLoad's own command line. @returns exit code */
export async function runExtension(given: readonly string[]): Promise<number> {
  // azcopy may go away; the load goes on.
  outliveReaders();
  const azcopy = given.includes('--azcopy');
  const fail = (text: string) => {
    if (azcopy) process.stdout.write(errorLine(text));
    else process.stderr.write(`Error: ${escapeText(redact(text))}\n`);
    return 1;
  };
  const command = extensionCommand();
  try {
    command.parse([...(await exactArguments(given))], { from: 'user' });
  } catch (error) {
    if (error instanceof UsageError || error instanceof OutputError) return fail(error.message);
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : fail(usageText(error));
  }
  const { args } = command;
  if (args.length !== 5) return fail('please pass five arguments: state path, source, storage account, container, SAS');
  const flags = command.opts<Flags>();
  const output = azcopy ? new AzcopyOutput() : ownOutput();
  leaveAtOnce();
  const stop = stopOnSignals(() => output.event?.({ kind: 'message', text: 'stopping; once more stops at once' }));
  try {
    return await runLoad(
      {
        statePath: textPath(args[0], 'the state directory'),
        source: await presentPath(args[1]),
        destination: containerUrl(args[2], args[3], args[4]),
        newSession: flags.new === true,
        compression: flags.compression,
        preserveHardLinks: flags.preserve_hardlinks,
        maxErrors: azcopy
          ? (flags.retry_errors?.[1] ?? flags.max_errors)
          : flags.max_errors === 0
            ? NO_LIMIT
            : flags.max_errors,
        concurrency: flags.worker_thread_count || undefined,
        estimate: azcopy || flags.dry_run === true,
        knownSize:
          flags.dry_run_count === undefined && flags.dry_run_gb === undefined
            ? undefined
            : { entries: Math.ceil(flags.dry_run_count ?? 0), bytes: Math.ceil((flags.dry_run_gb ?? 0) * BYTES_A_GB) },
        logLevel: flags.log_level,
        signal: stop.signal,
      },
      output,
    );
  } catch (error) {
    if (!(error instanceof ClfsError || error instanceof UsageError)) throw error;
    output.error(messageOf(error));
    return 1;
  } finally {
    stop.release();
  }
}

/** @throws ClfsError `usage` before the SAS goes anywhere: azcopy hands on whole foreign host names */
function containerUrl(account: string, container: string, sas: string): string {
  if (!ACCOUNT_NAME.test(account))
    throw new ClfsError(
      'usage',
      `${JSON.stringify(account)} is not the name of a storage account (3 to 24 lower-case letters and digits); the SAS has been sent nowhere.`,
    );
  const endpoint =
    process.env.CLFSLOAD_BLOB_ENDPOINT?.replace(/\/+$/, '') || `https://${account}.blob.core.windows.net`;
  return `${endpoint}/${encodeURIComponent(container)}?${sas.replace(/^\?/, '')}`;
}

/** The lines that azcopy reads. */
class AzcopyOutput implements ExtensionOutput {
  readonly #meter = new AzcopyMeter();
  #timer: NodeJS.Timeout | undefined;
  #reportedWaiting = false;

  event(event: LoadEvent): void {
    if (event.kind === 'configuration') {
      const { compression, newSession, preserveHardLinks } = event;
      writeTagged('AZCOPY-CONFIG', {
        compression,
        new: newSession,
        preserve_hardlinks: preserveHardLinks,
        version: VERSION,
      });
    } else if (event.kind === 'phase') writeTagged('AZCOPY-INFO', { phase: event.phase });
    else process.stdout.write(errorLine(event.text));
  }

  start(snapshot: Parameters<LoadOutput['start']>[0]): void {
    this.#timer = setInterval(() => {
      const now = snapshot();
      const isWaiting = serviceFigures(now).waitingSeconds !== undefined;
      if (isWaiting && !this.#reportedWaiting) process.stdout.write(errorLine(WAITING));
      this.#reportedWaiting = isWaiting;
      const fields = this.#meter.fields(now);
      // azcopy prints every digit that it is given.
      writeTagged('AZCOPY', {
        ...fields,
        pct_complete: tenths(fields.pct_complete),
        throughput_Mbps: tenths(fields.throughput_Mbps),
      });
    }, PROGRESS_MS);
    this.#timer.unref();
  }

  end(summary: LoadSummary): void {
    clearInterval(this.#timer);
    if (summary.error !== undefined) this.error(stopText(summary));
    if (summary.problemsFile) process.stdout.write(errorLine(`What failed is listed in ${summary.problemsFile}.`));
    writeTagged('AZCOPY-FINAL', { ...endFields(summary), phase: 'Done' });
  }

  error(text: string): void {
    process.stdout.write(errorLine(text));
  }
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

function writeTagged(tag: string, content: unknown): void {
  process.stdout.write(`${tag}:${JSON.stringify(content)}\n`);
}

/** A line that azcopy shows as INFO. It hangs on lines of more than 64 KiB. */
function errorLine(text: string): string {
  return `ERR ${escapeText(redact(text).replaceAll('\n', ' ')).slice(0, 4000)}\n`;
}

function ownOutput(): ExtensionOutput {
  const messages = openMessages({ type: 'text', level: 'default', form: 'azcopy' });
  const output = new LoadOutput(
    { ...messages, info: (text) => messages.info(inOwnFlags(text)) },
    { container: undefined, excludes: false, program: 'clfsload resume' },
  );
  return {
    event: (event) => output.event(event),
    start: (snapshot) => output.start(snapshot),
    end: (summary) => output.end(summary),
    error: (text) => messages.error(`Cannot start job due to error: ${redact(inOwnFlags(text))}`),
  };
}

/** CLFSLoad's command line goes on with a job where it has no --new; azcopy has the flag that messages name. */
function inOwnFlags(text: string): string {
  return text
    .replace(/Leave out --new-session=false/g, 'Name --new')
    .replace(/[Ss]tart one without --new-session=false/g, 'Start one with --new')
    .replace(/(by|with|and) --new-session=false/g, 'without --new')
    .replace(/--state-path/g, 'state path')
    .replace(/--max-errors/g, '--max_errors')
    .replace(/--preserve-hardlinks/g, '--preserve_hardlinks')
    .replace(/--compression-type/g, '--compression')
    .replace(/; --retry-window says how long it is tried| \(--retry-window\)/g, '');
}

function parseBit(value: string): boolean {
  if (value !== '0' && value !== '1') throw new InvalidArgumentError(`it takes 0 or 1, not ${JSON.stringify(value)}`);
  return value === '1';
}

function collect(value: string, before: readonly number[] = []): number[] {
  return [...before, parseUint32(value)];
}

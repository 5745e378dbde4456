import { resolve } from 'node:path';
import { Command } from 'commander';
import { type ExportJobOptions, exportStateOf, resumedExport, watchHeldUp } from '../index.js';
import { normalizeBooleans, normalizePage, strict, UsageError, VerbUsageError } from './arguments.js';
import { containerArgument } from './container-argument.js';
import { runJob } from './load-command.js';
import { CONTAINER_HELP, withRunOptions } from './load-flags.js';
import { textPath } from './local-path.js';
import { askedForSas, resumeProgram, resumeText } from './resume-text.js';
import { runExport } from './run-export.js';
import { runVerb } from './run-verb.js';
import { type VerbIo, workersOf } from './verbs/verb.js';

const EXAMPLES = `
Examples:
  clfsload resume /path/to/state
  clfsload resume /path/to/state "https://[account].blob.core.windows.net/[container]?[SAS]"
  CLFS_URL="https://[account].blob.core.windows.net/[container]?[SAS]" clfsload resume /path/to/state env:CLFS_URL --cap-mbps=200
`;

/** The command itself: its flags, their defaults and help. */
export function resumeCommand(name: string): Command {
  const command = strict(new Command(name))
    .usage('[state directory] [container URL] [flags]')
    .description(
      'Go on with the job in a state directory, a load or an export: what it is, and what it was told, is recorded there. A container that needs a SAS is named with it again, since no SAS is recorded. A flag changes the setting from the present session on.',
    )
    .argument('<state>', 'the state directory of the job, or the target of an export whose state is kept beside it')
    .argument('[container]', `the container of the job, where it needs a SAS: ${CONTAINER_HELP}`);
  return withRunOptions(command).addHelpText('after', EXAMPLES);
}

/** Flags that an export has too. */
const OF_AN_EXPORT = [
  'maxErrors',
  'threads',
  'workers',
  'workerLease',
  'lateArrival',
  'capMbps',
  'retryWindow',
  'stallWarning',
  'outputType',
  'trustedMicrosoftSuffixes',
  'page',
];

/**
 * Runs `resume`.
 *
 * @returns exit code: 0 only when everything arrived
 * @throws UsageError
 */
export async function runResume(name: string, argv: readonly string[]): Promise<number> {
  const command = resumeCommand(name);
  command.parse(normalizePage(normalizeBooleans(argv, ['--estimate', '--check-listing'])), { from: 'user' });
  const [given, container] = command.args;
  if (given === '') throw new UsageError('please name the state directory of the job');
  watchHeldUp(['SIGINT', 'SIGTERM'], 1);
  const statePath = await exportStateOf(resolve(textPath(given, 'the state directory')));
  if (statePath === undefined) return runJob(command, { statePath: given, container, newSession: false });
  const isJson = command.opts<{ outputType: string }>().outputType === 'json';
  try {
    return await runVerb(
      async (io) => {
        const from = container === undefined ? undefined : containerArgument(container);
        const options = await resumedExport(statePath, from);
        try {
          return await resumeExport(command, options, io, container);
        } catch (error) {
          if (from !== undefined) throw error;
          const program = resumeProgram(command.name());
          throw askedForSas(error, () => resumeText(statePath, options.container, { program }));
        }
      },
      isJson ? process.stdout : undefined,
    );
  } catch (error) {
    throw error instanceof UsageError ? new VerbUsageError(error.message) : error;
  }
}

/** @param given the container as it was on the command line, if it was */
function resumeExport(command: Command, options: ExportJobOptions, io: VerbIo, given?: string): Promise<number> {
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) === 'cli' && !OF_AN_EXPORT.includes(name))
      throw new UsageError(`${option.long} cannot be used with an export`);
  }
  const flags = command.opts<{
    readonly maxErrors?: number;
    readonly threads?: number;
    readonly workers?: string;
    readonly workerLease?: number;
    readonly lateArrival?: number;
    readonly capMbps: number;
    readonly retryWindow?: number;
    readonly stallWarning?: number;
    readonly outputType: string;
    readonly trustedMicrosoftSuffixes?: string;
    readonly page?: string;
  }>();
  const {
    maxErrors,
    threads = options.threads,
    lateArrival: lateArrivalMs,
    retryWindow,
    stallWarning: stallWarningMs,
    outputType,
    trustedMicrosoftSuffixes,
    page,
  } = flags;
  if (outputType === 'none') throw new UsageError('--output-type=none cannot be used with an export');
  const identity = { trustedSuffixes: trustedMicrosoftSuffixes, onPrompt: io.complain };
  const capMbps = command.getOptionValueSource('capMbps') === 'cli' ? flags.capMbps : options.capMbps;
  // A flag changes the one setting, and an empty text has the job go on without workers.
  const { workers: server = options.workers?.workers, workerLease = options.workers?.leaseMs } = flags;
  const workers = workersOf({ workers: server, workerLease: server === '' ? flags.workerLease : workerLease });
  const all = {
    ...options,
    maxErrors,
    threads,
    workers,
    lateArrivalMs,
    capMbps,
    retryWindowMs: retryWindow,
    stallWarningMs,
    identity,
  };
  return runExport(all, { json: outputType === 'json', given, page, program: resumeProgram(command.name()) }, io);
}

import { Command } from 'commander';
import { type Compression, LOG_LEVELS, type LogLevel } from '../index.js';
import {
  parseBoolean,
  parseChoice,
  parseDuration,
  parsePositive,
  parseThreads,
  parseUint32,
  strict,
} from './arguments.js';
import { pageOption } from './job-page.js';
import { OUTPUT_LEVELS, OUTPUT_TYPES, type OutputLevel, type OutputType } from './messages.js';
import { parseStallWarning } from './parse-stall-warning.js';

const EXAMPLES = `
Examples:
  Load a directory into a container:
    azcopy load clfs "/path/to/dir" "https://[account].blob.core.windows.net/[container]?[SAS]" --state-path="/path/to/state/path"
  Go on with a job that was stopped, with the settings that it had:
    azcopy load clfs "/path/to/dir" "https://[account].blob.core.windows.net/[container]?[SAS]" --state-path="/path/to/state/path" --new-session=false
    clfsload resume /path/to/state/path "https://[account].blob.core.windows.net/[container]?[SAS]"
  Size a load, and leave out what need not go with it:
    azcopy load clfs "/path/to/dir" "https://[account].blob.core.windows.net/[container]?[SAS]" --dry-run --exclude-path="cache;tmp" --exclude-pattern="*.o"
  Keep the SAS off the command line, or log in with Entra ID:
    CLFS_URL="https://[account].blob.core.windows.net/[container]?[SAS]" azcopy load clfs "/path/to/dir" env:CLFS_URL --state-path="/path/to/state/path"
    AZCOPY_AUTO_LOGIN_TYPE=AZCLI azcopy load clfs "/path/to/dir" "https://[account].blob.core.windows.net/[container]" --state-path="/path/to/state/path"
  Load into a container on disk, keeping hard links:
    clfsload load /path/to/dir /path/to/container --state-path=/path/to/state --preserve-hardlinks
`;

/** Flags that are true or false. */
export const LOAD_BOOLEANS = [
  '--new-session',
  '--preserve-hardlinks',
  '--one-file-system',
  '--estimate',
  '--dry-run',
  '--check-listing',
];

/** What a dry run takes notice of; the other flags may stay on its command line. */
export const DRY_RUN_FLAGS: ReadonlySet<string> = new Set<keyof LoadFlags>([
  'dryRun',
  // Its help says that no state is needed.
  'statePath',
  'preserveHardlinks',
  'excludePath',
  'excludePattern',
  'oneFileSystem',
  'capMbps',
  'stallWarning',
  'outputType',
  'outputLevel',
]);

/** The flags of a load, as they were parsed. */
export interface LoadFlags {
  readonly compressionType: Compression;
  readonly logLevel: LogLevel;
  readonly maxErrors?: number;
  readonly newSession: boolean;
  readonly preserveHardlinks: boolean;
  readonly statePath?: string;
  readonly capMbps: number;
  readonly outputType: OutputType;
  readonly outputLevel: OutputLevel;
  readonly concurrencyCount?: number;
  readonly threads?: number;
  readonly excludePath: string;
  readonly excludePattern: string;
  readonly oneFileSystem: boolean;
  readonly manifest?: string;
  readonly dryRun: boolean;
  readonly estimate: boolean;
  readonly checkListing: boolean;
  readonly trustedMicrosoftSuffixes: string;
  readonly retryWindow?: number;
  readonly lateArrival?: number;
  readonly workers?: string;
  readonly workerLease?: number;
  readonly stallWarning?: number;
  readonly page?: string;
}

/** The command itself: its flags, their defaults and help. */
export function loadCommand(name: string): Command {
  const command = strict(new Command(name))
    .usage('[local dir] [container URL] [flags]')
    .description(
      'Load a local directory into a container in the Avere Cloud FileSystem (CLFS) format.\n\nThe container must be empty. It is named by its URL, with a SAS or with the identity that AZCOPY_AUTO_LOGIN_TYPE names, or is a directory on disk. To go on with a job everything but --state-path and --new-session=false can be left out: it is as it was; a container that needs a SAS is named with it again.',
    )
    .argument('[source]', 'the directory to load; hex:// and hexadecimal digits for one of any bytes')
    .argument('[container]', CONTAINER_HELP)
    .allowExcessArguments(true)
    .option(
      '--compression-type <string>',
      'compression of the objects: DISABLED or LZ4',
      parseChoice(['LZ4', 'DISABLED'], (value) => value.toUpperCase()),
      'LZ4',
    )
    .option(
      '--new-session <bool>',
      'start a new job rather than go on with the one at --state-path',
      parseBoolean,
      true,
    )
    .option('--preserve-hardlinks <bool>', 'keep hard links as links', parseBoolean, false)
    .option('--state-path <string>', 'directory for the state of the job (required)')
    .option(
      '--exclude-path <string>',
      'paths below the source to leave out, with what is below them: "logs;cache/old"; as they are shown, or hex://PATH_HEX',
      '',
    )
    .option('--exclude-pattern <string>', 'wildcards for names to leave out: "*.tmp;core.*"', '')
    .option('--one-file-system <bool>', 'leave mount points below the source empty', parseBoolean, false)
    .option(
      '--manifest <file>',
      'write a line of JSON for every entry, with the SHA-256 of files, to a file when the load is complete',
    )
    .option(
      '--dry-run <bool>',
      'size the job and stop: nothing is written, no state and no container is needed',
      parseBoolean,
      false,
    );
  return withRunOptions(command).addHelpText('after', EXAMPLES);
}

/** Help text of an argument that names a container. */
export const CONTAINER_HELP =
  'container URL, file:// URL or path of a directory; env:NAME and @FILE take it from the environment or a file';

/** Adds the flags that say how a job runs: they may differ from session to session. */
export function withRunOptions(command: Command): Command {
  return command
    .option(
      '--log-level <string>',
      `what the log file holds: ${LOG_LEVELS.join(', ')}`,
      parseChoice(LOG_LEVELS, (value) => value.toUpperCase()),
      'INFO',
    )
    .option(
      '--max-errors <uint32>',
      'failures of entries to tolerate; one more stops the job (default: 50)',
      parseUint32,
    )
    .option('--cap-mbps <float>', 'cap the rate, in megabits per second; 0: no cap', parsePositive, 0)
    .option(
      '--concurrency-count <uint32>',
      'number of requests in flight, fewer for a while after time-outs (default: adapted to the service)',
      parseUint32,
    )
    .option(
      '--threads <uint32>',
      'number of worker threads; 0: none beside the first (default: one a processor, at most 16)',
      parseThreads,
    )
    .option('--estimate <bool>', 'size the source beside the load, to foretell its end', parseBoolean, true)
    .option(
      '--check-listing <bool>',
      'compare the listing of the container with what was put, before the job commits',
      parseBoolean,
      true,
    )
    .option(
      '--trusted-microsoft-suffixes <string>',
      'further domains that Entra ID tokens may be sent to, semicolon-separated',
      '',
    )
    .option(
      '--retry-window <duration>',
      'how long to wait for a service that does not answer, such as 90s or 6h (default: without end)',
      parseDuration,
    )
    .option(
      '--stall-warning <duration>',
      'after how long a call of the source that is not answered is spoken of (default: 60s)',
      parseStallWarning,
    )
    .option(
      '--late-arrival <duration>',
      'how long a request that was given up may still take effect at the service (default: 235s)',
      parseDuration,
    )
    .option(
      '--workers <url>',
      'server (NATS with JetStream) by which workers on other machines take part, nats://HOST:4222 or tls://HOST:4222; with --threads=0 they alone work',
    )
    .option(
      '--worker-lease <duration>',
      'how long a worker goes on without an answer, and its work waits for it (default: 30s)',
      parseDuration,
    )
    .addOption(pageOption())
    .option(
      '--output-type <string>',
      `form of the output: ${OUTPUT_TYPES.join(', ')}`,
      parseChoice(OUTPUT_TYPES, (value) => value.toLowerCase()),
      'text',
    )
    .option(
      '--output-level <string>',
      `how much is said: ${OUTPUT_LEVELS.join(', ')}`,
      parseChoice(OUTPUT_LEVELS, (value) => value.toLowerCase()),
      'default',
    );
}

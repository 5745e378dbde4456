import { Command, Option } from 'commander';
import {
  ClfsError,
  type CommandFinding,
  type ContainerReader,
  type CrewOptions,
  countListed,
  encodeExactly,
  isClfsError,
  type Listed,
  type LookedUp,
  lookUp,
  type ObjectIndex,
  type OpenReader,
  type OpenSalvage,
  openReader,
  parseTreePath,
  type ServiceFigures,
  type WorkersWish,
} from '../../index.js';
import { parseChoice, parseDuration, parsePositive, parseThreads, strict, UsageError } from '../arguments.js';
import { containerArgument } from '../container-argument.js';
import { parseStallWarning } from '../parse-stall-warning.js';
import type { ProgressFigures } from '../progress/figures.js';

/** Exit codes of the reading verbs. */
export const Exit = { ok: 0, found: 1, unchecked: 2, interrupted: 130 } as const;

/** A verb of `azcopy clfs` and `clfsload`. */
export interface Verb {
  readonly name: string;
  readonly summary: string;
  command(): Command;
  /** Whether standard output holds nothing but what entries hold: an error in JSON goes to standard error then. */
  writesContent?(command: Command): boolean;
  /** Brings arguments that are written in another usual way into the form that the command takes. */
  normalize?(argv: readonly string[]): string[];
  /** @returns exit code */
  run(command: Command, io: VerbIo): Promise<number>;
}

/** Where a verb writes, and what stops it. */
export interface VerbIo {
  readonly signal: AbortSignal;
  /** Writes to standard output, at the pace of whoever reads it. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** A line on standard error. */
  complain(text: string): void;
  /** Where the work stands: shown on standard error, by a line that results do not run into. */
  progress(figures: () => ProgressFigures): void;
  /** Whose answers are part of that: asked each time. */
  service(look: () => ServiceFigures): void;
  /** What a check has found, beside the line that it writes: for its page and its report. */
  found(finding: CommandFinding): void;
  /** From now on a stop ends the verb soon, whatever does not answer: no more is needed for that. */
  endsByItself(): void;
}

/** A command with what every verb has that reads a container. */
export function verbCommand(name: string, description: string, examples: string): Command {
  return plainCommand(name, description, examples)
    .option(
      '--trusted-microsoft-suffixes <string>',
      'further domains that Entra ID tokens may be sent to, semicolon-separated',
    )
    .option(
      '--cap-mbps <float>',
      'cap the rate at which is read from a service, in megabits per second; 0: no cap',
      parsePositive,
      0,
    )
    .option(
      '--retry-window <duration>',
      'how long to wait for a service that does not answer, such as 90s or 6h (default: 60s)',
      parseDuration,
    )
    .addOption(stallWarningOption())
    .addHelpText(
      'after',
      '\nCONTAINER is a container URL (with a SAS, or with the identity that\nAZCOPY_AUTO_LOGIN_TYPE names), a file:// URL, or the path of a directory of\nblobs; env:NAME and @FILE take it from the environment or a file.',
    );
}

/** A command with what every verb has. */
export function plainCommand(name: string, description: string, examples: string): Command {
  return strict(new Command(name))
    .description(description)
    .option('--json', 'one JSON object a line')
    .option(
      '--output-type <string>',
      'text or json',
      parseChoice(['text', 'json'], (value) => value.toLowerCase()),
      'text',
    )
    .addHelpText('after', `\nExamples:\n${examples.trimEnd()}`);
}

/** Refuses JSON beside flags whose output has a form of its own. @throws UsageError */
export function requireNoJson(command: Command, ...flags: readonly ('null' | 'sha256sum')[]): void {
  for (const flag of flags) {
    if (command.opts<Record<string, unknown>>()[flag] === true && wantsJson(command))
      throw new UsageError(`--${flag} cannot be used with JSON: its output has a form of its own`);
  }
}

/** Whether JSON is wanted. */
export function wantsJson(command: Command): boolean {
  const { json, outputType } = command.opts<{ json?: boolean; outputType: string }>();
  return json === true || outputType === 'json';
}

/** Flags that say how a service is reached. */
export interface ServiceFlags {
  /** 0: no cap. */
  readonly capMbps: number;
  readonly trustedMicrosoftSuffixes?: string;
  /** In milliseconds. */
  readonly retryWindow?: number;
  /** In milliseconds. */
  readonly stallWarning?: number;
}

/** `--stall-warning`, which holds from then on. */
export function stallWarningOption(): Option {
  return new Option(
    '--stall-warning <duration>',
    'after how long a call of a file system that is not answered is spoken of (default: 60s)',
  ).argParser(parseStallWarning);
}

/** Opens a container, gives it to `use`, and closes it. */
export async function withReader<T>(
  command: Command,
  container: string,
  io: VerbIo,
  use: (open: OpenReader) => Promise<T>,
): Promise<T> {
  const {
    trustedMicrosoftSuffixes: trustedSuffixes,
    capMbps,
    retryWindow,
    stallWarning,
  } = command.opts<ServiceFlags>();
  const open = await openReader(containerArgument(container), {
    signal: io.signal,
    capMbps,
    retryWindowMs: retryWindow,
    stallWarningMs: stallWarning,
    onWaiting: io.complain,
    identity: { trustedSuffixes, onPrompt: io.complain },
  });
  io.service(() => open.service());
  try {
    return await use(open);
  } finally {
    await open.close();
  }
}

/** A command with what every verb has that takes paths in a container. */
export function pathVerbCommand(name: string, description: string, examples: string): Command {
  return verbCommand(name, description, examples)
    .option('--raw-path', 'take paths as they stand, as -0 writes them: no backslash and no hex:// is read')
    .addHelpText(
      'after',
      '\nA path in the container is given as it is shown (\\\\ for a backslash, \\xNN for\na byte that is not UTF-8 or cannot be printed), or as hex:// and its path_hex.\nWhat is never shown so, such as a backslash alone, stands for itself. One that\nbegins with "-" is given as ./-NAME, or behind "--".',
    );
}

/** A path in a container as an argument gives it: as it is shown, or with --raw-path as it stands. */
export function pathArgument(command: Command, text: string): Buffer {
  return command.opts<{ rawPath?: boolean }>().rawPath ? encodeExactly(text) : parseTreePath(text);
}

/**
 * Finds the entry that an argument names; the root when there is none.
 *
 * @throws ClfsError as {@link lookUp}; `usage` when it is no path
 */
export async function lookUpArgument(command: Command, reader: ContainerReader, text = ''): Promise<LookedUp> {
  const { rawPath } = command.opts<{ rawPath?: boolean }>();
  const literal = encodeExactly(text);
  const path = pathArgument(command, text);
  try {
    return await lookUp(reader, path);
  } catch (error) {
    if (rawPath || !text.includes('\\') || !isClfsError(error, 'not-found')) throw error;
    const reading = path.equals(literal)
      ? 'The argument was taken as it stands: "ls" never shows a name so, but with \\\\ for a backslash and \\xNN (lower case) for a byte.'
      : 'The argument was read as "ls" shows names, with \\\\ for a backslash and \\xNN for a byte; --raw-path takes it as it stands.';
    throw new ClfsError('not-found', `${error.message} ${reading}`, { cause: error });
  }
}

/** `--threads`. @param does what they do */
export function threadsOption(does: string): Option {
  return new Option(
    '--threads <uint32>',
    `threads that ${does}; 0: none beside the first (default: one a processor, at most 16)`,
  ).argParser(parseThreads);
}

/** Flags that say where work is done. */
export interface LaneFlags {
  readonly threads?: number;
  readonly workers?: string;
  /** In milliseconds. */
  readonly workerLease?: number;
}

/** `--workers` and what belongs to it. @param only with which other flags they are there, if not always */
export function workersOptions(only = ''): readonly Option[] {
  return [
    new Option(
      '--workers <url>',
      `server (NATS with JetStream) by which workers on other machines take part${only}, nats://HOST:4222 or tls://HOST:4222; with --threads=0 they alone work`,
    ),
    new Option(
      '--worker-lease <duration>',
      'how long a worker goes on without an answer, and its work waits for it (default: 30s)',
    ).argParser(parseDuration),
  ];
}

/** Where workers are, as the flags say; undefined: none, as for an empty text. @throws UsageError */
export function workersOf({ workers, workerLease: leaseMs }: LaneFlags): WorkersWish | undefined {
  if (workers) return { workers, leaseMs };
  if (leaseMs !== undefined) throw new UsageError('--worker-lease needs --workers');
  return undefined;
}

/** How lanes are opened, as the flags say. @throws UsageError */
export function crewOptions(flags: LaneFlags, io: VerbIo): Pick<CrewOptions, 'threads' | 'workers' | 'onWorkers'> {
  return { threads: flags.threads, workers: workersOf(flags), onWorkers: io.complain };
}

/** Puts together what can be reached without a root, with progress. To be closed. */
export function salvaged(open: OpenReader, io: VerbIo): Promise<OpenSalvage> {
  return open.salvage({
    onListed: listingProgress(io),
    onProgress: salvageProgress(io),
  });
}

/** Shows how many blobs of a container have been listed. */
export function listingProgress(io: VerbIo): (blobs: number) => void {
  return (done) => io.progress(() => ({ label: 'Listing', unit: 'blobs', done }));
}

/** Shows how many inodes a salvage has looked at. */
export function salvageProgress(io: VerbIo): (inodes: number) => void {
  return (done) => io.progress(() => ({ label: 'Salvage', unit: 'inodes', done }));
}

/** A container that has been listed. */
export interface ListedContainer extends Listed {
  readonly reader: ContainerReader;
  readonly index: ObjectIndex;
}

/** Lists the container by its verb's reader, with progress. */
export async function indexed(open: OpenReader, io: VerbIo): Promise<ListedContainer> {
  const { reader, index } = await open.index(listingProgress(io));
  const { inodes, contentBytes } = await countListed(index, reader);
  return { reader, index, inodes, contentBytes };
}

import type { Command } from 'commander';
import {
  type ContainerReader,
  counted,
  escapePath,
  exportDryRun,
  exportTar,
  lookUp,
  messageOf,
  parseExportChoice,
} from '../../index.js';
import {
  dryRunNotice,
  normalizeBooleans,
  normalizePage,
  parseBoolean,
  parseChoice,
  parseDuration,
  parseUint32,
  UsageError,
} from '../arguments.js';
import { containerArgument } from '../container-argument.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { pageOption } from '../job-page.js';
import { localPath, targetPath, textPath } from '../local-path.js';
import { shortBytes } from '../progress/quantities.js';
import { resumeProgram } from '../resume-text.js';
import { runExport } from '../run-export.js';
import { isSalvagedWhole, salvageText } from './salvage-text.js';
import { showEntries } from './show-progress.js';
import { toTar } from './tar-output.js';
import {
  Exit,
  indexed,
  type LaneFlags,
  pathArgument,
  pathVerbCommand,
  type ServiceFlags,
  salvaged,
  threadsOption,
  type Verb,
  type VerbIo,
  wantsJson,
  withReader,
  workersOf,
  workersOptions,
} from './verb.js';

const OVERWRITE = ['never', 'if-different', 'always'] as const;

interface Flags extends ServiceFlags, LaneFlags {
  readonly overwrite: (typeof OVERWRITE)[number];
  readonly sparse?: boolean;
  readonly tar?: string;
  readonly statePath?: string;
  readonly newSession: boolean;
  readonly maxErrors?: number;
  readonly include: string;
  readonly excludePath: string;
  readonly excludePattern: string;
  readonly dryRun: boolean;
  readonly lateArrival?: number;
  readonly salvage: boolean;
  readonly page?: string;
}

/** `export`: a container's tree back to disk. */
export const exportVerb: Verb = {
  name: 'export',
  summary: 'write the tree of a container to disk',
  normalize: (argv) => normalizePage(normalizeBooleans(argv, ['--new-session', '--dry-run', '--sparse', '--salvage'])),
  command: () =>
    pathVerbCommand(
      'export',
      'Write the tree of a container, or the part below a path, into a directory, or one file: content, modes, owners (as root), times, links, devices and fifos (as root). An export that was interrupted goes on when it is repeated: its state is kept beside the target, as .NAME.clfsload-export, until everything has been written.',
      '  clfsload export /path/to/container /path/to/directory\n  clfsload export /path/to/container some/dir /path/to/directory --sparse\n  clfsload export /path/to/container some/file /path/to/file\n  clfsload export /path/to/container /path/to/directory --dry-run --include="*.csv" --exclude-path="tmp;logs/old"\n  clfsload export --salvage /path/to/container /path/to/directory\n  clfsload export /path/to/container --tar - | ssh host tar xpf - -C /restored\n',
    )
      .usage('[options] <container> [path] <target>')
      .argument('<container>', 'the container to read')
      .argument(
        '[path-and-target...]',
        '[PATH] TARGET, or with --tar [PATH]; where PATH is a file, TARGET is that file or a directory that is there',
      )
      .option(
        '--overwrite <when>',
        `what happens to entries that are there: ${OVERWRITE.join(', ')}; they differ by type, length, modification time, text of a symlink and numbers of a device (bytes: see "verify --content"), and what only has another owner or mode gets those`,
        parseChoice(OVERWRITE),
        'if-different',
      )
      .option('--sparse <bool>', 'leave holes where files have runs of zeros', parseBoolean, false)
      .option(
        '--state-path <string>',
        'directory for the state of the job, which is kept in the end (default: beside the target, until everything has been written)',
      )
      .option(
        '--new-session <bool>',
        'with --state-path: start a new job rather than go on with the one that is there',
        parseBoolean,
        true,
      )
      .option(
        '--max-errors <uint32>',
        'failures of entries to tolerate; one more stops the job (default: 50; with --salvage any number)',
        parseUint32,
      )
      .addOption(threadsOption('write'))
      .addOption(pageOption())
      .addOption(workersOptions()[0])
      .addOption(workersOptions()[1])
      .option(
        '--late-arrival <duration>',
        'how long what a worker that has gone was about to write may still be written (default: 235s)',
        parseDuration,
      )
      .option('--include <string>', 'wildcards for names of files, of which only those are written: "*.csv;README"', '')
      .option('--exclude-path <string>', 'paths below PATH to leave out, with what is below them: "logs;cache/old"', '')
      .option('--exclude-pattern <string>', 'wildcards for names to leave out: "*.tmp;core.*"', '')
      .option(
        '--dry-run <bool>',
        'tell what would be written, replaced and left: nothing is touched',
        parseBoolean,
        false,
      )
      .option(
        '--salvage <bool>',
        'write what can be reached without the root directory, of a load that was not finished or where blobs were lost: what no directory lists goes to lost+found/, incomplete files are called NAME.~incomplete~, superseded versions NAME.~version-N~',
        parseBoolean,
        false,
      )
      .option(
        '--tar <file>',
        'write a POSIX tar to a file, or with - to standard output, in place of a directory: it cannot be gone on with',
      ),
  writesContent: (command) => command.opts<Flags>().tar === '-',
  run: async (command, io) => {
    const flags = command.opts<Flags>();
    const given = command.args.length - (flags.tar === undefined ? 2 : 1);
    if (given < 0 || given > 1)
      throw new UsageError(
        'please pass the container, optionally a path in it, and the directory or file to write to, or --tar',
      );
    const path = pathArgument(command, given === 1 ? command.args[1] : '');
    if (flags.tar !== undefined) return runTar(command, flags, flags.tar, path, io);
    if (!flags.newSession && flags.statePath === undefined)
      throw new UsageError(
        '--new-session=false needs a --state-path; without one, an export that was interrupted is gone on with in any case',
      );
    const target = targetPath(command.args[command.args.length - 1]);
    return flags.dryRun ? runDry(command, flags, path, target, io) : runJob(command, flags, path, target, io);
  },
};

function runJob(command: Command, flags: Flags, path: Buffer, target: Buffer, io: VerbIo): Promise<number> {
  return runExport(
    {
      container: containerArgument(command.args[0]),
      path,
      target,
      statePath: flags.statePath === undefined ? undefined : textPath(flags.statePath, 'the state directory'),
      newSession: flags.newSession,
      overwrite: flags.overwrite,
      sparse: flags.sparse === true,
      salvage: flags.salvage,
      choice: choiceOf(flags),
      maxErrors: flags.maxErrors,
      threads: flags.threads,
      workers: workersOf(flags),
      lateArrivalMs: flags.lateArrival,
      capMbps: flags.capMbps,
      retryWindowMs: flags.retryWindow,
      stallWarningMs: flags.stallWarning,
      identity: { trustedSuffixes: flags.trustedMicrosoftSuffixes, onPrompt: io.complain },
    },
    { json: wantsJson(command), given: command.args[0], page: flags.page, program: resumeProgram(command.name()) },
    io,
  );
}

function choiceOf({ include, excludePath, excludePattern }: Flags) {
  return parseExportChoice(include, excludePath, excludePattern);
}

/** Flags that say something about the job that an export is. */
const OF_THE_JOB = new Set([
  'newSession',
  'sparse',
  'maxErrors',
  'threads',
  'workers',
  'workerLease',
  'lateArrival',
  'page',
]);

async function runDry(command: Command, flags: Flags, path: Buffer, target: Buffer, io: VerbIo): Promise<number> {
  const notice = dryRunNotice(command, (name) => !OF_THE_JOB.has(name));
  if (notice !== undefined) io.complain(notice);
  return withReader(command, command.args[0], io, async (container) => {
    await container.requireApart('target', target);
    if (!flags.salvage) return dryRun(command, flags, { path, target, ...(await indexed(container, io)) }, io);
    const salvage = await salvaged(container, io);
    try {
      const code = await dryRun(command, flags, { path, target, reader: salvage.reader }, io);
      io.complain(salvageText(salvage.counts));
      return isSalvagedWhole(salvage.counts) ? code : Exit.found;
    } finally {
      salvage.close();
    }
  });
}

/** What a dry run looks at. */
interface DryRunPlace {
  readonly path: Buffer;
  readonly target: Buffer;
  readonly reader: ContainerReader;
  /** Entries in all; undefined where that is not known. */
  readonly inodes?: number;
}

async function dryRun(
  command: Command,
  flags: Flags,
  { path, target, reader, inodes }: DryRunPlace,
  io: VerbIo,
): Promise<number> {
  const { overwrite } = flags;
  const run = await exportDryRun(reader, {
    path,
    target,
    overwrite,
    choice: choiceOf(flags),
    signal: io.signal,
    onProgress: showEntries(io, 'Comparing', path.length === 0 ? inodes : undefined),
  });
  const text = `${counted(run.written, 'entries')} would be written (${shortBytes(run.bytes)}), ${run.replaced} replaced, ${run.left} left as they are, ${run.failed} would fail, ${run.excluded} left out\n`;
  await io.write(wantsJson(command) ? fieldsLine({ ...pathFields(path), ...run }) : text);
  return run.failed > 0 ? Exit.found : Exit.ok;
}

/** Flags that say something about a directory, or a job. */
const NOT_WITH_TAR = new Set([
  ...OF_THE_JOB,
  'salvage',
  'statePath',
  'overwrite',
  'include',
  'excludePath',
  'excludePattern',
  'dryRun',
]);

async function runTar(command: Command, flags: Flags, tar: string, path: Buffer, io: VerbIo): Promise<number> {
  if (flags.statePath !== undefined)
    throw new UsageError('a tar cannot be gone on with: leave out --state-path, or write a directory');
  for (const option of command.options) {
    if (NOT_WITH_TAR.has(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli')
      throw new UsageError(`${option.long} cannot be used with --tar`);
  }
  return withReader(command, command.args[0], io, async (container) => {
    if (tar !== '-') await container.requireApart('tar', localPath(tar));
    const { reader, inodes } = await indexed(container, io);
    const start = await lookUp(reader, path);
    const onProgress = showEntries(io, 'Writing', path.length === 0 ? inodes : undefined);
    const summary = await toTar(tar, io, (write) =>
      exportTar(reader, start.found, write, {
        signal: io.signal,
        name: start.path.subarray(start.path.lastIndexOf(0x2f) + 1),
        onProgress,
        onFailure: (failed, error) => io.complain(`${escapePath(failed) || '.'}: ${messageOf(error)}`),
      }),
    );
    const text = wantsJson(command)
      ? fieldsLine({ ...pathFields(start.path), ...summary })
      : `${counted(summary.written, 'entries')} written (${shortBytes(summary.bytes)}), ${summary.failed} failed\n`;
    if (tar === '-') io.complain(text.trim());
    else await io.write(text);
    return summary.failed > 0 ? Exit.found : Exit.ok;
  });
}

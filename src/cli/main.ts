import { Command, CommanderError } from 'commander';
import { plainFlags, UsageError, usageText, VerbUsageError } from './arguments.js';
import { exactArguments } from './exact-arguments.js';
import { passOn } from './next-azcopy.js';
import { OutputError, outliveReaders, print } from './standard-streams.js';
import type { Verb } from './verbs/verb.js';

export { endProcess } from './end-process.js';

/** Names under which the program is called. */
export type ProgramName = 'azcopy' | 'clfsload';

const USAGE_FAILURE = 1;
const VERB_USAGE_FAILURE = 2;

/** What verbs are for, as help groups them. */
const GROUPS = ['Jobs', 'Look into a container', 'Check it', 'Get data out', 'The shell'] as const;

interface VerbEntry {
  readonly group: (typeof GROUPS)[number];
  readonly summary: string;
  load(): Promise<Verb>;
}

/** The verbs beside load and resume, and where they are; loaded when they are called, so that the program starts fast. */
const VERBS = new Map<string, VerbEntry>(
  Object.entries({
    status: {
      group: 'Jobs',
      summary: 'show a job: running, stopped or finished',
      load: async () => (await import('./verbs/status.js')).status,
    },
    page: {
      group: 'Jobs',
      summary: 'serve the page of a job, which runs or has ended',
      load: async () => (await import('./verbs/page.js')).page,
    },
    ls: {
      group: 'Look into a container',
      summary: 'list a directory of a container',
      load: async () => (await import('./verbs/ls.js')).ls,
    },
    tree: {
      group: 'Look into a container',
      summary: 'show a directory and what is below it as a tree',
      load: async () => (await import('./verbs/tree.js')).tree,
    },
    stat: {
      group: 'Look into a container',
      summary: 'show attributes, objects and links of entries',
      load: async () => (await import('./verbs/stat.js')).stat,
    },
    find: {
      group: 'Look into a container',
      summary: 'find entries by name, type, size, time or links',
      load: async () => (await import('./verbs/find.js')).find,
    },
    du: {
      group: 'Look into a container',
      summary: 'sum up bytes and entries of directories',
      load: async () => (await import('./verbs/du.js')).du,
    },
    info: {
      group: 'Look into a container',
      summary: 'tell what a container holds and who wrote it',
      load: async () => (await import('./verbs/info.js')).info,
    },
    fsck: {
      group: 'Check it',
      summary: 'check a container against the format',
      load: async () => (await import('./verbs/fsck.js')).fsck,
    },
    verify: {
      group: 'Check it',
      summary: 'compare a container with its source or a manifest',
      load: async () => (await import('./verbs/verify.js')).verify,
    },
    manifest: {
      group: 'Check it',
      summary: 'print a line of JSON for each entry',
      load: async () => (await import('./verbs/manifest.js')).manifest,
    },
    export: {
      group: 'Get data out',
      summary: 'write the tree of a container to disk',
      load: async () => (await import('./verbs/export.js')).exportVerb,
    },
    cat: {
      group: 'Get data out',
      summary: 'write the bytes of files to standard output',
      load: async () => (await import('./verbs/cat.js')).cat,
    },
    worker: {
      group: 'Jobs',
      summary: 'take part in jobs of other machines',
      load: async () => (await import('./verbs/worker.js')).worker,
    },
    completion: {
      group: 'The shell',
      summary: 'print a completion script for bash, zsh or fish',
      load: async () => (await import('./verbs/completion.js')).completionVerb(allCommands),
    },
  }),
);

const SUMMARIES = {
  load: 'load a directory into a container',
  resume: 'go on with a job, a load or an export',
} as const;

/** Every command of clfsload, the load first: for completion and for docs/commands.md. */
export async function allCommands(): Promise<readonly Command[]> {
  const { loadCommand } = await import('./load-flags.js');
  const verbs = await Promise.all(
    Array.from(VERBS.values(), async ({ summary, load }) => (await load()).command().summary(summary)),
  );
  const { resumeCommand } = await import('./resume-command.js');
  return [loadCommand('load').summary(SUMMARIES.load), resumeCommand('resume').summary(SUMMARIES.resume), ...verbs];
}

/** Runs the program. @returns exit code */
export async function main(name: ProgramName, argv: readonly string[]): Promise<number> {
  outliveReaders();
  const [first] = name === 'azcopy' ? commandFirst(argv) : argv;
  const own = name === 'clfsload' || first === 'load' || first === 'clfs';
  const run = async () => {
    const exact = own ? await exactArguments(argv) : argv;
    if (argv.some((arg) => /sig=/i.test(arg))) {
      // What the process is called is for every user of the machine to see.
      const { redact } = await import('../index.js');
      process.title = redact([name, ...argv].join(' '));
    }
    return name === 'azcopy' ? azcopy(commandFirst(exact)) : clfsload(exact);
  };
  return guard(name, argv, run, { usageExit: first === 'load' ? USAGE_FAILURE : VERB_USAGE_FAILURE });
}

async function clfsload(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === '--version' || first === '-v' || first === 'version')
    return printed(`clfsload ${(await import('../index.js')).VERSION}\n`);
  if (first === 'help' && rest[0] === 'environment') {
    const { environmentText } = await import('./environment.js');
    return printed(environmentText(process.stdout.columns));
  }
  if (first === 'help' && rest.length > 0) return clfsload([...rest, '--help']);
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') return printed(programHelp());
  if (first === 'load') return guard('clfsload load', rest, runLoad);
  if (first === 'resume') return guard('clfsload resume', rest, runResume);
  return verb('clfsload', first, rest);
}

/** Flags that azcopy has for all of its commands, and whose value may be the next word. */
const FLAGS_WITH_VALUE = new Set([
  '--cap-mbps',
  '--log-level',
  '--output-level',
  '--output-type',
  '--trusted-microsoft-suffixes',
]);

/** Flags may stand before the command, too: those before an own one of azcopy are put behind it. */
function commandFirst(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex((arg, index) => !arg.startsWith('-') && !FLAGS_WITH_VALUE.has(argv[index - 1]));
  if (at < 1 || !(argv[at] === 'clfs' || (argv[at] === 'load' && argv[at + 1] === 'clfs'))) return argv;
  const before = argv.slice(0, at);
  const words = argv[at + 1]?.startsWith('-') === false ? 2 : 1;
  return [...argv.slice(at, at + words), ...before, ...argv.slice(at + words)];
}

async function azcopy(argv: readonly string[]): Promise<number> {
  const [first, second, ...rest] = argv;
  if (first === 'load') {
    if (second === 'clfs') return guard('azcopy load clfs', rest, runLoad);
    if (second === undefined || second === '--help' || second === '-h') return printed(loadHelp());
    return complain(`unknown command "${second}" for "azcopy load"`);
  }
  if (first === 'clfs') {
    if (second === 'help' && rest.length > 0) return azcopy(['clfs', ...rest, '--help']);
    if (second === undefined || second === '--help' || second === '-h' || second === 'help')
      return printed(verbsHelp('azcopy clfs'));
    if (second === 'resume') return guard('azcopy clfs resume', rest, runResume);
    return verb('azcopy clfs', second, rest);
  }
  // Microsoft's azcopy knows "load clfs" as a command that is no more, and "clfs" not at all.
  if (first === 'help' && (second === 'load' || second === 'clfs')) return azcopy([second, ...rest, '--help']);
  return passOn(argv, async () => `${azcopyHelp((await import('../index.js')).VERSION)}`);
}

async function runLoad(name: string, argv: readonly string[]): Promise<number> {
  const command = await import('./load-command.js');
  return command.runLoadCommand(name, argv);
}

async function runResume(name: string, argv: readonly string[]): Promise<number> {
  const command = await import('./resume-command.js');
  return command.runResume(name, argv);
}

async function verb(program: string, name: string, argv: readonly string[]): Promise<number> {
  const entry = VERBS.get(name);
  if (!entry) throw new UsageError(`unknown command "${name}" for "${program}"${suggestion(name)}`);
  let errors: NodeJS.WriteStream = process.stdout;
  return guard(
    `${program} ${name}`,
    argv,
    async () => {
      const { runVerb } = await import('./run-verb.js');
      const { run, command: build, normalize, writesContent } = await entry.load();
      const command = build().name(`${program} ${name}`);
      try {
        command.parse(plainFlags(normalize?.(argv) ?? argv, command), { from: 'user' });
      } finally {
        if (writesContent?.(command)) errors = process.stderr;
      }
      return runVerb((io) => run(command, io), wantsJson(argv) ? errors : undefined);
    },
    { usageExit: VERB_USAGE_FAILURE, errors: () => errors },
  );
}

/** What is made of a wrong command line. */
interface UsageForm {
  readonly usageExit: number;
  /** Where it is told in JSON. */
  errors?(): NodeJS.WriteStream;
}

/** Turns what is wrong with the command line into a message and an exit code. */
async function guard(
  name: string,
  argv: readonly string[],
  run: (name: string, argv: readonly string[]) => Promise<number>,
  { usageExit: exit, errors }: UsageForm = { usageExit: USAGE_FAILURE },
): Promise<number> {
  try {
    return await run(name, argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof OutputError) return complain(error.message, exit);
    if (!(error instanceof CommanderError || error instanceof UsageError)) throw error;
    const usageExit = error instanceof VerbUsageError ? VERB_USAGE_FAILURE : exit;
    const text =
      error instanceof CommanderError
        ? `${usageText(error)}${usageExit === VERB_USAGE_FAILURE ? dashHint(error) : ''}\nSee "${name} --help".`
        : error.message;
    if (wantsJson(argv)) await complainInJson(text, usageExit, errors?.());
    return complain(text, usageExit);
  }
}

/** What a flag that there is not, and that resembles none, may have meant to a verb. */
function dashHint({ code, message }: CommanderError): string {
  const path = code === 'commander.unknownOption' && !message.includes('Did you mean');
  return path ? '. A path that begins with "-" is given as ./-NAME, or behind "--".' : '';
}

/** Whether a command line, which need not be understood, asks for JSON. */
function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (arg, at) =>
      arg === '--json' ||
      /^--output-type=json$/i.test(arg) ||
      (arg === '--output-type' && /^json$/i.test(argv[at + 1] ?? '')),
  );
}

/** A load says it in azcopy's form. */
async function complainInJson(
  text: string,
  usageExit: number,
  errors: NodeJS.WriteStream = process.stdout,
): Promise<void> {
  if (usageExit === VERB_USAGE_FAILURE) {
    errors.write((await import('./fields-line.js')).errorLine('usage', text));
    return;
  }
  const { openMessages } = await import('./messages.js');
  openMessages({ type: 'json', level: 'default', form: 'own' }).error(`Error: ${text}`);
}

function printed(text: string): number {
  print(text);
  return 0;
}

async function complain(text: string, exit = USAGE_FAILURE): Promise<number> {
  const { escapeText, redact } = await import('../index.js');
  process.stderr.write(`Error: ${escapeText(redact(text))}\n`);
  return exit;
}

/** What a mistyped verb may have meant. */
function suggestion(name: string): string {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  for (const verb of [...VERBS.keys(), 'load', 'resume']) program.command(verb);
  try {
    program.parse([name], { from: 'user' });
  } catch (error) {
    const match = /\(Did you mean (?:one of )?(.*)\?\)/.exec((error as Error).message);
    if (match) return `. Did you mean "${match[1]}"?`;
  }
  return '';
}

function verbsHelp(program: string): string {
  return `Read containers in the Avere Cloud FileSystem (CLFS) format.\n\nUsage:\n  ${program} [verb] [arguments] [flags]\n\n${groupedVerbs(['resume'])}\nUse "${program} [verb] --help" for more about a verb.\n`;
}

/** @param jobs commands that are no verbs */
function groupedVerbs(jobs: readonly ('load' | 'resume')[]): string {
  const line = (name: string, summary: string) => `  ${name.padEnd(12)}${summary}\n`;
  return GROUPS.map((group) => {
    const own = group === 'Jobs' ? jobs.map((name) => line(name, SUMMARIES[name])) : [];
    const verbs = [...VERBS].filter(([, entry]) => entry.group === group);
    return `${group}:\n${[...own, ...verbs.map(([name, { summary }]) => line(name, summary))].join('')}`;
  }).join('\n');
}

function azcopyHelp(version: string): string {
  return `azcopy of clfsload ${version}: "load clfs", and what reads such containers back.\n\nUsage:\n  azcopy load clfs [local dir] [container URL] --state-path=DIR [flags]\n  azcopy clfs [verb] [arguments] [flags]\n\nUse "azcopy load clfs --help" or "azcopy clfs --help" for more. All other\ncommands of azcopy (copy, sync, list, login and so on) are handed to\nMicrosoft's azcopy, which is not in PATH now: install it, behind this one in\nPATH.\n`;
}

function loadHelp(): string {
  return 'Load a local directory into a container in a special format.\n\nUsage:\n  azcopy load [command]\n\nAvailable Commands:\n  clfs        Load a local directory into a container in the Avere Cloud\n              FileSystem (CLFS) format\n\nUse "azcopy load clfs --help" for more about it.\n';
}

function programHelp(): string {
  return `clfsload: load POSIX trees into CLFS containers, and read them back.\n\nUsage:\n  clfsload load [local dir] [container] --state-path=DIR [flags]\n  clfsload resume [state dir] [container, where it needs a SAS]\n  clfsload [verb] [arguments] [flags]\n\n${groupedVerbs(['load', 'resume'])}\nUse "clfsload [verb] --help" or "clfsload help [verb]" for more about a verb,\n"clfsload help environment" for the environment variables.\n`;
}

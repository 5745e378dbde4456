import { Readable } from 'node:stream';
import { type Command, Option } from 'commander';
import {
  type ContainerReader,
  escapePath,
  isClfsError,
  messageOf,
  ObjectType,
  PendingDirectories,
} from '../../index.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { shortBytes } from '../progress/quantities.js';
import { attributeFields, contentBytes, modeText, shownPath, timeText } from './entry-text.js';
import { type ListedItem, type ListingStep, type ListingWish, listingSteps } from './ls-steps.js';
import { salvageText } from './salvage-text.js';
import { showEntries } from './show-progress.js';
import {
  Exit,
  indexed,
  lookUpArgument,
  pathVerbCommand,
  requireNoJson,
  salvaged,
  type Verb,
  type VerbIo,
  wantsJson,
  withReader,
} from './verb.js';

/** Steps that are gone ahead while entries are read. */
const STEPS_AHEAD = 256;
/** What is written together: characters, raw names and their ends. */
const TEXT_AT_ONCE = 8192;
const NAMES_AT_ONCE = 1024;

interface Flags {
  readonly long?: boolean;
  readonly human?: boolean;
  readonly recursive?: boolean;
  readonly all?: boolean;
  readonly null?: boolean;
  readonly salvage?: boolean;
}

/** `ls`: the entries of a directory, sorted by name. */
export const ls: Verb = {
  name: 'ls',
  summary: 'list a directory of a container',
  command: () =>
    pathVerbCommand(
      'ls',
      'List the entries of a directory in a container, like ls -l. Names that are not UTF-8 or cannot be printed are shown with \\xNN.',
      '  clfsload ls /path/to/container\n  clfsload ls -lh /path/to/container some/dir\n  clfsload ls -lR "https://[account].blob.core.windows.net/[container]?[SAS]" some/dir\n',
    )
      .argument('<container>')
      .argument('[path]')
      .option('-l, --long', 'with mode, links, owner, size and time')
      .option('-h, --human', 'sizes such as 1.5K, 23M')
      .option('-R, --recursive', 'and what is in the directories below')
      .option('-a, --all', 'with . and .., and names that begin with a dot')
      .addOption(new Option('-0, --null', 'raw names, each ended by a NUL').conflicts(['long', 'human']))
      .helpOption('--help', 'display help for command')
      .option(
        '--salvage',
        'what can be reached without the root directory, as "export --salvage" writes it: of a load that was not finished, or where blobs were lost',
      ),
  run: async (command, io) => {
    requireNoJson(command, 'null');
    return withReader(command, command.args[0], io, async (open) => {
      const flags = command.opts<Flags>();
      if (!flags.salvage) {
        if (!flags.recursive) return list(command, open.reader, io);
        const { reader, inodes } = await indexed(open, io);
        return list(command, reader, io, inodes);
      }
      const salvage = await salvaged(open, io);
      try {
        const code = await list(command, salvage.reader, io);
        io.complain(salvageText(salvage.counts));
        return code;
      } finally {
        salvage.close();
      }
    });
  },
};

/** @param inodes in all; undefined where that is not known */
async function list(command: Command, reader: ContainerReader, io: VerbIo, inodes?: number): Promise<number> {
  const start = await lookUpArgument(command, reader, command.args[1]);
  const flags = command.opts<Flags>();
  const output = new Output(flags, wantsJson(command), io);
  if (start.found.inode.attributes.type !== ObjectType.directory) {
    output.entry({ name: start.path, path: start.path, found: start.found, error: undefined });
    await output.write();
    return Exit.ok;
  }
  const show = showEntries(io, 'Entries', start.path.length === 0 ? inodes : undefined);
  const met = reader.finder.idSet();
  const pending = new PendingDirectories(reader, met);
  const below = new PendingDirectories(reader, met);
  let entries = 0;
  try {
    pending.push(start.path, start.found);
    const steps = listingSteps(reader, { pending, below }, wishOf(flags, wantsJson(command)));
    for await (const step of Readable.from(steps, { highWaterMark: STEPS_AHEAD }) as AsyncIterable<ListingStep>) {
      io.signal.throwIfAborted();
      if (step.kind === 'directory') output.directory(step.path);
      else if (step.kind === 'damage') output.complain(step.path, step.error);
      else {
        show(++entries);
        output.entry(await step.item);
      }
      if (output.isLong) await output.write();
    }
    await output.write();
  } finally {
    for (const each of [pending, below, met]) each.close();
  }
  return output.damaged ? Exit.unchecked : Exit.ok;
}

function wishOf(flags: Flags, json: boolean): ListingWish {
  return {
    all: flags.all === true,
    recursive: flags.recursive === true,
    attributes: flags.long === true || json,
  };
}

/** What is listed, as text, as JSON or as raw names. */
class Output {
  damaged = false;
  readonly #flags: Flags;
  readonly #json: boolean;
  readonly #io: VerbIo;
  #text = '';
  #raw: Buffer[] = [];
  #directories = 0;

  constructor(flags: Flags, json: boolean, io: VerbIo) {
    this.#flags = flags;
    this.#json = json;
    this.#io = io;
  }

  get isLong(): boolean {
    return this.#text.length >= TEXT_AT_ONCE || this.#raw.length >= NAMES_AT_ONCE;
  }

  /** Writes what there is. */
  async write(): Promise<void> {
    const bytes = this.#flags.null ? Buffer.concat(this.#raw) : this.#text;
    this.#text = '';
    this.#raw = [];
    if (bytes.length > 0) await this.#io.write(bytes);
  }

  directory(path: Buffer): void {
    if (!this.#flags.recursive || this.#json || this.#flags.null) return;
    this.#text += `${this.#directories++ === 0 ? '' : '\n'}${shownPath(path)}:\n`;
  }

  entry(item: ListedItem): void {
    if (item.error !== undefined) this.complain(item.path, item.error);
    if (this.#flags.null) this.#raw.push(this.#flags.recursive ? item.path : item.name, NUL);
    else this.#text += this.#format(item);
  }

  complain(path: Buffer, error: unknown): void {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    this.damaged = true;
    this.#io.complain(`${shownPath(path)}: ${messageOf(error)}`);
  }

  #format({ name, path, found }: ListedItem): string {
    if (this.#json)
      return fieldsLine({ ...pathFields(path), ...(found ? attributeFields(found) : { error: 'unreadable' }) });
    const shown = escapePath(name);
    if (!this.#flags.long) return `${shown}\n`;
    if (!found) return `?????????? ${shown}\n`;
    const a = found.inode.attributes;
    const device = a.type === ObjectType.block || a.type === ObjectType.char;
    const size = device
      ? `${a.deviceMajor}, ${a.deviceMinor}`
      : this.#flags.human
        ? shortBytes(Number(contentBytes(found)))
        : String(contentBytes(found));
    const target = a.type === ObjectType.symlink ? ` -> ${escapePath(found.inode.data ?? Buffer.alloc(0))}` : '';
    return `${modeText(a)} ${String(a.linkCount).padStart(3)} ${String(a.uid).padStart(5)} ${String(a.gid).padStart(5)} ${size.padStart(this.#flags.human ? 6 : 12)} ${timeText(a.mtime)} ${shown}${target}\n`;
  }
}

const NUL = Buffer.from([0]);

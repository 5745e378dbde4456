import type { Command } from 'commander';
import {
  type ContainerReader,
  escapePath,
  type FoundInode,
  isClfsError,
  joinPath,
  messageOf,
  ObjectType,
  PendingDirectories,
  type PendingDirectory,
  sortedEntries,
} from '../../index.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { shortBytes } from '../progress/quantities.js';
import { attributeFields, contentBytes, modeText, timeText } from './entry-text.js';
import { salvageText } from './salvage-text.js';
import { showEntries } from './show-progress.js';
import {
  Exit,
  indexed,
  lookUpArgument,
  pathVerbCommand,
  salvaged,
  type Verb,
  type VerbIo,
  wantsJson,
  withReader,
} from './verb.js';

const FETCHED_AT_ONCE = 64;

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
      .option('-0, --null', 'raw names, each ended by a NUL')
      .helpOption('--help', 'display help for command')
      .option(
        '--salvage',
        'what can be reached without the root directory, as "export --salvage" writes it: of a load that was not finished, or where blobs were lost',
      ),
  run: (command, io) =>
    withReader(command, command.args[0], io, async (open) => {
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
    }),
};

/** @param inodes in all; undefined where that is not known */
async function list(command: Command, reader: ContainerReader, io: VerbIo, inodes?: number): Promise<number> {
  const flags = command.opts<Flags>();
  const start = await lookUpArgument(command, reader, command.args[1]);
  const listing = new Listing(reader, command, io, start.path.length === 0 ? inodes : undefined);
  if (start.found.inode.attributes.type !== ObjectType.directory) {
    await io.write(listing.format({ name: start.path, path: start.path, found: start.found }));
    return Exit.ok;
  }
  const met = reader.finder.idSet();
  const pending = new PendingDirectories(reader, met);
  try {
    pending.push(start.path, start.found);
    let first = true;
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (flags.recursive && !wantsJson(command) && !flags.null)
        await io.write(`${first ? '' : '\n'}${escapePath(next.path) || '.'}:\n`);
      first = false;
      const below = new PendingDirectories(reader, met);
      try {
        await listing.directory(next, below);
        if (flags.recursive) pending.take(below);
      } finally {
        below.close();
      }
    }
  } finally {
    pending.close();
    met.close();
  }
  return listing.damaged ? Exit.unchecked : Exit.ok;
}

interface Reference {
  readonly name: Buffer;
  readonly handle: Uint8Array;
}

interface Item {
  readonly name: Buffer;
  readonly path: Buffer;
  readonly found: FoundInode | undefined;
}

class Listing {
  damaged = false;
  readonly #reader: ContainerReader;
  readonly #flags: Flags;
  readonly #json: boolean;
  readonly #io: VerbIo;
  readonly #show: (entries: number) => void;
  #entries = 0;

  constructor(reader: ContainerReader, command: Command, io: VerbIo, inodes: number | undefined) {
    this.#show = showEntries(io, 'Entries', inodes);
    this.#reader = reader;
    this.#flags = command.opts<Flags>();
    this.#json = wantsJson(command);
    this.#io = io;
  }

  /** Prints a directory. @param below takes the directories in it */
  async directory({ path, read }: PendingDirectory, below: PendingDirectories): Promise<void> {
    const found = await read();
    let batch: Reference[] = [];
    for await (const { name, handle } of sortedEntries(this.#reader, found, (error) => this.#complain(path, error))) {
      if (!this.#flags.all && name[0] === 0x2e) continue;
      batch.push({ name: Buffer.from(name), handle });
      if (batch.length < FETCHED_AT_ONCE) continue;
      await this.#print(path, batch, below);
      batch = [];
    }
    await this.#print(path, batch, below);
  }

  async #print(path: Buffer, batch: readonly Reference[], below: PendingDirectories): Promise<void> {
    this.#io.signal.throwIfAborted();
    this.#entries += batch.length;
    this.#show(this.#entries);
    const items = await Promise.all(batch.map((entry) => this.#item(path, entry)));
    let text = '';
    for (const item of items) {
      if (this.#flags.null) await this.#io.write(Buffer.concat([this.#flags.recursive ? item.path : item.name, NUL]));
      else text += this.format(item);
      const dots = item.name.equals(DOT) || item.name.equals(DOT_DOT);
      if (item.found?.inode.attributes.type === ObjectType.directory && !dots) this.#meet(item.path, item.found, below);
    }
    if (text !== '') await this.#io.write(text);
  }

  #meet(path: Buffer, found: FoundInode, below: PendingDirectories): void {
    if (!this.#flags.recursive) return;
    try {
      below.push(path, found);
    } catch (error) {
      this.#complain(path, error);
    }
  }

  format({ name, path, found }: Item): string {
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

  async #item(directory: Buffer, { name, handle }: Reference): Promise<Item> {
    const path = joinPath(directory, name);
    try {
      if (!(await this.#isLookedInto(handle))) return { name, path, found: undefined };
      return { name, path, found: await this.#reader.inode(handle) };
    } catch (error) {
      this.#complain(path, error);
      return { name, path, found: undefined };
    }
  }

  /**
   * Names alone need no inodes, and below a directory only those of directories; of what is not in the container
   * nothing is known.
   */
  async #isLookedInto(handle: Uint8Array): Promise<boolean> {
    if (this.#flags.long || this.#json) return true;
    if (!this.#flags.recursive) return false;
    const blob = await this.#reader.finder.find(handle);
    return blob === undefined || blob.key.type === ObjectType.directory || blob.key.nameVersion === 1;
  }

  #complain(path: Buffer, error: unknown): void {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    this.damaged = true;
    this.#io.complain(`${escapePath(path)}: ${messageOf(error)}`);
  }
}

const NUL = Buffer.from([0]);
const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

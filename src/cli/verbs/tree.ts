import {
  type ContainerReader,
  counted,
  escapePath,
  type FoundInode,
  idHex,
  isClfsError,
  joinPath,
  messageOf,
  ObjectType,
  sortedEntries,
} from '../../index.js';
import { parseUint32, UsageError } from '../arguments.js';
import { shownPath } from './entry-text.js';
import { showEntries } from './show-progress.js';
import {
  Exit,
  indexed,
  lookUpArgument,
  pathVerbCommand,
  type Verb,
  type VerbIo,
  wantsJson,
  withReader,
} from './verb.js';

/** `tree`: a directory and what is below it, with lines that show what is in what. */
export const tree: Verb = {
  name: 'tree',
  summary: 'show a directory and what is below it as a tree',
  command: () =>
    pathVerbCommand(
      'tree',
      'Show a directory of a container and what is below it, sorted by name, with lines that show what is in what, and the numbers of directories and of other entries at the end. "ls -R" is the form for programs.',
      '  clfsload tree /path/to/container --max-depth 2\n  clfsload tree /path/to/container some/dir\n',
    )
      .argument('<container>')
      .argument('[path]')
      .option('--max-depth <n>', 'show so many levels', parseUint32)
      .option('-a, --all', 'with names that begin with a dot'),
  run: (command, io) =>
    withReader(command, command.args[0], io, async (open) => {
      if (wantsJson(command)) throw new UsageError('"tree" is for people: "ls -R --json" gives the same to a program');
      const { maxDepth = Number.POSITIVE_INFINITY, all = false } = command.opts<{ maxDepth?: number; all?: boolean }>();
      const { reader, inodes } = await indexed(open, io);
      const { found, path } = await lookUpArgument(command, reader, command.args[1]);
      await io.write(`${shownPath(path)}\n`);
      const drawing = new Drawing(reader, io, { maxDepth, all, inodes: path.length === 0 ? inodes : undefined });
      try {
        await drawing.directory(path, found, '', 1);
      } finally {
        drawing.close();
      }
      await io.write(`\n${counted(drawing.directories, 'directories')}, ${counted(drawing.others, 'other entries')}\n`);
      return drawing.damaged ? Exit.unchecked : Exit.ok;
    }),
};

class Drawing {
  directories = 0;
  others = 0;
  damaged = false;
  readonly #reader: ContainerReader;
  readonly #io: VerbIo;
  readonly #maxDepth: number;
  readonly #all: boolean;
  readonly #show: (entries: number) => void;
  /** Directories that were met: one that is in the tree twice is damage, and could make of a few as many as one likes. */
  readonly #met: ReturnType<ContainerReader['finder']['idSet']>;

  constructor(
    reader: ContainerReader,
    io: VerbIo,
    {
      maxDepth,
      all,
      inodes,
    }: { readonly maxDepth: number; readonly all: boolean; readonly inodes: number | undefined },
  ) {
    this.#reader = reader;
    this.#met = reader.finder.idSet();
    this.#io = io;
    this.#maxDepth = maxDepth;
    this.#all = all;
    this.#show = showEntries(io, 'Drawing', inodes);
  }

  /** Draws what is in a directory. @param indent of its lines @param depth of its entries, from 1 */
  async directory(path: Buffer, found: FoundInode, indent: string, depth: number): Promise<void> {
    if (depth > this.#maxDepth || found.inode.attributes.type !== ObjectType.directory) return;
    if (!this.#met.add(found.id))
      return this.#complain(path, new Error(`The directory ${idHex(found.id)} is in the tree more than once.`));
    // The last entry is drawn with a corner: each is held until the next is known.
    let held: { readonly name: Buffer; readonly handle: Uint8Array } | undefined;
    for await (const { name, handle } of sortedEntries(this.#reader, found, (error) => this.#fail(path, error))) {
      const text = Buffer.from(name);
      if (text.equals(DOT) || text.equals(DOT_DOT) || (!this.#all && text[0] === 0x2e)) continue;
      if (held) await this.#entry(path, held, indent, depth, false);
      held = { name: text, handle };
    }
    if (held) await this.#entry(path, held, indent, depth, true);
  }

  close(): void {
    this.#met.close();
  }

  async #entry(
    directory: Buffer,
    { name, handle }: { readonly name: Buffer; readonly handle: Uint8Array },
    indent: string,
    depth: number,
    isLast: boolean,
  ): Promise<void> {
    this.#io.signal.throwIfAborted();
    const path = joinPath(directory, name);
    let found: FoundInode | undefined;
    try {
      found = await this.#reader.inode(handle);
    } catch (error) {
      this.#fail(path, error);
    }
    const type = found?.inode.attributes.type;
    if (type === ObjectType.directory) this.directories++;
    else this.others++;
    this.#show(this.directories + this.others);
    const target = type === ObjectType.symlink ? ` -> ${escapePath(found?.inode.data ?? Buffer.alloc(0))}` : '';
    const what = found ? target : ' (unreadable)';
    await this.#io.write(`${indent}${isLast ? '└── ' : '├── '}${escapePath(name)}${what}\n`);
    if (found) await this.directory(path, found, `${indent}${isLast ? '    ' : '│   '}`, depth + 1);
  }

  #fail(path: Buffer, error: unknown): void {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    this.#complain(path, error);
  }

  #complain(path: Buffer, error: unknown): void {
    this.damaged = true;
    this.#io.complain(`${shownPath(path)}: ${messageOf(error)}`);
  }
}

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

import { Option } from 'commander';
import {
  type ContainerReader,
  ENTRY_TYPE_NAMES,
  type FoundInode,
  joinPath,
  messageOf,
  ObjectType,
  walk,
} from '../../index.js';
import { parseUint32 } from '../arguments.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { shortBytes } from '../progress/quantities.js';
import { DirectoryTotals, type Usage } from './du-totals.js';
import { contentBytes, kindCounts, shownPath } from './entry-text.js';
import { showEntries } from './show-progress.js';
import { Exit, indexed, lookUpArgument, pathVerbCommand, type Verb, wantsJson, withReader } from './verb.js';

/** Characters of lines that are written together. */
const LINES_AT_ONCE = 65536;

interface Flags {
  readonly summarize?: boolean;
  readonly human?: boolean;
  readonly maxDepth?: number;
}

/** `du`: how much is in directories, and how much of the container it takes. */
export const du: Verb = {
  name: 'du',
  summary: 'sum up bytes and entries of directories',
  command: () =>
    pathVerbCommand(
      'du',
      'Print, for each directory after those in it, the bytes of the files in it and below, the bytes stored for them, the ratio, and the number of entries. A file with several links counts once.',
      '  clfsload du -sh /path/to/container\n  clfsload du --max-depth 1 /path/to/container some/dir\n',
    )
      .argument('<container>')
      .argument('[path]')
      .addOption(new Option('-s, --summarize', 'the total only').conflicts('maxDepth'))
      .option('-h, --human', 'sizes such as 1.5K, 23M')
      .option('--max-depth <n>', 'directories down to this depth', parseUint32)
      .helpOption('--help', 'display help for command'),
  run: (command, io) =>
    withReader(command, command.args[0], io, async (open) => {
      const flags = command.opts<Flags>();
      const { reader, inodes } = await indexed(open, io);
      const start = await lookUpArgument(command, reader, command.args[1]);
      const depthLimit = flags.summarize ? 0 : (flags.maxDepth ?? Number.POSITIVE_INFINITY);
      const counted = reader.finder.idSet();
      const show = showEntries(io, 'Summing', start.path.length === 0 ? inodes : undefined);
      let lines = wantsJson(command) ? '' : headerOf(flags.human === true);
      const totals = new DirectoryTotals((below, depth, usage) => {
        if (depth > depthLimit) return;
        const path = joinPath(start.path, below);
        lines += wantsJson(command) ? fieldsOf(path, usage) : lineOf(path, usage, flags.human === true);
      });
      let entries = 0;
      let damaged = false;
      for await (const { path, found, error } of walk(reader, start.found.id)) {
        io.signal.throwIfAborted();
        show(++entries);
        if (!found) {
          damaged = true;
          io.complain(`${shownPath(joinPath(start.path, path))}: ${messageOf(error)}`);
          continue;
        }
        const { type, linkCount } = found.inode.attributes;
        const isDirectory = type === ObjectType.directory;
        if (linkCount > 1 && !isDirectory && !counted.add(found.id)) continue;
        const apparent = isDirectory ? 0 : Number(contentBytes(found));
        const stored = await storedBytes(reader, found);
        totals.add(path, { type: ENTRY_TYPE_NAMES[type], isDirectory, apparent, stored });
        if (lines.length < LINES_AT_ONCE) continue;
        await io.write(lines);
        lines = '';
      }
      totals.end();
      await io.write(lines);
      return damaged ? Exit.unchecked : Exit.ok;
    }),
};

/** What the columns are. */
function headerOf(human: boolean): string {
  const width = human ? 6 : 14;
  return `${'bytes'.padStart(width)} ${'stored'.padStart(width)} ${'ratio'.padStart(7)}  directory  (entries)\n`;
}

function fieldsOf(path: Buffer, { apparent, stored, types }: Usage): string {
  return fieldsLine({
    ...pathFields(path),
    apparent_bytes: apparent,
    stored_bytes: stored,
    ratio: ratioOf(apparent, stored),
    entries: types,
  });
}

function lineOf(path: Buffer, { apparent, stored, types }: Usage, human: boolean): string {
  const bytes = (value: number) => (human ? shortBytes(value) : String(value)).padStart(human ? 6 : 14);
  const ratio = ratioOf(apparent, stored).toFixed(2).padStart(7);
  return `${bytes(apparent)} ${bytes(stored)} ${ratio}  ${shownPath(path)}  (${kindCounts(types)})\n`;
}

function ratioOf(apparent: number, stored: number): number {
  return stored === 0 ? 0 : apparent / stored;
}

async function storedBytes(reader: ContainerReader, found: FoundInode): Promise<number> {
  let bytes = found.storedBytes;
  for await (const { id } of reader.blocks(found)) {
    await reader.pause();
    bytes += (await reader.finder.find(id))?.sizeBytes ?? 0;
  }
  return bytes;
}

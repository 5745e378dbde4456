import {
  type ContainerReader,
  ENTRY_TYPE_NAMES,
  escapePath,
  type FoundInode,
  messageOf,
  ObjectType,
  walk,
} from '../../index.js';
import { parseUint32 } from '../arguments.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { shortBytes } from '../progress/quantities.js';
import { contentBytes } from './entry-text.js';
import { showEntries } from './show-progress.js';
import { Exit, indexed, lookUpArgument, pathVerbCommand, type Verb, wantsJson, withReader } from './verb.js';

interface Flags {
  readonly summarize?: boolean;
  readonly human?: boolean;
  readonly maxDepth?: number;
}

interface Usage {
  apparent: number;
  stored: number;
  readonly types: Record<string, number>;
}

/** `du`: how much is in directories, and how much of the container it takes. */
export const du: Verb = {
  name: 'du',
  summary: 'sum up bytes and entries of directories',
  command: () =>
    pathVerbCommand(
      'du',
      'Print, for each directory, the bytes of the files in it and below, the bytes stored for them, the ratio, and the number of entries. A file with several links counts once.',
      '  clfsload du -sh /path/to/container\n  clfsload du --max-depth 1 /path/to/container some/dir\n',
    )
      .argument('<container>')
      .argument('[path]')
      .option('-s, --summarize', 'the total only')
      .option('-h, --human', 'sizes such as 1.5K, 23M')
      .option('--max-depth <n>', 'directories down to this depth', parseUint32)
      .helpOption('--help', 'display help for command'),
  run: (command, io) =>
    withReader(command, command.args[0], io, async (open) => {
      const flags = command.opts<Flags>();
      const { reader, inodes } = await indexed(open, io);
      const start = await lookUpArgument(command, reader, command.args[1]);
      const depthLimit = flags.summarize ? 0 : (flags.maxDepth ?? Number.POSITIVE_INFINITY);
      const usages = new Map<string, Usage>();
      const counted = reader.finder.idSet();
      const show = showEntries(io, 'Summing', start.path.length === 0 ? inodes : undefined);
      let entries = 0;
      let damaged = false;
      for await (const { path, found, error } of walk(reader, start.found.id)) {
        io.signal.throwIfAborted();
        show(++entries);
        if (!found) {
          damaged = true;
          io.complain(`${escapePath(path)}: ${messageOf(error)}`);
          continue;
        }
        const isDirectory = found.inode.attributes.type === ObjectType.directory;
        if (found.inode.attributes.linkCount > 1 && !isDirectory) {
          if (!counted.add(found.id)) continue;
        }
        const stored = await storedBytes(reader, found);
        for (const directory of directoriesOf(path, isDirectory, depthLimit)) {
          const usage = usages.get(directory) ?? { apparent: 0, stored: 0, types: {} };
          usages.set(directory, usage);
          if (!isDirectory) usage.apparent += Number(contentBytes(found));
          usage.stored += stored;
          const type = ENTRY_TYPE_NAMES[found.inode.attributes.type];
          usage.types[type] = (usage.types[type] ?? 0) + 1;
        }
      }
      if (!wantsJson(command)) await io.write(headerOf(flags.human === true));
      for (const [key, usage] of [...usages].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const path = Buffer.from(key, 'latin1');
        const ratio = usage.stored === 0 ? 0 : usage.apparent / usage.stored;
        if (wantsJson(command))
          await io.write(
            fieldsLine({
              ...pathFields(path),
              apparent_bytes: usage.apparent,
              stored_bytes: usage.stored,
              ratio,
              entries: usage.types,
            }),
          );
        else {
          const bytes = (value: number) =>
            (flags.human ? shortBytes(value) : String(value)).padStart(flags.human ? 6 : 14);
          const types = Object.entries(usage.types)
            .map(([type, count]) => `${count} ${type}`)
            .join(', ');
          await io.write(
            `${bytes(usage.apparent)} ${bytes(usage.stored)} ${ratio.toFixed(2).padStart(7)}  ${escapePath(path) || '.'}  (${types})\n`,
          );
        }
      }
      return damaged ? Exit.unchecked : Exit.ok;
    }),
};

/** What the columns are. */
function headerOf(human: boolean): string {
  const width = human ? 6 : 14;
  return `${'bytes'.padStart(width)} ${'stored'.padStart(width)} ${'ratio'.padStart(7)}  directory  (entries)\n`;
}

/** Directories, by path, whose totals an entry is part of. */
function* directoriesOf(path: Buffer, isDirectory: boolean, depthLimit: number): Generator<string> {
  const key = path.toString('latin1');
  yield '';
  const parts = key === '' ? [] : key.split('/');
  const depth = Math.min(isDirectory ? parts.length : parts.length - 1, depthLimit);
  for (let count = 1; count <= depth; count++) yield parts.slice(0, count).join('/');
}

async function storedBytes(reader: ContainerReader, found: FoundInode): Promise<number> {
  let bytes = found.storedBytes;
  for await (const { id } of reader.blocks(found)) {
    await reader.pause();
    bytes += (await reader.finder.find(id))?.sizeBytes ?? 0;
  }
  return bytes;
}

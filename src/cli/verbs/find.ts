import { InvalidArgumentError, Option } from 'commander';
import {
  decodeExactly,
  escapePath,
  type FoundInode,
  joinPath,
  messageOf,
  ObjectType,
  walk,
  wildcard,
} from '../../index.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { parseMoment } from '../parse-moment.js';
import { attributeFields, contentBytes, shownPath } from './entry-text.js';
import { showEntries } from './show-progress.js';
import {
  Exit,
  indexed,
  lookUpArgument,
  pathVerbCommand,
  requireNoJson,
  type Verb,
  wantsJson,
  withReader,
} from './verb.js';

interface Flags {
  readonly name?: (name: string) => boolean;
  readonly type?: number;
  readonly size?: (bytes: bigint) => boolean;
  readonly newer?: bigint;
  readonly links?: (count: bigint) => boolean;
  readonly null?: boolean;
}

const TYPES = new Map<string, number>([
  ['f', ObjectType.regular],
  ['d', ObjectType.directory],
  ['l', ObjectType.symlink],
  ['b', ObjectType.block],
  ['c', ObjectType.char],
  ['p', ObjectType.fifo],
  ['s', ObjectType.socket],
]);
const UNITS: Record<string, bigint> = { '': 512n, b: 512n, c: 1n, k: 1024n, M: 1048576n, G: 1073741824n };

/** `find`: paths that fulfil conditions. */
export const find: Verb = {
  name: 'find',
  summary: 'find entries by name, type, size, time or links',
  command: () =>
    pathVerbCommand(
      'find',
      'Print the paths of the entries that fulfil every condition, a line each. Conditions can be written as find(1) has them: -name, -type, -size, -newer, -links.',
      "  clfsload find /path/to/container --type f --size +100M\n  clfsload find /path/to/container some/dir -name '*.dat' -0\n",
    )
      .argument('<container>')
      .argument('[path]')
      .option('--name <pattern>', 'name matches the shell pattern', wildcard)
      .option('--type <letter>', 'type: f, d, l, b, c, p or s', parseType)
      .option('--size <n>', 'size as in find: +10M more, -4k less, 100c exactly', parseSize)
      .option(
        '--newer <time>',
        'modified after this time, in UTC, as "ls" and "stat" show it: 2026-01-31, "2026-01-31 12:00:00.5", 2026-01-31T12:00+01:00, yesterday, "3 days" ago',
        parseTime,
      )
      .option('--links <n>', 'number of links: 2, +1, -3', parseCount)
      .option('-0, --null', 'raw paths, each ended by a NUL')
      .addOption(new Option('--print0', 'the same, as find(1) has it').implies({ null: true })),
  // As find(1) has them.
  normalize(argv) {
    const end = argv.indexOf('--');
    return argv.map((arg, at) =>
      (end < 0 || at < end) && /^-(name|type|size|newer|links|print0)(=|$)/.test(arg) ? `-${arg}` : arg,
    );
  },
  run: async (command, io) => {
    requireNoJson(command, 'null');
    return withReader(command, command.args[0], io, async (open) => {
      const flags = command.opts<Flags>();
      const { reader, inodes } = await indexed(open, io);
      const start = await lookUpArgument(command, reader, command.args[1]);
      const show = showEntries(io, 'Searching', start.path.length === 0 ? inodes : undefined);
      let entries = 0;
      let damaged = false;
      for await (const { path: below, name, found, error } of walk(reader, start.found.id)) {
        io.signal.throwIfAborted();
        show(++entries);
        const path = joinPath(start.path, below);
        if (!found) {
          damaged = true;
          io.complain(`${shownPath(path)}: ${messageOf(error)}`);
          continue;
        }
        if (!fulfils(found, name, flags)) continue;
        const shown = path.length === 0 ? Buffer.from('.') : path;
        if (wantsJson(command)) await io.write(fieldsLine({ ...pathFields(shown), ...attributeFields(found) }));
        else await io.write(flags.null ? Buffer.concat([shown, Buffer.from([0])]) : `${escapePath(shown)}\n`);
      }
      return damaged ? Exit.unchecked : Exit.ok;
    });
  },
};

function fulfils(found: FoundInode, name: Uint8Array, flags: Flags): boolean {
  const a = found.inode.attributes;
  if (flags.type !== undefined && a.type !== flags.type) return false;
  if (flags.name && !flags.name(decodeExactly(name))) return false;
  if (flags.size && !flags.size(contentBytes(found))) return false;
  if (
    flags.newer !== undefined &&
    BigInt(a.mtime.seconds) * 1_000_000_000n + BigInt(a.mtime.nanoseconds) <= flags.newer
  )
    return false;
  return !flags.links || flags.links(BigInt(a.linkCount));
}

function parseType(value: string): number {
  const type = TYPES.get(value);
  if (type === undefined)
    throw new InvalidArgumentError(`it takes one of ${[...TYPES.keys()].join(', ')}, not ${JSON.stringify(value)}`);
  return type;
}

function parseSize(value: string): (bytes: bigint) => boolean {
  const match = /^([+-]?)(\d+)([bckMG]?)$/.exec(value);
  if (!match)
    throw new InvalidArgumentError(
      `it takes a number with an optional + or - before and c, k, M or G behind, not ${JSON.stringify(value)}`,
    );
  const unit = UNITS[match[3]];
  const compare = comparison(match[1], BigInt(match[2]));
  return (bytes) => compare((bytes + unit - 1n) / unit);
}

function parseCount(value: string): (count: bigint) => boolean {
  const match = /^([+-]?)(\d+)$/.exec(value);
  if (!match)
    throw new InvalidArgumentError(`it takes a number with an optional + or - before, not ${JSON.stringify(value)}`);
  return comparison(match[1], BigInt(match[2]));
}

function comparison(sign: string, number: bigint): (value: bigint) => boolean {
  if (sign === '+') return (value) => value > number;
  return sign === '-' ? (value) => value < number : (value) => value === number;
}

function parseTime(value: string): bigint {
  const ns = parseMoment(value, Date.now());
  if (ns === undefined)
    throw new InvalidArgumentError(
      `it takes a time in UTC such as 2026-01-31, "2026-01-31 12:00:00", 2026-01-31T12:00+01:00, yesterday or "3 days", not ${JSON.stringify(value)}`,
    );
  return ns;
}

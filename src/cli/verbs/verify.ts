import { InvalidArgumentError, Option } from 'commander';
import {
  verify as compare,
  counted,
  escapeText,
  expectManifest,
  expectSource,
  type PassedOver,
  parseSelection,
  selectFrom,
  storedShare,
  type VerifyLine,
} from '../../index.js';
import { normalizePage, UsageError } from '../arguments.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { pageOption } from '../job-page.js';
import { localPath, presentPath } from '../local-path.js';
import { shortBytes } from '../progress/quantities.js';
import { openReportFile } from '../report-file.js';
import { htmlOption, paged } from '../watched-verb.js';
import { shownPath } from './entry-text.js';
import { showEntries } from './show-progress.js';
import {
  crewOptions,
  Exit,
  indexed,
  type LaneFlags,
  threadsOption,
  type Verb,
  verbCommand,
  wantsJson,
  withReader,
  workersOptions,
} from './verb.js';

interface Flags extends LaneFlags {
  readonly manifest?: string;
  readonly content?: boolean;
  readonly sample?: number;
  readonly timeTolerance?: bigint;
  readonly ignore?: readonly PassedOver[];
  readonly report?: string;
  readonly excludePath: string;
  readonly excludePattern: string;
  readonly oneFileSystem?: boolean;
}

const LINES_AT_ONCE = 100;
const PASSED_OVER: readonly PassedOver[] = ['owner', 'mode', 'mtime'];

/** `verify`: a container against its source. */
export const verify: Verb = {
  name: 'verify',
  summary: 'compare a container with its source or a manifest',
  normalize: normalizePage,
  command: () =>
    verbCommand(
      'verify',
      'Compare a container with the tree that it was loaded from: type, mode, owner, size, device, modification time, link target, and links where the container has them. Lines begin with = same, + only in the source, - only in the container, * different, ! could not be checked.',
      '  clfsload verify /path/to/source /path/to/container --content\n  clfsload verify --manifest tree.jsonl /path/to/container\n',
    )
      .usage('[options] <source> <container>')
      .argument(
        '[source-and-container...]',
        'SOURCE CONTAINER, or with --manifest CONTAINER; hex:// and hexadecimal digits for a source of any bytes',
      )
      .addOption(
        new Option('--manifest <file>', 'compare with a manifest in place of a source').conflicts([
          'excludePath',
          'excludePattern',
          'oneFileSystem',
        ]),
      )
      .option('--content', 'compare every byte of the regular files that do not differ otherwise')
      .addOption(
        new Option('--sample <share>', 'compare the bytes of a share of the files, such as 5%')
          .argParser(parseShare)
          .conflicts('content'),
      )
      .option('--time-tolerance <time>', 'let modification times differ, such as 1us, 2s (default: 0)', parseTolerance)
      .option(
        '--ignore <attributes>',
        `let these differ: ${PASSED_OVER.join(', ')}; with commas between them`,
        parseIgnored,
      )
      .option('--exclude-path <string>', 'what the load left out: paths below the source, semicolon-separated', '')
      .option('--exclude-pattern <string>', 'what the load left out: wildcards for names, semicolon-separated', '')
      .option('--one-file-system', 'as the load: mount points below the source are empty')
      .addOption(threadsOption('compare'))
      .addOption(pageOption())
      .addOption(htmlOption())
      .addOption(workersOptions()[0])
      .addOption(workersOptions()[1])
      .option('--report <file>', 'write a line for every entry to a file'),
  run: paged((command, io) => {
    const flags = command.opts<Flags>();
    const wanted = flags.manifest === undefined ? 2 : 1;
    if (command.args.length !== wanted)
      throw new UsageError(
        flags.manifest === undefined
          ? 'please pass two arguments: the source and the container'
          : 'please pass one argument with --manifest: the container',
      );
    const lanes = crewOptions(flags, io);
    return withReader(command, command.args[wanted - 1], io, async (open) => {
      const named = flags.manifest === undefined ? await sourceOf(command.args[0], flags) : undefined;
      const tree = named && (await open.source(named.path));
      const source = named && { ...named, root: tree?.root };
      const expectation =
        source && tree
          ? expectSource(selectFrom(tree, source.selection))
          : await expectManifest(localPath(flags.manifest ?? ''), io.signal);
      if (flags.report !== undefined) await open.requireApart('report', localPath(flags.report));
      const report = flags.report === undefined ? undefined : await openReportFile(localPath(flags.report));
      const pending: string[] = [];
      let crew: Awaited<ReturnType<typeof open.crew>> | undefined;
      try {
        const { reader, index, inodes, contentBytes } = await indexed(open, io);
        const constants = {
          content: flags.content === true || flags.sample !== undefined,
          sample: flags.sample ?? 1,
          timeToleranceNs: flags.timeTolerance ?? 0n,
          ignored: flags.ignore,
        };
        crew = await open.crew(index, { ...lanes, compare: constants, source });
        const show = showEntries(io, 'Comparing', inodes, {
          workers: () => crew?.workers,
          // Of a share of the files it is not known before how many bytes they have.
          content: () => (flags.content === true ? storedShare(open.contentRead(), contentBytes) : undefined),
        });
        show(0, 0);
        const summary = await compare(
          expectation,
          reader,
          {
            ...constants,
            crew,
            signal: io.signal,
            onProgress: show,
            drain: () =>
              report?.drain() ?? (pending.length < LINES_AT_ONCE ? undefined : io.write(pending.splice(0).join(''))),
          },
          (line) => {
            report?.write(textOf(line));
            if (line.mark !== '=') {
              io.found({
                kind: KINDS[line.mark],
                path: shownPath(line.path),
                text: escapeText(line.details.join('; ')),
              });
              pending.push(
                wantsJson(command)
                  ? fieldsLine({ mark: line.mark, ...pathFields(line.path), details: line.details })
                  : textOf(line),
              );
            }
          },
        );
        await io.write(pending.join(''));
        if (wantsJson(command)) await io.write(fieldsLine({ summary }));
        else {
          await io.write(
            `${summary.same} same, ${summary.different} different, ${summary.missing} only in the source, ${summary.extra} only in the container, ${summary.unchecked} could not be checked; ${counted(summary.contents, 'files')} compared byte by byte (${shortBytes(summary.bytes)})\n`,
          );
          if (summary.onlyRounding)
            await io.write(
              'All differences are of times below one microsecond: the rounding of CLFSLoad. Compare with --time-tolerance 1us.\n',
            );
        }
        if (summary.unchecked > 0) return Exit.unchecked;
        return summary.different + summary.missing + summary.extra > 0 ? Exit.found : Exit.ok;
      } finally {
        await crew?.close();
        expectation.close();
        await report?.close();
      }
    });
  }),
};

async function sourceOf(source: string, { excludePath, excludePattern, oneFileSystem }: Flags) {
  return {
    path: await presentPath(source),
    selection: parseSelection(excludePath, excludePattern, oneFileSystem === true),
  };
}

/** What each mark but that of the same stands for. */
const KINDS = {
  '+': 'only in the source',
  '-': 'only in the container',
  '*': 'different',
  '!': 'could not be checked',
} as const;

function textOf({ mark, path, details }: VerifyLine): string {
  return `${mark} ${shownPath(path)}${details.length > 0 ? `: ${escapeText(details.join('; '))}` : ''}\n`;
}

function parseShare(value: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(value);
  if (!match || Number(match[1]) > 100)
    throw new InvalidArgumentError(`it takes a share such as 5%, not ${JSON.stringify(value)}`);
  return Number(match[1]) / 100;
}

function parseIgnored(value: string): readonly PassedOver[] {
  return value.split(',').map((each) => {
    const known = PASSED_OVER.find((one) => one === each.trim());
    if (known === undefined)
      throw new InvalidArgumentError(
        `it takes ${PASSED_OVER.join(', ')}, with commas between them, not ${JSON.stringify(value)}`,
      );
    return known;
  });
}

function parseTolerance(value: string): bigint {
  const match = /^(\d+)(ns|us|ms|s)?$/.exec(value);
  if (!match) throw new InvalidArgumentError(`it takes a time such as 500ns, 1us, 2s, not ${JSON.stringify(value)}`);
  return (
    BigInt(match[1]) *
    { ns: 1n, us: 1000n, ms: 1_000_000n, s: 1_000_000_000n }[(match[2] ?? 'ns') as 'ns' | 'us' | 'ms' | 's']
  );
}

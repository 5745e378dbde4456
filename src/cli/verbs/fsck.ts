import {
  type CommandFinding,
  fsck as check,
  counted,
  escapeName,
  escapePath,
  escapeText,
  type Finding,
  type FsckSummary,
  storedShare,
  WITHOUT_ROOT,
} from '../../index.js';
import { normalizePage, UsageError } from '../arguments.js';
import { fieldsLine, pathFields } from '../fields-line.js';
import { pageOption } from '../job-page.js';
import { htmlOption, paged } from '../watched-verb.js';
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
  readonly content?: boolean;
  readonly strict?: boolean;
}

/** `fsck`: a container against itself. */
export const fsck: Verb = {
  name: 'fsck',
  summary: 'check a container against the format',
  normalize: normalizePage,
  command: () =>
    verbCommand(
      'fsck',
      'Check a container against itself and the format, read-only. Errors mean that data is missing or damaged; warnings do not.',
      '  clfsload fsck /path/to/container\n  clfsload fsck --content --json "https://[account].blob.core.windows.net/[container]?[SAS]"\n',
    )
      .argument('<container>')
      .option('--content', 'read the segments of files too')
      .addOption(threadsOption('read, with --content'))
      .addOption(pageOption())
      .addOption(htmlOption())
      .addOption(workersOptions(', with --content')[0])
      .addOption(workersOptions()[1])
      .option('--strict', 'exit with 1 for warnings too'),
  run: paged(async (command, io) => {
    const flags = command.opts<Flags>();
    const { content = false, strict } = flags;
    const lanes = crewOptions(flags, io);
    if (lanes.workers && !content) throw new UsageError('--workers needs --content: nothing else is handed to workers');
    if (lanes.threads !== undefined && !content)
      throw new UsageError('--threads needs --content: nothing else is handed to threads');
    return withReader(command, command.args[0], io, async (open) => {
      const json = wantsJson(command);
      const { reader, index, inodes, contentBytes } = await indexed(open, io);
      const pending: string[] = [];
      const crew = content ? await open.crew(index, lanes) : undefined;
      const show = showEntries(io, 'Checking', inodes, {
        workers: () => crew?.workers,
        content: () => (content ? storedShare(open.contentRead(), contentBytes) : undefined),
      });
      show(0);
      try {
        const summary = await check(
          reader,
          index,
          {
            content,
            crew,
            signal: io.signal,
            onProgress: show,
            drain: () => io.write(pending.splice(0).join('')),
          },
          (finding) => {
            io.found(foundOf(finding));
            pending.push(json ? jsonOf(finding) : textOf(finding));
          },
        );
        await io.write(pending.join(''));
        await io.write(json ? fieldsLine({ summary }) : summaryText(summary));
        return summary.errors > 0 || (strict && summary.warnings > 0) ? Exit.found : Exit.ok;
      } finally {
        await crew?.close();
      }
    });
  }),
};

function summaryText({ entries, objects, errors, warnings, withoutRoot }: FsckSummary): string {
  const lines = [
    `${counted(entries, 'entries')} and ${counted(objects, 'objects')} checked: ${counted(errors, 'errors')}, ${counted(warnings, 'warnings')}`,
  ];
  if (withoutRoot) {
    const { rootEntries, missingDirectories, missingDirectoryEntries, unreadDirectoryEntries } = withoutRoot;
    lines.push(
      `Checked without the root directory: ${[
        `${counted(rootEntries, 'inodes')} of it`,
        ...(missingDirectories > 0
          ? [
              `${counted(missingDirectoryEntries, 'inodes')} of ${counted(missingDirectories, 'directories')} beside that are not in the container`,
            ]
          : []),
        ...(unreadDirectoryEntries > 0
          ? [`${counted(unreadDirectoryEntries, 'inodes')} of directories that cannot be read`]
          : []),
      ].join(', ')}.`,
      'A load that was stopped: go on with it by "clfsload resume". Where it said that the container does not hold what was written, first put back what is missing and remove what is extra: each blob is named in brackets. docs/errors.md explains each code.',
      `A load that cannot be gone on with, or a root that was lost: ${WITHOUT_ROOT}`,
    );
  } else if (errors > 0)
    lines.push(
      'Errors: load the tree again into an empty container if the source is there; else "export" saves what can be read, and "export --salvage" also what no directory lists any more and what is there of incomplete files. docs/errors.md explains each code.',
    );
  return lines.map((line) => `${line}\n`).join('');
}

function foundOf({ severity, code, path, object, message }: Finding): CommandFinding {
  const where = path === undefined ? escapeName(object ?? '-') : escapePath(path) || '.';
  return { kind: `${severity} ${code}`, path: where, text: escapeText(message) };
}

function textOf({ severity, code, path, object, message }: Finding): string {
  return `${severity} ${code} ${path === undefined ? '-' : escapePath(path) || '.'}: ${escapeText(message)}${object === undefined ? '' : ` [${escapeName(object)}]`}\n`;
}

function jsonOf({ severity, code, path, object, message }: Finding): string {
  return fieldsLine({ severity, code, ...(path === undefined ? {} : pathFields(path)), object, message });
}

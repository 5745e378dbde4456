import {
  createManifest,
  escapeJson,
  escapeText,
  formatManifestEntry,
  messageOf,
  ObjectType,
  storedShare,
} from '../../index.js';
import { normalizePage, UsageError } from '../arguments.js';
import { pageOption } from '../job-page.js';
import { htmlOption, paged } from '../watched-verb.js';
import { shownPath } from './entry-text.js';
import { showEntries } from './show-progress.js';
import {
  crewOptions,
  Exit,
  indexed,
  type LaneFlags,
  requireNoJson,
  threadsOption,
  type Verb,
  verbCommand,
  withReader,
  workersOptions,
} from './verb.js';

interface Flags extends LaneFlags {
  readonly hash?: boolean;
  readonly sha256sum?: boolean;
}

/** `manifest`: a container's tree as lines. */
export const manifest: Verb = {
  name: 'manifest',
  summary: 'print a line of JSON for each entry',
  normalize: normalizePage,
  command: () =>
    verbCommand(
      'manifest',
      'Print one line of JSON for each entry: type, mode, owner, times, size, link group, and with --hash the SHA-256 of files. "verify --manifest" takes it.',
      '  clfsload manifest --hash /path/to/container > tree.jsonl\n  clfsload manifest --sha256sum /path/to/container | (cd /restored && sha256sum -c)\n',
    )
      .argument('<container>')
      .option('--hash', 'with the SHA-256 of regular files')
      .addOption(threadsOption('read, with --hash or --sha256sum'))
      .addOption(pageOption())
      .addOption(htmlOption())
      .addOption(workersOptions(', with --hash or --sha256sum')[0])
      .addOption(workersOptions()[1])
      .option('--sha256sum', 'lines for "sha256sum -c" in place of JSON'),
  run: paged(async (command, io) => {
    requireNoJson(command, 'sha256sum');
    const flags = command.opts<Flags>();
    const { hash: hashed, sha256sum } = flags;
    const hash = hashed === true || sha256sum === true;
    const lanes = crewOptions(flags, io);
    if (lanes.workers && !hash)
      throw new UsageError('--workers needs --hash or --sha256sum: nothing else is handed to workers');
    if (lanes.threads !== undefined && !hash)
      throw new UsageError('--threads needs --hash or --sha256sum: nothing else is handed to threads');
    return withReader(command, command.args[0], io, async (open) => {
      const { reader, index, inodes, contentBytes } = await indexed(open, io);
      const crew = hash ? await open.crew(index, lanes) : undefined;
      const show = showEntries(io, 'Manifest', inodes, {
        workers: () => crew?.workers,
        content: () => (hash ? storedShare(open.contentRead(), contentBytes) : undefined),
      });
      show(0);
      let damaged = false;
      let entries = 0;
      try {
        for await (const { entry, path, error } of createManifest(reader, { hash, crew })) {
          io.signal.throwIfAborted();
          show(++entries);
          if (error) {
            damaged = true;
            io.complain(`${shownPath(path)}: ${messageOf(error)}`);
            io.found({ kind: 'could not be read', path: shownPath(path), text: escapeText(messageOf(error)) });
          } else if (!sha256sum) await io.write(`${escapeJson(formatManifestEntry(entry))}\n`);
          else if (entry.type === ObjectType.regular && entry.sha256) await io.write(sumLine(entry.path, entry.sha256));
        }
      } finally {
        await crew?.close();
      }
      return damaged ? Exit.unchecked : Exit.ok;
    });
  }, false),
};

/** A backslash before the sum tells `sha256sum` that the name is escaped. */
function sumLine(path: Uint8Array, sum: string): Buffer {
  const raw = Buffer.from(path).toString('latin1');
  const escaped = raw.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return Buffer.from(`${escaped === raw ? '' : '\\'}${sum}  ${escaped}\n`, 'latin1');
}

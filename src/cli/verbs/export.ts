import { resolve } from 'node:path';
import { escapePath, exportTree, lookUp, messageOf } from '../../index.js';
import { parseChoice, UsageError } from '../arguments.js';
import { humanBytes } from './entry-text.js';
import { Exit, indexed, pathBytes, pathFields, type Verb, verbCommand, wantsJson, withReader } from './verb.js';

const OVERWRITE = ['never', 'if-different', 'always'] as const;

interface Flags {
  readonly overwrite: (typeof OVERWRITE)[number];
  readonly sparse?: boolean;
}

/** `export`: a container's tree back to disk. */
export const exportVerb: Verb = {
  name: 'export',
  summary: 'write the tree of a container to disk',
  command: () =>
    verbCommand(
      'export',
      'Write the tree of a container, or the part below a path, into a directory: content, modes, owners (as root), times, links, devices and fifos (as root). An export that was interrupted goes on when it is repeated.',
      '  clfsload export /path/to/container /path/to/directory\n  clfsload export /path/to/container some/dir /path/to/directory --sparse\n',
    )
      .argument('<container>')
      .argument('<path-and-directory...>', '[PATH] DIRECTORY')
      .option('--overwrite <when>', `what happens to entries that are there: ${OVERWRITE.join(', ')}`, parseChoice(OVERWRITE), 'if-different')
      .option('--sparse', 'leave holes where files have runs of zeros'),
  run: (command, io) => {
    if (command.args.length > 3) throw new UsageError('please pass the container, optionally a path in it, and the directory to write to');
    return withReader(command.args[0], io, async (open) => {
      const flags = command.opts<Flags>();
      const { reader } = await indexed(open, io);
      const start = await lookUp(reader, pathBytes(command.args.length === 3 ? command.args[1] : undefined));
      const summary = await exportTree(reader, start.found, resolve(command.args[command.args.length - 1]), {
        overwrite: flags.overwrite,
        sparse: flags.sparse === true,
        signal: io.signal,
        onProgress: (entries, bytes) => io.progress(() => `${entries} entries, ${humanBytes(bytes)} written`),
        onFailure: (path, error) => io.complain(`${escapePath(path) || '.'}: ${messageOf(error)}`),
      });
      if (wantsJson(command)) await io.write(`${JSON.stringify({ ...pathFields(start.path), ...summary })}\n`);
      else await io.write(`${summary.written} entries written (${humanBytes(summary.bytes)}), ${summary.skipped} there already, ${summary.failed} failed\n`);
      return summary.failed > 0 ? Exit.found : Exit.ok;
    });
  },
};

import { open as openHandle } from 'node:fs/promises';
import { ClfsError, escapePath, exportTar, exportTree, jsonLine, messageOf, quotePath } from '../../index.js';
import { parseChoice, UsageError } from '../arguments.js';
import { absolutePath, localPath } from '../local-path.js';
import { humanBytes } from './entry-text.js';
import { Exit, indexed, lookUpArgument, pathFields, pathVerbCommand, type Verb, type VerbIo, wantsJson, withReader } from './verb.js';

const OVERWRITE = ['never', 'if-different', 'always'] as const;

interface Flags {
  readonly overwrite: (typeof OVERWRITE)[number];
  readonly sparse?: boolean;
  readonly tar?: string;
}

/** `export`: a container's tree back to disk. */
export const exportVerb: Verb = {
  name: 'export',
  summary: 'write the tree of a container to disk',
  command: () =>
    pathVerbCommand(
      'export',
      'Write the tree of a container, or the part below a path, into a directory: content, modes, owners (as root), times, links, devices and fifos (as root). An export that was interrupted goes on when it is repeated.',
      '  clfsload export /path/to/container /path/to/directory\n  clfsload export /path/to/container some/dir /path/to/directory --sparse\n  clfsload export /path/to/container --tar - | ssh host tar xpf - -C /restored\n',
    )
      .argument('<container>')
      .argument('[path-and-directory...]', '[PATH] DIRECTORY, or with --tar [PATH]; hex:// and hexadecimal digits for a directory of any bytes')
      .option('--overwrite <when>', `what happens to entries that are there: ${OVERWRITE.join(', ')}`, parseChoice(OVERWRITE), 'if-different')
      .option('--sparse', 'leave holes where files have runs of zeros')
      .option('--tar <file>', 'write a POSIX tar to a file, or with - to standard output, in place of a directory'),
  run: (command, io) => {
    const flags = command.opts<Flags>();
    const given = command.args.length - (flags.tar === undefined ? 2 : 1);
    if (given < 0 || given > 1) throw new UsageError('please pass the container, optionally a path in it, and the directory to write to or --tar');
    return withReader(command, command.args[0], io, async (container) => {
      const { reader } = await indexed(container, io);
      const start = await lookUpArgument(command, reader, given === 1 ? command.args[1] : undefined);
      const options = {
        signal: io.signal,
        onProgress: (entries: number, bytes: number) => io.progress(() => `${entries} entries, ${humanBytes(bytes)} written`),
        onFailure: (path: Buffer, error: Error) => io.complain(`${escapePath(path) || '.'}: ${messageOf(error)}`),
      };
      const summary =
        flags.tar === undefined
          ? await exportTree(reader, start.found, absolutePath(command.args[command.args.length - 1]), {
              ...options,
              overwrite: flags.overwrite,
              sparse: flags.sparse === true,
            })
          : await toTar(flags.tar, io, (write) => exportTar(reader, start.found, write, options));
      const text = wantsJson(command)
        ? jsonLine({ ...pathFields(start.path), ...summary })
        : `${summary.written} entries written (${humanBytes(summary.bytes)}), ${summary.skipped} there already, ${summary.failed} failed\n`;
      if (flags.tar === '-') io.complain(text.trim());
      else await io.write(text);
      return summary.failed > 0 ? Exit.found : Exit.ok;
    });
  },
};

/** Gives `use` a way to write to the file, or to standard output. */
async function toTar<T>(file: string, io: VerbIo, use: (write: (bytes: Uint8Array) => Promise<void>) => Promise<T>): Promise<T> {
  if (file === '-') return use((bytes) => io.write(bytes));
  const path = localPath(file);
  const handle = await openFile(path);
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (cause) {
      throw new ClfsError('target', `Cannot write ${quotePath(path)}: ${messageOf(cause)}. The tar is not complete: make room, and start again.`, {
        cause,
      });
    }
  };
  let open = true;
  try {
    const result = await use((bytes) =>
      attempt(async () => {
        for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
      }),
    );
    open = false;
    // Some file systems tell only now that the disk is full.
    await attempt(() => handle.close());
    return result;
  } finally {
    if (open) await handle.close().catch(() => undefined);
  }
}

async function openFile(file: Buffer) {
  try {
    return await openHandle(file, 'w');
  } catch (cause) {
    throw new ClfsError('usage', `Cannot write ${quotePath(file)}: ${messageOf(cause)}.`, { cause });
  }
}

import { InvalidArgumentError } from 'commander';
import { ClfsError, ObjectType, quotePath, readContent } from '../../index.js';
import { permilleOf } from '../progress/figures.js';
import { followSymlinks } from './follow-symlinks.js';
import { Exit, lookUpArgument, pathVerbCommand, type Verb, withReader } from './verb.js';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `cat`: bytes of files. */
export const cat: Verb = {
  name: 'cat',
  summary: 'write the bytes of files to standard output',
  command: () =>
    pathVerbCommand(
      'cat',
      'Write the bytes of regular files to standard output, one after another. A symlink is followed within the container. Only the segments that are needed are fetched.',
      '  clfsload cat /path/to/container some/file > file\n  clfsload cat /path/to/container some/file --offset 1M --length 100\n',
    )
      .argument('<container>')
      .argument('<path...>')
      .option('--offset <bytes>', 'begin here in each file, such as 1000, 64K, 1M', parseBytes, 0)
      .option('--length <bytes>', 'write at most this many of each', parseBytes),
  writesContent: () => true,
  run: (command, io) =>
    withReader(command, command.args[0], io, async ({ reader }) => {
      const { offset, length } = command.opts<{ offset: number; length?: number }>();
      const paths = command.args.slice(1);
      for (const [done, argument] of paths.entries()) {
        const { found, path } = await followSymlinks(reader, await lookUpArgument(command, reader, argument));
        if (found.inode.attributes.type !== ObjectType.regular)
          throw new ClfsError('usage', `Cannot write the bytes of ${quotePath(path)}: it is not a regular file.`);
        const size = Number(found.inode.attributes.lengthBytes);
        const bytesTotal = Math.max(0, Math.min(size - offset, length ?? size));
        let bytes = 0;
        for await (const piece of readContent(reader, found, offset, length)) {
          io.signal.throwIfAborted();
          await io.write(piece);
          bytes += piece.length;
          const permille = paths.length === 1 ? permilleOf(bytes, bytesTotal) : permilleOf(done, paths.length);
          io.progress(() => ({
            label: 'Reading',
            unit: 'files',
            done,
            total: paths.length,
            bytes,
            bytesTotal,
            permille,
          }));
        }
      }
      return Exit.ok;
    }),
};

/** A number of bytes, with K, M, G or T for powers of 1024. */
function parseBytes(value: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(value);
  const bytes = match ? Math.floor(Number(match[1]) * UNITS[match[2].toUpperCase()]) : Number.NaN;
  if (!Number.isSafeInteger(bytes))
    throw new InvalidArgumentError(`it takes a number of bytes such as 1000, 64K or 1M, not ${JSON.stringify(value)}`);
  return bytes;
}

import { ClfsError, ObjectType, quotePath, readContent } from '../../index.js';
import { parsePositive } from '../arguments.js';
import { permilleOf } from '../progress/figures.js';
import { Exit, lookUpArgument, pathVerbCommand, type Verb, withReader } from './verb.js';

/** `cat`: bytes of a file. */
export const cat: Verb = {
  name: 'cat',
  summary: 'write the bytes of a file to standard output',
  command: () =>
    pathVerbCommand(
      'cat',
      'Write the bytes of a regular file to standard output. Only the segments that are needed are fetched.',
      '  clfsload cat /path/to/container some/file > file\n  clfsload cat /path/to/container some/file --offset 1000000 --length 100\n',
    )
      .argument('<container>')
      .argument('<path>')
      .option('--offset <bytes>', 'begin here', parsePositive, 0)
      .option('--length <bytes>', 'write at most this many', parsePositive),
  run: (command, io) =>
    withReader(command, command.args[0], io, async ({ reader }) => {
      const { offset, length } = command.opts<{ offset: number; length?: number }>();
      const { found, path } = await lookUpArgument(command, reader, command.args[1]);
      if (found.inode.attributes.type !== ObjectType.regular)
        throw new ClfsError('usage', `Cannot write ${quotePath(path)}: it is not a regular file.`);
      const size = Number(found.inode.attributes.lengthBytes);
      const from = Math.floor(offset);
      const bytesTotal = Math.max(0, Math.min(size - from, length === undefined ? size : Math.floor(length)));
      let bytes = 0;
      for await (const piece of readContent(
        reader,
        found,
        from,
        length === undefined ? undefined : Math.floor(length),
      )) {
        io.signal.throwIfAborted();
        await io.write(piece);
        bytes += piece.length;
        io.progress(() => ({
          label: 'Reading',
          unit: 'files',
          done: 0,
          total: 1,
          bytes,
          bytesTotal,
          permille: permilleOf(bytes, bytesTotal),
        }));
      }
      return Exit.ok;
    }),
};

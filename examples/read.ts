// Lists the files of a container, and writes one of them to standard output: node read.js CONTAINER [FILE]
import { escapePath, lookUp, ObjectType, openReader, readContent, walk } from 'clfsload';

const [container, file] = process.argv.slice(2);
const open = await openReader(container);
try {
  if (file === undefined) {
    // A whole tree is read by a listing of the container.
    const { reader } = await open.index();
    const root = await lookUp(reader, Buffer.alloc(0));
    for await (const { path, found } of walk(reader, root.found.id))
      if (found?.inode.attributes.type === ObjectType.regular)
        console.log(`${found.inode.attributes.lengthBytes}\t${escapePath(path)}`);
  } else {
    const { found } = await lookUp(open.reader, Buffer.from(file));
    for await (const piece of readContent(open.reader, found)) process.stdout.write(piece);
  }
} finally {
  await open.close();
}

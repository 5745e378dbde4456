import { fileBlockCount } from '../format/geometry.js';
import { idHex, ObjectType } from '../format/ids.js';
import { LONGEST_TARGET_BYTES } from '../format/limits.js';
import { fileSize } from '../namespace/content.js';
import type { FoundInode } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import { type BlockExtent, checkBlocks, readSegment } from './check-blocks.js';
import type { FsckContext } from './fsck-context.js';

export async function checkFile(context: FsckContext, entry: WalkedEntry, found: FoundInode): Promise<void> {
  const { inode, blob } = found;
  const { attributes } = inode;
  const error = (code: string, message: string) => context.report('error', code, entry.path, blob.name, message);
  const warning = (code: string, message: string) => context.report('warning', code, entry.path, blob.name, message);
  if (attributes.type === ObjectType.regular) {
    await checkRegular(context, entry, found, error);
    return;
  }
  const target = inode.data;
  if (target) {
    if (target.length === 0 || target.includes(0))
      error('symlink-target', 'The symlink has no target that can be one.');
    if (target.length > LONGEST_TARGET_BYTES)
      warning(
        'symlink-target',
        `The symlink's target has ${target.length} bytes; the cache reads ${LONGEST_TARGET_BYTES}.`,
      );
    // The reference loader counts characters.
    if (attributes.lengthBytes !== BigInt(target.length)) {
      const characters = Array.from(target.toString('utf8')).length;
      if (attributes.lengthBytes === BigInt(characters))
        warning('symlink-length', 'The length counts characters, not bytes, as the reference loader does.');
      else error('length', `The length is ${attributes.lengthBytes}; the target has ${target.length} bytes.`);
    }
  } else if (attributes.lengthBytes !== 0n)
    error('length', `The length of a special file is ${attributes.lengthBytes}.`);
  for await (const { block } of checkBlocks(context, entry, found))
    error('block-map', `Block ${block} is there, where only regular files and directories have further blocks.`);
}

async function checkRegular(
  context: FsckContext,
  entry: WalkedEntry,
  found: FoundInode,
  error: (code: string, message: string) => void,
): Promise<void> {
  const { reader } = context;
  const { firstSegmentBytes, fileSegmentBytes } = reader.geometry;
  const sizeBytes = fileSize(found);
  const data = found.inode.data ?? Buffer.alloc(0);
  const firstBytes = Math.min(sizeBytes, firstSegmentBytes);
  if (data.length !== firstBytes)
    error(
      'length',
      `The inode holds ${data.length} bytes of data where its length of ${sizeBytes} calls for ${firstBytes}.`,
    );
  const blocks = fileBlockCount(sizeBytes, reader.geometry);
  const extent: BlockExtent = { last: 0, complete: true };
  for await (const { block, id } of checkBlocks(context, entry, found, extent)) {
    if (block >= blocks || !context.content) continue;
    const segment = await readSegment(context, entry, found, id);
    if (!segment) continue;
    const start = firstSegmentBytes + (block - 1) * fileSegmentBytes;
    if (segment.kind !== 'file') {
      error('segment-kind', `Block ${block} (${idHex(id)}) of a file is a segment of a directory.`);
      continue;
    }
    const wanted = Math.min(fileSegmentBytes, sizeBytes - start);
    if (segment.data.length !== wanted)
      error('segment-length', `Block ${block} has ${segment.data.length} bytes in place of ${wanted}.`);
    if (segment.owner.offset !== BigInt(start))
      error('segment-offset', `Block ${block} says that it begins at ${segment.owner.offset}, not at ${start}.`);
    if (segment.owner.ctimeSeconds !== found.inode.attributes.ctime.seconds) {
      context.report(
        'warning',
        'segment-ctime',
        entry.path,
        idHex(id),
        `Block ${block} has another ctime than its inode.`,
      );
    }
  }
  if (extent.complete && extent.last !== blocks - 1)
    error(
      'block-count',
      `The block map has ${extent.last + 1} blocks; the length of ${sizeBytes} calls for ${blocks}.`,
    );
}

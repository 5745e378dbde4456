import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { LONGEST_TARGET_BYTES } from '../format/limits.js';
import { fileSize } from '../namespace/content.js';
import type { FoundInode } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import { type BlockExtent, checkBlocks } from './check-blocks.js';
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
  const { firstSegmentBytes } = reader.geometry;
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
  const content = context.content?.begin(entry, found);
  if (content) reader.countRead(found.storedBytes, data.length);
  for await (const reference of checkBlocks(context, entry, found, extent))
    if (reference.block < blocks) await content?.add(reference);
  await content?.end();
  if (extent.complete && extent.last !== blocks - 1)
    error(
      'block-count',
      `The block map has ${extent.last + 1} blocks; the length of ${sizeBytes} calls for ${blocks}.`,
    );
}

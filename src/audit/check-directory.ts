import {
  type DirectoryEntry,
  decodeDirents,
  directoryPieceCapacity,
  directorySegmentOffset,
  isDot,
  isDotDot,
  isSafeName,
} from '../format/dirents.js';
import { bytesEqual, hintedType, idHex, ObjectType } from '../format/ids.js';
import type { FoundInode } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import { type ByteSet, SpilledSet } from '../spill/spilled-set.js';
import { quotePath } from '../text/escape-path.js';
import { type BlockExtent, checkBlocks, readSegment } from './check-blocks.js';
import { type FsckContext, reportDamage } from './fsck-context.js';

/** Checks a directory's entries and segments. Source: docs/format.md 6.4, 8 */
export async function checkDirectory(context: FsckContext, entry: WalkedEntry, found: FoundInode): Promise<void> {
  const seen = new SpilledSet();
  try {
    await checkEntries(context, entry, found, seen);
  } finally {
    seen.close();
  }
}

async function checkEntries(context: FsckContext, entry: WalkedEntry, found: FoundInode, seen: ByteSet): Promise<void> {
  const { reader } = context;
  const error = (code: string, message: string) => context.report('error', code, entry.path, found.blob.name, message);
  const dirents = found.inode.dirents ?? Buffer.alloc(0);
  let lengthBytes = BigInt(4 + dirents.length);
  let directories = 0;
  const look = (entries: readonly DirectoryEntry[]) => {
    for (const { name, handle } of entries) {
      if (!seen.add(name)) error('duplicate-name', `The name ${quotePath(name)} is there twice.`);
      if (isDot(name) || isDotDot(name)) continue;
      if (!isSafeName(name))
        error('bad-name', `The name ${JSON.stringify(Buffer.from(name).toString('latin1'))} cannot be one.`);
      if (hintedType(handle) === ObjectType.directory) directories++;
    }
  };
  const first = decodePiece(context, entry, found.blob.name, dirents);
  if (first && (first.length < 2 || !isDot(first[0].name) || !isDotDot(first[1].name)))
    error('dot-entries', 'The first two entries are not "." and "..".');
  else if (first) {
    if (!bytesEqual(first[0].handle, entry.handle)) error('dot-entries', 'The entry "." is not the directory itself.');
    if (!bytesEqual(first[1].handle, entry.parent)) error('dot-entries', 'The entry ".." is not the parent directory.');
  }
  look(first ?? []);
  if (dirents.length > directoryPieceCapacity(0, reader.geometry))
    error('piece-size', `The inode holds ${dirents.length} bytes of entries.`);
  const extent: BlockExtent = { last: 0, complete: true };
  let pieces = 0;
  for await (const { block, id } of checkBlocks(context, entry, found, extent)) {
    const segment = await readSegment(context, entry, found, id);
    if (!segment) continue;
    if (segment.kind !== 'directory') {
      error('segment-kind', `Block ${block} (${idHex(id)}) of a directory is a segment of a file.`);
      continue;
    }
    pieces++;
    if (segment.owner.offset !== BigInt(directorySegmentOffset(block, reader.geometry)))
      error('segment-offset', `Block ${block} says that it begins at ${segment.owner.offset}.`);
    if (segment.owner.ctimeSeconds !== found.inode.attributes.ctime.seconds) {
      context.report(
        'warning',
        'segment-ctime',
        entry.path,
        idHex(id),
        `Block ${block} has another ctime than its inode.`,
      );
    }
    if (segment.dirents.length === 0) error('piece-size', `Block ${block} is empty.`);
    if (segment.dirents.length > directoryPieceCapacity(block, reader.geometry))
      error('piece-size', `Block ${block} holds ${segment.dirents.length} bytes of entries.`);
    lengthBytes += BigInt(4 + segment.dirents.length);
    look(decodePiece(context, entry, idHex(id), segment.dirents) ?? []);
  }
  if (!extent.complete || pieces !== extent.last) context.damagedDirectories.add(entry.handle);
  // What is missing or cannot be read has been told of: sums without it say nothing.
  if (context.damagedDirectories.has(entry.handle)) return;
  const { attributes } = found.inode;
  if (attributes.lengthBytes !== lengthBytes) {
    context.report(
      'warning',
      'directory-length',
      entry.path,
      found.blob.name,
      `The length is ${attributes.lengthBytes}; the entries take ${lengthBytes}. The reference loader does so after an interruption.`,
    );
  }
  if (attributes.linkCount !== 2 + directories)
    error('link-count', `The link count is ${attributes.linkCount}, with ${directories} sub-directories.`);
}

/** Entries of one piece of a directory: where it is damaged, the others are checked all the same. */
function decodePiece(
  context: FsckContext,
  entry: WalkedEntry,
  object: string,
  dirents: Buffer,
): readonly DirectoryEntry[] | undefined {
  try {
    return decodeDirents(dirents);
  } catch (error) {
    reportDamage(context, entry.path, object, error);
    context.damagedDirectories.add(entry.handle);
    return undefined;
  }
}

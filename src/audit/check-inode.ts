import { hash64Hex } from '../format/hash.js';
import {
  bytesEqual,
  HANDLE_BYTES,
  hintedType,
  idHex,
  isRootId,
  isUsableHandle,
  modeTypeBits,
  NOT_FINAL_OWNER,
  ObjectType,
  RESERVED_SEQUENCES,
  targetManagerOf,
} from '../format/ids.js';
import { FIRST_VERSION } from '../format/names.js';
import type { FoundInode } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import type { FsckContext } from './fsck-context.js';

const NANOSECONDS = 1_000_000_000;
const NOT_FINAL_HASH = hash64Hex(NOT_FINAL_OWNER);

/** Checks what every inode has: name, handle, attributes, block 0, back pointers. Source: docs/format.md 2, 3, 6 */
export function checkInode(context: FsckContext, entry: WalkedEntry, found: FoundInode): void {
  const { blob, inode } = found;
  const { attributes } = inode;
  const error = (code: string, message: string) => context.report('error', code, entry.path, blob.name, message);
  const warning = (code: string, message: string) => context.report('warning', code, entry.path, blob.name, message);
  const directory = attributes.type === ObjectType.directory;
  if (blob.key.type !== attributes.type)
    error('type-mismatch', `The name says type ${blob.key.type}, the inode type ${attributes.type}.`);
  if ((attributes.mode & 0o170000) !== modeTypeBits(attributes.type))
    error('mode-type', `The mode ${attributes.mode.toString(8)} is not that of type ${attributes.type}.`);
  const hinted = hintedType(entry.handle);
  if (hinted !== attributes.type)
    warning('handle-type', `The handle hints at type ${hinted ?? 'none'}; the inode has type ${attributes.type}.`);
  if (blob.key.version < FIRST_VERSION) error('version', `The version ${blob.key.version} is below ${FIRST_VERSION}.`);
  for (const [name, time] of [
    ['mtime', attributes.mtime],
    ['ctime', attributes.ctime],
    ['atime', attributes.atime],
  ] as const) {
    if (time.nanoseconds >= NANOSECONDS) error('time', `The ${name} has ${time.nanoseconds} nanoseconds.`);
  }
  if (attributes.flags !== 0 || attributes.dtime.seconds !== 0 || attributes.dtime.nanoseconds !== 0)
    warning('attributes', 'Flags or a deletion time are set, which no loader does.');
  if (attributes.usedBytes !== attributes.lengthBytes)
    warning('used-bytes', `The used bytes (${attributes.usedBytes}) are not the length (${attributes.lengthBytes}).`);
  if (context.load && (attributes.fsid !== context.load.fsid || attributes.containerId !== context.load.containerId))
    error('load-ids', "The fsid or container id is not the root's.");
  context.withoutRoot?.countLoad(attributes, blob.name);
  if (
    attributes.type !== ObjectType.block &&
    attributes.type !== ObjectType.char &&
    (attributes.deviceMajor !== 0 || attributes.deviceMinor !== 0)
  )
    warning('device', 'A device number is set on what is no device.');
  const { direct, roots, firstSegmentBytes, segmentBytes } = inode.blockMap;
  const { geometry } = context.reader;
  if (
    firstSegmentBytes !== geometry.firstSegmentBytes ||
    segmentBytes !== (directory ? geometry.directorySegmentBytes : geometry.fileSegmentBytes)
  ) {
    error('block-map', `The block map has segment sizes ${firstSegmentBytes} and ${segmentBytes}.`);
  }
  if (direct.length === 0 || !bytesEqual(direct[0], entry.handle))
    error('block-map', 'Block 0 of the block map is not the inode itself.');
  if (direct.length > geometry.directBlocks) error('block-map', `The block map has ${direct.length} direct blocks.`);
  if (direct.length < geometry.directBlocks && roots.some((root) => root.some((byte) => byte !== 0)))
    error('block-map', 'Indirect trees are used although direct blocks are free.');
  checkHandle(entry, warning);
  if (directory) checkDirectoryOwner(entry, found, error);
  else checkBackPointers(context, entry, found, error, warning);
}

type Say = (code: string, message: string) => void;

function checkHandle(entry: WalkedEntry, warning: Say): void {
  const { handle } = entry;
  if (isRootId(handle)) return;
  const view = Buffer.from(handle.buffer, handle.byteOffset, handle.byteLength);
  if (handle.length !== HANDLE_BYTES || (view.readUInt32LE(0) & 0x1f) !== 0x11 || view[7] !== 0) {
    warning('handle-form', `The handle ${idHex(handle)} is not of the form that loaders give.`);
    return;
  }
  if (
    !isUsableHandle(handle) ||
    view.readBigUInt64LE(16) === 0n ||
    view.readBigUInt64LE(8) < BigInt(RESERVED_SEQUENCES)
  )
    warning('handle-form', `The handle ${idHex(handle)} is one that loaders do not give.`);
}

function checkDirectoryOwner(entry: WalkedEntry, found: FoundInode, error: Say): void {
  if (found.blob.key.ownerHash !== hash64Hex(entry.parent))
    error('owner', 'The name has another owner than the parent directory.');
  const { name } = found.inode;
  if (entry.path.length > 0 && !bytesEqual(name, entry.name))
    error('name-record', 'The NAME record is not the name of its directory entry.');
}

function checkBackPointers(
  context: FsckContext,
  entry: WalkedEntry,
  found: FoundInode,
  error: Say,
  warning: Say,
): void {
  const { inode, blob } = found;
  const backPointers = inode.backPointers ?? [];
  if (inode.attributes.linkCount !== backPointers.length)
    error('link-count', `The link count is ${inode.attributes.linkCount}, with ${backPointers.length} back pointers.`);
  if (backPointers.length === 0) {
    error('back-pointers', 'The inode has no back pointer.');
    return;
  }
  const { ownerHash } = blob.key;
  // The reference loader, before it is done, writes inodes whose owner is not final.
  if (ownerHash !== hash64Hex(backPointers[0]) && !(context.withoutRoot && ownerHash === NOT_FINAL_HASH))
    error('owner', 'The name has another owner than the first back pointer.');
  // A handle keeps the manager of the directory where it was made, also when the name there is gone.
  if (blob.key.version === FIRST_VERSION && targetManagerOf(backPointers[0]) !== entry.handle[4])
    warning('source-manager', 'The handle has another source manager than the directory of its first back pointer.');
  const named = bytesEqual(inode.name, entry.name);
  const { links } = context;
  const id = found.id;
  if (!links.has(id)) {
    const isUsual = backPointers.length === 1 && bytesEqual(backPointers[0], entry.parent);
    if (isUsual && context.linkedOnce.add(id)) {
      if (!named) warning('name-record', 'The NAME record is not the name of its directory entry.');
      return;
    }
    links.begin({ id, path: entry.path, name: blob.name, backPointers });
    // It was met before: then nothing was taken down.
    if (isUsual) links.refer(id, entry.parent, true);
  }
  links.refer(id, entry.parent, named);
}

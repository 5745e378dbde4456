import type { Attributes } from '../format/attributes.js';
import { fileBlockCount, maximumBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { LONGEST_TARGET_BYTES } from '../format/limits.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { buildInode, buildSegment, layoutInode, SEGMENT_DATA_AT, segmentObjectBytes } from '../format/object-layout.js';
import { packAttributes } from '../format/packed-attributes.js';
import {
  type AsyncSourceDirectory,
  entryFailure,
  type SourceAttributes,
  type SourceDirectory,
  type SourceFile,
} from '../source/source-tree.js';
import type { SourceTurn } from '../source/source-turns.js';
import { isUnchanged } from '../source/unchanged.js';
import { openPatiently, type WorkContext } from './context.js';
import { hasClampedTime, toAttributes } from './file-attributes.js';
import { changedEachTime, checked, type Item, MOST_ATTEMPTS } from './item.js';
import { manifestLines, newHash } from './manifest-lines.js';
import type { ObjectDraft } from './object-writer.js';
import { type ReadFile, readAhead } from './read-ahead.js';
import { asideOf, hasItsName, lookAtSettled } from './settled-looks.js';

/** Objects of an entry, ready to be sent: the inode, and the one further segment that it may have. */
export interface BuiltEntry {
  readonly kind: 'built';
  readonly inode: ObjectDraft;
  readonly segment: { readonly draft: ObjectDraft; readonly name: string } | undefined;
  /** Bytes of file data. */
  readonly bytes: number;
  readonly manifest: readonly string[];
  readonly warnings: readonly string[];
}

/** A file of more segments than are read at once: nothing of it has been built. */
export interface FoundLarge {
  readonly kind: 'large';
  readonly attributes: Uint8Array;
  readonly sizeBytes: number;
  readonly warnings: readonly string[];
}

/**
 * Reads an entry whole and builds its objects; found unchanged by a second look, and only then handed out.
 *
 * @throws ClfsError `entry` when it cannot be read, or changes each time
 */
export async function buildEntry(
  directory: SourceDirectory,
  item: Item,
  context: WorkContext,
): Promise<BuiltEntry | FoundLarge> {
  if (item.type !== ObjectType.regular) return buildSpecial(directory, item, context);
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const built = await readAndBuild(directory, item, context, attempt === 1);
    if (built) return built;
  }
  throw changedEachTime();
}

/** @returns undefined when the file changed, or lost its name, while it was open */
async function readAndBuild(
  directory: SourceDirectory,
  item: Item,
  context: WorkContext,
  isMeasured: boolean,
): Promise<BuiltEntry | FoundLarge | undefined> {
  const { pace } = context;
  pace.waits.blocks(item.sourcePath, item.sourceName);
  let file: SourceFile | undefined;
  try {
    const begunMs = isMeasured && pace.isLooking ? performance.now() : 0;
    const openedMs = context.clock.now();
    const opened = openPatiently(item.sourceName, () => directory.openFile(item.sourceName));
    file = opened instanceof Promise ? await opened : opened;
    let before = checked(file.attributes(), item);
    if (begunMs > 0) pace.took(performance.now() - begunMs);
    const isNamed = hasItsName(context, before, openedMs);
    if (!isNamed) before = await lookLater(file, item, context);
    return await buildRegular(file, before, item, context, isNamed ? undefined : directory);
  } finally {
    file?.close();
    pace.waits.unblocks();
  }
}

/** Looks at a file when it has settled. */
function lookLater(file: SourceFile, item: Item, context: WorkContext): Promise<SourceAttributes> {
  const { waits } = context.pace;
  const aside = { giveUp: () => waits.unblocks(), takeAgain: () => waits.blocks(item.sourcePath, item.sourceName) };
  return lookAtSettled(context, () => checked(file.attributes(), item), aside);
}

/**
 * {@link buildEntry} by calls that leave the lane free.
 *
 * @param turn ended when nothing of the source is waited for any more: what is read is looked at a second time before
 *   anything is built of it
 */
export async function buildEntryAsync(
  directory: AsyncSourceDirectory,
  item: Item,
  context: WorkContext,
  turn: SourceTurn,
): Promise<BuiltEntry | FoundLarge> {
  if (item.type !== ObjectType.regular) return buildSpecial(directory, item, context, turn);
  const { before, file, release } = await readAhead(directory, item, context, turn);
  try {
    const built = await buildRegular(file, before, item, context);
    if (!built) throw new Error('A file that has been read has changed.');
    return built;
  } finally {
    release();
    context.pace.waits.unblocks();
  }
}

/**
 * @param asked where the name must still lead to the file after it was read; undefined: that is known
 * @returns undefined when the file changed, or lost its name, while it was read
 */
async function buildRegular(
  file: ReadFile,
  before: SourceAttributes,
  item: Item,
  context: WorkContext,
  asked?: Pick<SourceDirectory, 'attributesOf'>,
): Promise<BuiltEntry | FoundLarge | undefined> {
  const { geometry } = context.constants;
  const sizeBytes = Number(before.sizeBytes);
  const blocks = fileBlockCount(sizeBytes, geometry);
  if (blocks > maximumBlockCount(geometry) || before.sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw entryFailure(
      'entry-too-large',
      `its ${before.sizeBytes} bytes need more segments than four indirect trees hold`,
    );
  }
  const attributes = toAttributes(before, context.constants, sizeBytes, item.backPointers.length);
  if (blocks > 2)
    return { kind: 'large', attributes: packAttributes(attributes), sizeBytes, warnings: timeWarnings(before) };
  const firstBytes = Math.min(sizeBytes, geometry.firstSegmentBytes);
  const segmentBytes = sizeBytes - firstBytes;
  const segmentId = blocks === 2 ? context.ids.segment(item.sequence, item.generation, 1) : undefined;
  // One byte of room more than the data: reading it tells whether the file has grown.
  const layout = layoutInode(item, segmentId ? [item.handle, segmentId] : [item.handle], firstBytes);
  const { waits } = context.pace;
  waits.unblocks();
  let inode: ObjectDraft | undefined;
  let segment: ObjectDraft | undefined;
  let kept = false;
  try {
    const reserved = context.writer.reserve(layout.sizeBytes + 1);
    inode = reserved instanceof Promise ? await reserved : reserved;
    if (segmentId) segment = await context.writer.reserve(segmentObjectBytes(segmentBytes, item.handle) + 1);
    waits.blocks(item.sourcePath, item.sourceName);
    const buffer = inode.buffer();
    const expectedBytes = segment ? firstBytes : firstBytes + 1;
    // An empty file is read, too: there are file systems that say so of what has bytes.
    const room = buffer.subarray(layout.dataAt, layout.dataAt + expectedBytes);
    if (file.read(room, 0, Math.max(1, firstBytes)) !== firstBytes) return undefined;
    const hash = item.paths && newHash().update(buffer.subarray(layout.dataAt, layout.dataAt + firstBytes));
    inode.seal(buildInode(buffer, layout, item, attributes, firstBytes, geometry));
    if (segment) {
      const target = segment.buffer();
      const further = target.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + segmentBytes + 1);
      if (file.read(further, firstBytes, segmentBytes) !== segmentBytes) return undefined;
      hash?.update(target.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + segmentBytes));
      segment.seal(buildSegment(target, segmentBytes, attributes.ctime.seconds, firstBytes, item.handle));
    }
    if (!file.isUnchanged(before)) return undefined;
    if (asked && !isUnchanged(before, asked.attributesOf(item.sourceName))) return undefined;
    kept = true;
    return {
      kind: 'built',
      inode,
      segment: segment && segmentId && { draft: segment, name: segmentName(segmentId, item.handle) },
      bytes: sizeBytes,
      manifest: linesOf(item, attributes, { handle: item.handle, sha256: hash?.digest('hex') }),
      warnings: timeWarnings(before),
    };
  } finally {
    if (!kept) {
      inode?.drop();
      segment?.drop();
    }
  }
}

/** Symlinks, devices, fifos and sockets. */
async function buildSpecial(
  directory: SourceDirectory | AsyncSourceDirectory,
  item: Item,
  context: WorkContext,
  turn?: SourceTurn,
): Promise<BuiltEntry> {
  const look = async () => checked(await directory.attributesOf(item.sourceName), item);
  const isLink = item.type === ObjectType.symlink;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const before = isLink ? await lookAtSettled(context, look, turn && asideOf(turn)) : await look();
    const target = isLink ? await directory.readLink(item.sourceName) : undefined;
    if (target && !isUnchanged(before, await directory.attributesOf(item.sourceName))) continue;
    turn?.end();
    const attributes = toAttributes(before, context.constants, target?.length ?? 0, item.backPointers.length);
    const layout = layoutInode(item, [item.handle], target?.length);
    const draft = await context.writer.reserve(layout.sizeBytes);
    const buffer = draft.buffer();
    if (target) buffer.set(target, layout.dataAt);
    draft.seal(buildInode(buffer, layout, item, attributes, target?.length, context.constants.geometry));
    const warnings = [...timeWarnings(before)];
    if (target && target.length > LONGEST_TARGET_BYTES) {
      warnings.push(`its symlink target has ${target.length} bytes; the cache reads ${LONGEST_TARGET_BYTES}`);
    }
    const manifest = linesOf(item, attributes, { handle: item.handle, target });
    return { kind: 'built', inode: draft, segment: undefined, bytes: 0, manifest, warnings };
  }
  throw changedEachTime();
}

function linesOf(item: Item, attributes: Attributes, facts: Parameters<typeof manifestLines>[2]): readonly string[] {
  return item.paths ? manifestLines(item.paths, attributes, facts) : NOTHING;
}

function timeWarnings(attributes: SourceAttributes): readonly string[] {
  return hasClampedTime(attributes) ? CLAMPED_TIME : NOTHING;
}

const NOTHING: readonly string[] = [];
const CLAMPED_TIME = ['a time before 1970 or after 2106 was moved to the nearest one that the format has'];

function segmentName(id: Uint8Array, owner: Uint8Array): string {
  return encodeObjectName({ id, type: ObjectType.segment, owner, version: FIRST_VERSION });
}

import type { Attributes } from '../format/attributes.js';
import { fileBlockCount, maximumBlockCount } from '../format/geometry.js';
import { type EntryType, ObjectType } from '../format/ids.js';
import { LONGEST_TARGET_BYTES } from '../format/limits.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import {
  buildInode,
  buildSegment,
  type InodeIdentity,
  layoutInode,
  SEGMENT_DATA_AT,
  segmentObjectBytes,
} from '../format/object-layout.js';
import { packAttributes } from '../format/packed-attributes.js';
import { patiently } from '../posix/descriptors.js';
import {
  type AsyncSourceDirectory,
  type AsyncSourceFile,
  entryFailure,
  type SourceAttributes,
  type SourceDirectory,
  type SourceFile,
} from '../source/source-tree.js';
import { isUnchanged } from '../source/unchanged.js';
import { openPatiently, type WorkContext } from './context.js';
import { hasClampedTime, toAttributes } from './file-attributes.js';
import { manifestLines, newHash } from './manifest-lines.js';
import type { ObjectDraft } from './object-writer.js';
import type { EntryProblem } from './tasks.js';

/** How many times an entry that changes while it is read is tried before it fails. */
export const MOST_ATTEMPTS = 3;

/** An entry to be read, and the names that its objects get. */
export interface Item extends InodeIdentity {
  readonly sequence: number;
  readonly type: EntryType;
  readonly handle: Buffer;
  readonly sourceName: Buffer;
  /** Path of the directory that it is read in. */
  readonly sourcePath: Uint8Array;
  readonly objectName: string;
  readonly generation: number;
  /** Inode that it must be; undefined: any. */
  readonly expectedInode?: bigint;
  /** What all its names were found to lead to, which must not have changed since. */
  readonly confirmed?: SourceAttributes;
  /** For the manifest: all its paths. */
  readonly paths?: readonly Uint8Array[];
}

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
  const { pace } = context;
  pace.gauge.blocks(item.sourcePath, item.sourceName);
  let file: SourceFile | undefined;
  try {
    const begunMs = pace.isLooking ? performance.now() : 0;
    const opened = openPatiently(item.sourceName, () => directory.openFile(item.sourceName));
    file = opened instanceof Promise ? await opened : opened;
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const before = checked(file.attributes(), item);
      if (begunMs > 0 && attempt === 1) pace.took(performance.now() - begunMs);
      const built = await buildRegular(file, before, item, context);
      if (built) return built;
    }
  } finally {
    file?.close();
    pace.gauge.unblocks();
  }
  throw changedEachTime();
}

/**
 * {@link buildEntry} by calls that leave the lane free.
 *
 * What is read is looked at a second time before anything is built of it: from there on nothing is waited for that
 * belongs to the source.
 */
export async function buildEntryAsync(
  directory: AsyncSourceDirectory,
  item: Item,
  context: WorkContext,
): Promise<BuiltEntry | FoundLarge> {
  if (item.type !== ObjectType.regular) return buildSpecial(directory, item, context);
  const file = await patiently(item.sourceName, () => directory.openFile(item.sourceName));
  try {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
      const built = await buildReadAhead(file, checked(await file.attributes(), item), item, context);
      if (built) return built;
    }
  } finally {
    // Until then it has its descriptor.
    await file.close();
  }
  throw changedEachTime();
}

/** @returns undefined when the file changed while it was read */
async function buildReadAhead(
  file: AsyncSourceFile,
  before: SourceAttributes,
  item: Item,
  context: WorkContext,
): Promise<BuiltEntry | FoundLarge | undefined> {
  const { geometry } = context.constants;
  const sizeBytes = Number(before.sizeBytes);
  // Of a larger one nothing is read here.
  if (fileBlockCount(sizeBytes, geometry) > 2) return buildRegular(NOTHING_READ, before, item, context);
  const buffer = await context.readBuffers.acquire(sizeBytes + 1);
  try {
    const count = await file.read(buffer.subarray(0, sizeBytes + 1), 0, sizeBytes);
    if (count !== sizeBytes || !(await file.isUnchanged(before))) return undefined;
    return await buildRegular(alreadyRead(buffer.subarray(0, count)), before, item, context);
  } finally {
    context.readBuffers.release(buffer);
    context.pace.gauge.unblocks();
  }
}

/** A file that has been read whole and found unchanged. */
function alreadyRead(data: Buffer): ReadFile {
  return {
    read: (target, position) => (position >= data.length ? 0 : data.copy(target, 0, position)),
    isUnchanged: () => true,
  };
}

type ReadFile = Pick<SourceFile, 'read' | 'isUnchanged'>;
const NOTHING_READ = alreadyRead(Buffer.alloc(0));

/** The failure of an entry that {@link buildEntry} threw. */
export function entryProblem(reason: EntryProblem['reason'], message: string): EntryProblem {
  return { reason, message, attempts: reason === 'entry-changed' ? MOST_ATTEMPTS : 1 };
}

/** @returns undefined when the file changed while it was read */
async function buildRegular(
  file: ReadFile,
  before: SourceAttributes,
  item: Item,
  context: WorkContext,
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
  const { gauge } = context.pace;
  gauge.unblocks();
  let inode: ObjectDraft | undefined;
  let segment: ObjectDraft | undefined;
  let kept = false;
  try {
    const reserved = context.writer.reserve(layout.sizeBytes + 1);
    inode = reserved instanceof Promise ? await reserved : reserved;
    if (segmentId) segment = await context.writer.reserve(segmentObjectBytes(segmentBytes, item.handle) + 1);
    gauge.blocks(item.sourcePath, item.sourceName);
    const buffer = inode.buffer();
    const expectedBytes = segment ? firstBytes : firstBytes + 1;
    if (file.read(buffer.subarray(layout.dataAt, layout.dataAt + expectedBytes), 0, firstBytes) !== firstBytes)
      return undefined;
    const hash = item.paths && newHash().update(buffer.subarray(layout.dataAt, layout.dataAt + firstBytes));
    inode.seal(buildInode(buffer, layout, item, attributes, firstBytes, geometry));
    if (segment) {
      const target = segment.buffer();
      const room = target.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + segmentBytes + 1);
      if (file.read(room, firstBytes, segmentBytes) !== segmentBytes) return undefined;
      hash?.update(target.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + segmentBytes));
      segment.seal(buildSegment(target, segmentBytes, attributes.ctime.seconds, firstBytes, item.handle));
    }
    if (!file.isUnchanged(before)) return undefined;
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
): Promise<BuiltEntry> {
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const before = checked(await directory.attributesOf(item.sourceName), item);
    const target = item.type === ObjectType.symlink ? await directory.readLink(item.sourceName) : undefined;
    if (target && !isUnchanged(before, await directory.attributesOf(item.sourceName))) continue;
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

/** @throws ClfsError `entry` when it is not what it was listed as */
export function checked(
  attributes: SourceAttributes,
  item: Pick<Item, 'type' | 'expectedInode' | 'confirmed'>,
): SourceAttributes {
  if (attributes.type !== item.type) {
    throw entryFailure('entry-type-changed', 'its type is not the one that it was listed with');
  }
  if (item.expectedInode !== undefined && attributes.inode !== item.expectedInode) {
    throw entryFailure('entry-changed', 'another file has taken its place since it was listed');
  }
  if (item.confirmed && !isUnchanged(item.confirmed, attributes))
    throw entryFailure('entry-changed', 'it changed after its names had been looked at');
  return attributes;
}

function changedEachTime(): Error {
  return entryFailure('entry-changed', `it changed each of the ${MOST_ATTEMPTS} times that it was read`);
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

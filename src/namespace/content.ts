import { ClfsError, isClfsError } from '../error.js';
import { fileBlockCount } from '../format/geometry.js';
import { idHex, ObjectType } from '../format/ids.js';
import type { ContainerReader, FoundInode } from './reader.js';

/** Segments that are fetched ahead of the one that is handed out. */
export const SEGMENTS_AHEAD = 3;

/**
 * Bytes of a regular file from `offset` on, in order, in pieces of at most a segment; only the segments that are needed
 * are fetched.
 *
 * @param length most bytes; undefined for all that follow
 * @param transient whether a piece is done with when the next one is asked for: its memory is used again then
 * @returns pieces; of a file with gaps some of them are `isGap`
 * @throws ClfsError `format`, also when the content is not as long as the inode says; `not-found` when a segment is
 * missing
 */
export async function* readContent(
  reader: ContainerReader,
  found: FoundInode,
  offset = 0,
  length?: number,
  transient = false,
): AsyncGenerator<Buffer> {
  const { firstSegmentBytes, fileSegmentBytes } = reader.geometry;
  const sizeBytes = fileSize(found);
  const end = Math.min(sizeBytes, length === undefined ? sizeBytes : offset + length);
  const held = heldBytes(reader, found, sizeBytes);
  if (offset === 0) reader.countRead(found.storedBytes, Math.min(held.length, end));
  if (offset >= end) return;
  if (offset < held.length) yield held.subarray(offset, end);
  const first = offset < firstSegmentBytes ? 1 : 1 + Math.floor((offset - firstSegmentBytes) / fileSegmentBytes);
  const last = fileBlockCount(end, reader.geometry) - 1;
  const fetched: Promise<Segment>[] = [];
  const fetch = (block: number) => {
    const segment = readOrGap(reader, found, block, sizeBytes);
    segment.catch(() => undefined);
    fetched.push(segment);
  };
  let next = first;
  for (let block = first; block <= last; block++) {
    while (next <= last && next <= block + SEGMENTS_AHEAD) fetch(next++);
    const { data: bytes, compressed, storedBytes } = await (fetched.shift() as Promise<Segment>);
    const start = firstSegmentBytes + (block - 1) * fileSegmentBytes;
    const from = Math.max(0, offset - start);
    const to = Math.min(bytes.length, end - start);
    // Of a segment that two parts of a file share each reads its own.
    if (from < to) reader.countRead((storedBytes * (to - from)) / bytes.length, to - from);
    if (from < to) yield bytes.subarray(from, to);
    if (transient && !isGap(bytes)) reader.giveBack(bytes, compressed);
  }
}

/**
 * The content of a regular file whose inode holds all of it; undefined of a larger one. @throws ClfsError `format` when
 * it is not as long as the inode says
 */
export function wholeContent(reader: ContainerReader, found: FoundInode): Buffer | undefined {
  const sizeBytes = fileSize(found);
  if (sizeBytes > reader.geometry.firstSegmentBytes) return undefined;
  const held = heldBytes(reader, found, sizeBytes);
  reader.countRead(found.storedBytes, sizeBytes);
  return held;
}

/** Target of a symlink. @throws ClfsError `format` when it cannot be one */
export function linkTarget({ inode, blob }: FoundInode): Buffer {
  const { data } = inode;
  if (!data || data.length === 0 || data.includes(0))
    throw new ClfsError('format', `${blob.name} is a symlink with a target that cannot be one.`);
  return data;
}

/** The first bytes of a file, which its inode holds. @throws ClfsError `format` */
function heldBytes({ geometry }: ContainerReader, found: FoundInode, sizeBytes: number): Buffer {
  const { attributes, data } = found.inode;
  if (attributes.type !== ObjectType.regular || !data)
    throw new ClfsError('format', `${found.blob.name} is not a regular file.`);
  const firstBytes = Math.min(sizeBytes, geometry.firstSegmentBytes);
  if (data.length !== firstBytes && !found.hasGaps)
    throw new ClfsError(
      'format',
      `${found.blob.name} holds ${data.length} bytes of data where its length of ${sizeBytes} calls for ${firstBytes}.`,
    );
  return wholeFirst(data, firstBytes);
}

/** Whether a piece of content stands for bytes that are missing: they are zeros, which need not be written. */
export function isGap(piece: Buffer): boolean {
  return piece.buffer === gap.buffer;
}

/** Length of a file as a number. @throws ClfsError `format` when no file of this format can be so long */
export function fileSize(found: FoundInode): number {
  const { lengthBytes } = found.inode.attributes;
  if (lengthBytes > BigInt(Number.MAX_SAFE_INTEGER))
    throw new ClfsError('format', `${found.blob.name} says that it has ${lengthBytes} bytes.`);
  return Number(lengthBytes);
}

/**
 * Requires that the container has the segments which the length of a file calls for, each of them once, without reading
 * them.
 *
 * To be asked before much is done for a length that only the inode claims. A file that is to be read with gaps has passed.
 *
 * @throws ClfsError `format` when the block map has not as many, or one twice; `not-found` when one is not there
 */
export async function requireSegments(reader: ContainerReader, found: FoundInode): Promise<void> {
  if (found.hasGaps) return;
  const wanted = fileBlockCount(fileSize(found), reader.geometry) - 1;
  const met = new Set<string>();
  for await (const { block, id } of reader.blocks(found)) {
    if (block > wanted) break;
    await reader.pause();
    if (!(await reader.finder.find(id)))
      throw new ClfsError('not-found', `The segment ${idHex(id)} is not in the container.`);
    met.add(Buffer.from(id).toString('latin1'));
    if (met.size < block)
      throw new ClfsError('format', `The block map of ${found.blob.name} names the segment ${idHex(id)} twice.`);
  }
  if (met.size < wanted)
    throw new ClfsError(
      'format',
      `${found.blob.name} says that it has ${fileSize(found)} bytes, in ${wanted} segments; its block map has ${met.size}.`,
    );
}

/** Data of a segment. */
interface Segment {
  readonly data: Buffer;
  readonly compressed: boolean;
  /** 0 of a gap. */
  readonly storedBytes: number;
}

/** Zeros in place of any segment. */
let gap: Buffer = Buffer.alloc(0);

async function readOrGap(
  reader: ContainerReader,
  found: FoundInode,
  block: number,
  sizeBytes: number,
): Promise<Segment> {
  try {
    return await readSegment(reader, found, block, sizeBytes);
  } catch (error) {
    if (!found.hasGaps || !isClfsError(error, 'format', 'not-found')) throw error;
    const { firstSegmentBytes, fileSegmentBytes } = reader.geometry;
    if (gap.length < fileSegmentBytes) gap = Buffer.alloc(fileSegmentBytes);
    const bytes = Math.min(fileSegmentBytes, sizeBytes - firstSegmentBytes - (block - 1) * fileSegmentBytes);
    return { data: gap.subarray(0, bytes), compressed: false, storedBytes: 0 };
  }
}

/** What the inode holds, filled up with zeros where it is too short. */
function wholeFirst(data: Buffer, firstBytes: number): Buffer {
  return data.length >= firstBytes ? data.subarray(0, firstBytes) : Buffer.concat([data], firstBytes);
}

async function readSegment(
  reader: ContainerReader,
  found: FoundInode,
  block: number,
  sizeBytes: number,
): Promise<Segment> {
  const { firstSegmentBytes, fileSegmentBytes } = reader.geometry;
  const { segment, compressed, storedBytes } = await reader.segment(await reader.blockId(found, block), found.id);
  const start = firstSegmentBytes + (block - 1) * fileSegmentBytes;
  const wanted = Math.min(fileSegmentBytes, sizeBytes - start);
  if (segment.kind !== 'file')
    throw new ClfsError('format', `Block ${block} of ${found.blob.name} is a directory's segment.`);
  if (segment.data.length !== wanted)
    throw new ClfsError(
      'format',
      `Block ${block} of ${found.blob.name} has ${segment.data.length} bytes in place of ${wanted}.`,
    );
  if (segment.owner.offset !== BigInt(start))
    throw new ClfsError(
      'format',
      `Block ${block} of ${found.blob.name} says that it begins at ${segment.owner.offset}, not at ${start}.`,
    );
  return { data: segment.data, compressed, storedBytes };
}

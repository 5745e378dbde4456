import { ClfsError } from '../error.js';

/** Bytes of the envelope before the body. Source: docs/format.md 4 */
export const ENVELOPE_BYTES = 4;
/** Uncompressed bytes of each LZ4 block but the last. */
const LZ4_BLOCK_BYTES = 262144;
/** Bytes before the first LZ4 block: envelope and frame header. */
const FRAME_START_BYTES = ENVELOPE_BYTES + 7;
const FRAME_HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x50, 0x77]);
const STORED_BIT = 0x80000000;
const FRAME_MAGIC = 0x184d2204;

/** The LZ4 block functions that the codec needs; `lz4/` implements them. */
export interface Lz4 {
  /** Library and version: another one may build other bytes. */
  readonly name: string;
  /** Begins a frame: what was compressed before is no dictionary any more. */
  startFrame(): void;
  /**
   * Compresses `source` (with what `compressBlock` was given since `startFrame` as dictionary, where the implementation
   * can) into `target`.
   *
   * @returns compressed bytes; 0 when they do not fit
   */
  compressBlock(source: Buffer, target: Buffer): number;
  /**
   * Decompresses the block `source` into `target` from `at`, at most to `end`; up to 64 KiB before `at` are its
   * dictionary.
   *
   * @returns bytes written; negative when the block is malformed or does not fit
   */
  decompressBlock(source: Buffer, target: Buffer, at: number, end: number): number;
  /** xxHash32 with seed 0. */
  checksum(bytes: Buffer): number;
}

/** Puts the envelope of an uncompressed object before a body that stands at `at + ENVELOPE_BYTES`. */
export function writePlainEnvelope(target: Buffer, at = 0): void {
  target.writeUInt32LE(0, at);
}

/**
 * Compresses `object` (plain envelope and body) into `target` as envelope and frame.
 *
 * @param target at least as long as `object`
 * @returns length of the compressed object; 0 when it must be stored uncompressed: a block would be stored, or it would
 * be longer Source: docs/format.md 4
 */
export function compressObject(object: Buffer, target: Buffer, lz4: Lz4): number {
  const limit = Math.min(object.length, target.length) - 4;
  if (limit < FRAME_START_BYTES) return 0;
  target.writeUInt32LE(0x00010000, 0);
  target.set(FRAME_HEADER, ENVELOPE_BYTES);
  let at = FRAME_START_BYTES;
  lz4.startFrame();
  for (let start = ENVELOPE_BYTES; start < object.length; start += LZ4_BLOCK_BYTES) {
    const block = object.subarray(start, Math.min(start + LZ4_BLOCK_BYTES, object.length));
    const room = Math.min(block.length - 1, limit - at - 4);
    if (room <= 0) return 0;
    const written = lz4.compressBlock(block, target.subarray(at + 4, at + 4 + room));
    if (written <= 0) return 0;
    target.writeUInt32LE(written, at);
    at += 4 + written;
  }
  target.writeUInt32LE(0, at);
  return at + 4;
}

/** What the first bytes of a blob say. */
interface Envelope {
  /** 0: not encrypted. */
  readonly encryption: number;
  /** 0: none, 1: LZ4. */
  readonly compression: number;
}

/** @throws ClfsError `format` when there is no room for an envelope */
function decodeEnvelope(blob: Uint8Array): Envelope {
  if (blob.length < ENVELOPE_BYTES)
    throw new ClfsError('format', `An object has ${blob.length} bytes: too short for its envelope.`);
  return { encryption: blob[0] | (blob[1] << 8), compression: blob[2] | (blob[3] << 8) };
}

/** What {@link decodeObject} found. */
export interface DecodedObject {
  readonly body: Buffer;
  readonly compressed: boolean;
  /** Whether a block of the frame is stored: readable here, not by the cache. */
  readonly storedBlocks: boolean;
}

/**
 * Takes the body out of a blob.
 *
 * @param limitBytes most bytes that the body may have; checked before anything of that size is allocated
 * @param room gives the memory of a large body
 * @throws ClfsError `format` when the object is encrypted, of an unknown compression, not a valid LZ4 frame, or larger
 * than the limit
 */
export function decodeObject(
  blob: Uint8Array,
  limitBytes: number,
  lz4: Lz4,
  room: (bytes: number) => Buffer = Buffer.allocUnsafe,
): DecodedObject {
  const { encryption, compression } = decodeEnvelope(blob);
  if (encryption !== 0) throw new ClfsError('format', `The object is encrypted (method ${encryption}).`);
  const rest = Buffer.from(blob.buffer, blob.byteOffset + ENVELOPE_BYTES, blob.byteLength - ENVELOPE_BYTES);
  if (compression === 0) {
    if (rest.length > limitBytes)
      throw new ClfsError('format', `The object holds ${rest.length} bytes, over the limit of ${limitBytes}.`);
    return { body: rest, compressed: false, storedBlocks: false };
  }
  if (compression !== 1) throw new ClfsError('format', `The object has the unknown compression ${compression}.`);
  return decodeFrame(rest, limitBytes, lz4, room);
}

/**
 * The bound of a small object is often a hundred times what it holds: to allocate it for each would keep the garbage
 * collector busy. It is expanded here, and what there is of it is copied.
 */
const SCRATCH_BYTES = 4 * 1048576;
let scratch = Buffer.alloc(0);

function scratchOf(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.from(new ArrayBuffer(Math.min(SCRATCH_BYTES, 2 * bytes)));
  return scratch.subarray(0, bytes);
}

function decodeFrame(frame: Buffer, limitBytes: number, lz4: Lz4, room: (bytes: number) => Buffer): DecodedObject {
  const header = decodeFrameHeader(frame, lz4);
  const blocks = frameBlocks(frame, header, lz4);
  // Each block expands to one block size at most, and LZ4 itself to 255 bytes a byte: whatever is allocated is bounded
  // by what is there.
  let bound = 0;
  for (const block of blocks)
    bound += block.stored ? block.bytes.length : Math.min(header.blockBytes, block.bytes.length * 255 + 64);
  if (header.contentBytes !== undefined && header.contentBytes > BigInt(limitBytes)) tooLarge(limitBytes);
  const most = Math.min(bound, limitBytes);
  const isSmall = most <= SCRATCH_BYTES;
  const output = isSmall ? scratchOf(most) : room(most);
  let at = 0;
  let storedBlocks = false;
  for (const block of blocks) {
    if (block.stored) {
      storedBlocks = true;
      if (block.bytes.length > output.length - at) tooLarge(limitBytes);
      output.set(block.bytes, at);
      at += block.bytes.length;
    } else {
      const end = Math.min(output.length, at + header.blockBytes);
      const written = header.independent
        ? lz4.decompressBlock(block.bytes, output.subarray(at, end), 0, end - at)
        : lz4.decompressBlock(block.bytes, output, at, end);
      if (written < 0)
        throw new ClfsError(
          'format',
          `Block at offset ${block.offset} of the LZ4 frame is malformed or expands beyond its bound.`,
        );
      at += written;
    }
  }
  if (header.contentBytes !== undefined && header.contentBytes !== BigInt(at))
    throw new ClfsError('format', 'The LZ4 frame does not hold as many bytes as it says.');
  const body = isSmall ? Buffer.from(output.subarray(0, at)) : output.subarray(0, at);
  if (header.contentChecksum && frame.readUInt32LE(frame.length - 4) !== lz4.checksum(body))
    throw new ClfsError('format', 'The content checksum of the LZ4 frame is wrong.');
  return { body, compressed: true, storedBlocks };
}

interface FrameHeader {
  readonly bytes: number;
  readonly blockBytes: number;
  readonly independent: boolean;
  readonly blockChecksum: boolean;
  readonly contentChecksum: boolean;
  readonly contentBytes: bigint | undefined;
}

function decodeFrameHeader(frame: Buffer, lz4: Lz4): FrameHeader {
  if (frame.length < 7 || frame.readUInt32LE(0) !== FRAME_MAGIC)
    throw new ClfsError('format', 'The object has no LZ4 frame.');
  const flags = frame[4];
  const blockSize = (frame[5] >> 4) & 7;
  if (flags >> 6 !== 1 || (flags & 2) !== 0)
    throw new ClfsError('format', `The LZ4 frame has flags ${flags.toString(16)} that are not version 1.`);
  if ((flags & 1) !== 0) throw new ClfsError('format', 'The LZ4 frame needs a dictionary.');
  if (blockSize < 4 || (frame[5] & 0x8f) !== 0)
    throw new ClfsError('format', 'The LZ4 frame has an unknown block size.');
  const hasSize = (flags & 8) !== 0;
  const bytes = hasSize ? 15 : 7;
  if (frame.length < bytes) throw new ClfsError('format', 'The LZ4 frame ends in its header.');
  if (((lz4.checksum(frame.subarray(4, bytes - 1)) >>> 8) & 0xff) !== frame[bytes - 1])
    throw new ClfsError('format', 'The header checksum of the LZ4 frame is wrong.');
  return {
    bytes,
    blockBytes: 1 << (8 + 2 * blockSize),
    independent: (flags & 0x20) !== 0,
    blockChecksum: (flags & 0x10) !== 0,
    contentChecksum: (flags & 4) !== 0,
    contentBytes: hasSize ? frame.readBigUInt64LE(6) : undefined,
  };
}

interface FrameBlock {
  readonly offset: number;
  readonly stored: boolean;
  readonly bytes: Buffer;
}

function frameBlocks(frame: Buffer, header: FrameHeader, lz4: Lz4): readonly FrameBlock[] {
  const blocks: FrameBlock[] = [];
  let at = header.bytes;
  for (;;) {
    if (at + 4 > frame.length) throw new ClfsError('format', 'The LZ4 frame ends without an end mark.');
    const word = frame.readUInt32LE(at);
    at += 4;
    if (word === 0) break;
    const length = (word & ~STORED_BIT) >>> 0;
    if (length > header.blockBytes || at + length + (header.blockChecksum ? 4 : 0) > frame.length) {
      throw new ClfsError(
        'format',
        `Block at offset ${at} of the LZ4 frame is longer than the frame or its block size.`,
      );
    }
    const bytes = frame.subarray(at, at + length);
    blocks.push({ offset: at, stored: word >= STORED_BIT, bytes });
    at += length;
    if (header.blockChecksum) {
      if (lz4.checksum(bytes) !== frame.readUInt32LE(at))
        throw new ClfsError('format', `Block at offset ${at} of the LZ4 frame has a wrong checksum.`);
      at += 4;
    }
  }
  if (frame.length !== at + (header.contentChecksum ? 4 : 0))
    throw new ClfsError('format', 'Bytes follow the LZ4 frame, or its checksum is missing.');
  return blocks;
}

function tooLarge(limitBytes: number): never {
  throw new ClfsError('format', `The object expands beyond ${limitBytes} bytes.`);
}

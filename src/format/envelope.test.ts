import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../test/support/samples.js';
import { openLz4 } from '../lz4/lz4.js';
import { openNapiLz4 } from '../lz4/napi-lz4.js';
import { compressObject, decodeObject, type Lz4, writePlainEnvelope } from './envelope.js';

const lz4 = openLz4();
const LIMIT_BYTES = 1 << 20;
const COMPRESSED = Buffer.from([0, 0, 1, 0]);
const PLAIN = Buffer.alloc(4);
/** Bytes in which nothing is there twice. */
const UNIQUE = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
const text = (length: number, unit = 'some text that compresses; ') => Buffer.alloc(length, unit);
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0, 0);
  return bytes;
};

interface FrameSpec {
  readonly magic?: number;
  /** Beside those that `independent`, `contentBytes` and the checksums set. */
  readonly flags?: number;
  readonly version?: number;
  /** 4: 64 KiB … 7: 4 MiB. */
  readonly blockSize?: number;
  readonly descriptor?: number;
  readonly independent?: boolean;
  readonly contentBytes?: bigint;
  readonly headerChecksum?: number;
  readonly blocks?: readonly Buffer[];
  /** How a block is put: compressed, as it is, or as these bytes with this length word. */
  readonly put?: 'stored' | { readonly word: number; readonly bytes: Buffer };
  readonly blockChecksum?: 'right' | 'wrong';
  readonly contentChecksum?: 'right' | 'wrong';
  readonly end?: Buffer;
}

/** An object with an LZ4 frame. Source: the LZ4 frame format. */
function framed(spec: FrameSpec): Buffer {
  const flags =
    ((spec.version ?? 1) << 6) |
    (spec.independent ? 0x20 : 0) |
    (spec.blockChecksum ? 0x10 : 0) |
    (spec.contentBytes === undefined ? 0 : 8) |
    (spec.contentChecksum ? 4 : 0) |
    (spec.flags ?? 0);
  const size = Buffer.alloc(spec.contentBytes === undefined ? 0 : 8);
  if (spec.contentBytes !== undefined) size.writeBigUInt64LE(spec.contentBytes);
  const head = Buffer.concat([Buffer.from([flags, spec.descriptor ?? (spec.blockSize ?? 5) << 4]), size]);
  const checksum = spec.headerChecksum ?? (lz4.checksum(head) >>> 8) & 0xff;
  const parts: Buffer[] = [COMPRESSED, u32(spec.magic ?? 0x184d2204), head, Buffer.from([checksum])];
  lz4.startFrame();
  for (const block of spec.blocks ?? []) {
    if (spec.independent) lz4.startFrame();
    const bytes = typeof spec.put === 'object' ? spec.put.bytes : spec.put === 'stored' ? block : compressed(block);
    const word =
      typeof spec.put === 'object' ? spec.put.word : spec.put === 'stored' ? bytes.length | 0x80000000 : bytes.length;
    parts.push(u32(word), bytes);
    if (spec.blockChecksum) parts.push(u32(lz4.checksum(bytes) ^ (spec.blockChecksum === 'right' ? 0 : 1)));
  }
  parts.push(spec.end ?? u32(0));
  const all = Buffer.concat(spec.blocks ?? []);
  if (spec.contentChecksum) parts.push(u32(lz4.checksum(all) ^ (spec.contentChecksum === 'right' ? 0 : 1)));
  return Buffer.concat(parts);
}

function compressed(block: Buffer): Buffer {
  const target = Buffer.alloc(block.length + 1000);
  return target.subarray(0, lz4.compressBlock(block, target));
}

const expectBody = (blob: Buffer, body: Buffer, limitBytes = LIMIT_BYTES, with4 = lz4) => {
  const decoded = decodeObject(blob, limitBytes, with4);
  expect(decoded.body.equals(body)).toBe(true);
  return decoded;
};

describe('an object that is not compressed', () => {
  it('is its body behind four zeros', () => {
    const blob = Buffer.from('xx1234body');
    writePlainEnvelope(blob, 2);
    expect(blob.toString('latin1')).toBe('xx\0\0\0\0body');
    expect(decodeObject(blob.subarray(2), 4, lz4)).toEqual({
      body: Buffer.from('body'),
      compressed: false,
      storedBlocks: false,
    });
  });

  it.each<[string, Buffer, string]>([
    ['no byte', Buffer.alloc(0), 'An object has 0 bytes: too short for its envelope.'],
    ['three bytes', Buffer.alloc(3), 'An object has 3 bytes: too short for its envelope.'],
    [
      'a body over the limit',
      Buffer.alloc(4 + LIMIT_BYTES + 1),
      `The object holds ${LIMIT_BYTES + 1} bytes, over the limit of ${LIMIT_BYTES}.`,
    ],
    ['encryption', Buffer.from([1, 2, 0, 0, 9]), 'The object is encrypted (method 513).'],
    ['another compression', Buffer.from([0, 0, 2, 1, 9]), 'The object has the unknown compression 258.'],
  ])('is refused for %s', (_, blob, message) => {
    expect(refusal(() => decodeObject(blob, LIMIT_BYTES, lz4))).toBe(`format: ${message}`);
  });
});

describe('a compressed object', () => {
  it.each<[string, FrameSpec]>([
    ['nothing', { blocks: [] }],
    ['one block', { blocks: [text(300)] }],
    [
      'blocks of which each is the dictionary of the next',
      { blocks: [text(65536), text(65536), text(70)], blockSize: 4 },
    ],
    ['blocks that are independent', { blocks: [text(65536), text(65536), text(70)], blockSize: 4, independent: true }],
    ['its length', { blocks: [text(300)], contentBytes: 300n }],
    ['checksums of its blocks', { blocks: [text(300), text(400)], blockChecksum: 'right' }],
    ['a checksum of its content', { blocks: [text(300), text(400)], contentChecksum: 'right' }],
    [
      'everything at once',
      {
        blocks: [text(300), text(9)],
        contentBytes: 309n,
        independent: true,
        blockChecksum: 'right',
        contentChecksum: 'right',
      },
    ],
  ])('may have %s', (_, spec) => {
    const body = Buffer.concat(spec.blocks ?? []);
    for (const each of [lz4, openNapiLz4()])
      expect(expectBody(framed(spec), body, LIMIT_BYTES, each)).toMatchObject({
        compressed: true,
        storedBlocks: false,
      });
  });

  it('may have blocks of nothing', () => {
    const empty = { blocks: [Buffer.alloc(0)] };
    expectBody(framed({ ...empty, put: { word: 1, bytes: Buffer.alloc(1) } }), Buffer.alloc(0));
    const stored = framed({ ...empty, put: { word: 0x80000000, bytes: Buffer.alloc(0) } });
    expect(expectBody(stored, Buffer.alloc(0)).storedBlocks).toBe(true);
  });

  it('may have stored blocks, of which it is told', () => {
    expect(expectBody(framed({ blocks: [text(300)], put: 'stored' }), text(300)).storedBlocks).toBe(true);
  });

  it('may be longer than what is kept to expand small ones', () => {
    const body = text(5 << 20);
    expectBody(framed({ blocks: [body.subarray(0, 4 << 20), body.subarray(4 << 20)], blockSize: 7 }), body, 6 << 20);
  });

  it('may be as long as the limit, and no longer', () => {
    expectBody(framed({ blocks: [text(300)] }), text(300), 300);
    expectBody(framed({ blocks: [text(300)], put: 'stored' }), text(300), 300);
    expectBody(framed({ blocks: [text(300)], contentBytes: 300n }), text(300), 300);
    const tooLong = 'format: The object expands beyond 299 bytes.';
    const two = framed({ blocks: [text(200), text(100)], put: 'stored' });
    expect(refusal(() => decodeObject(two, 299, lz4))).toBe(tooLong);
    expect(refusal(() => decodeObject(framed({ blocks: [text(300)], put: 'stored' }), 299, lz4))).toBe(tooLong);
    expect(refusal(() => decodeObject(framed({ blocks: [text(300)], contentBytes: 300n }), 299, lz4))).toBe(tooLong);
    expect(refusal(() => decodeObject(framed({ blocks: [text(300)] }), 299, lz4))).toMatch(/expands beyond its bound/);
  });

  it('does not keep what it gave while others are expanded', () => {
    const [first, second] = [text(300, 'a'), text(300, 'b')].map((block) => framed({ blocks: [block] }));
    const { body } = decodeObject(first, LIMIT_BYTES, lz4);
    decodeObject(second, LIMIT_BYTES, lz4);
    expect(body).toEqual(text(300, 'a'));
  });

  const whole = framed({ blocks: [text(300)] });
  const first = (() => {
    lz4.startFrame();
    return compressed(UNIQUE);
  })();
  const ofBlocks = framed({ blocks: [text(300)], contentBytes: 300n });
  it.each<[string, Buffer, string]>([
    ['a frame of 6 bytes', whole.subarray(0, 10), 'The object has no LZ4 frame.'],
    ['another magic', framed({ magic: 0x184d2205 }), 'The object has no LZ4 frame.'],
    ['version 0', framed({ version: 0 }), 'The LZ4 frame has flags 0 that are not version 1.'],
    ['version 2', framed({ version: 2 }), 'The LZ4 frame has flags 80 that are not version 1.'],
    ['version 3', framed({ version: 3 }), 'The LZ4 frame has flags c0 that are not version 1.'],
    ['a reserved flag', framed({ flags: 2 }), 'The LZ4 frame has flags 42 that are not version 1.'],
    ['a dictionary', framed({ flags: 1 }), 'The LZ4 frame needs a dictionary.'],
    ['blocks of 16 KiB', framed({ blockSize: 3 }), 'The LZ4 frame has an unknown block size.'],
    ['reserved bits behind the block size', framed({ descriptor: 0x51 }), 'The LZ4 frame has an unknown block size.'],
    ['a reserved bit before the block size', framed({ descriptor: 0xd0 }), 'The LZ4 frame has an unknown block size.'],
    ['a header that is cut', ofBlocks.subarray(0, 4 + 14), 'The LZ4 frame ends in its header.'],
    ['another header checksum', framed({ headerChecksum: 0x78 }), 'The header checksum of the LZ4 frame is wrong.'],
    ['no end mark', whole.subarray(0, -1), 'The LZ4 frame ends without an end mark.'],
    [
      'a byte behind it',
      Buffer.concat([whole, Buffer.alloc(1)]),
      'Bytes follow the LZ4 frame, or its checksum is missing.',
    ],
    [
      'no content checksum',
      framed({ blocks: [text(9)], contentChecksum: 'right' }).subarray(0, -4),
      'Bytes follow the LZ4 frame, or its checksum is missing.',
    ],
    ['its header alone', whole.subarray(0, 4 + 7), 'The LZ4 frame ends without an end mark.'],
    ['its header with a length alone', ofBlocks.subarray(0, 4 + 15), 'The LZ4 frame ends without an end mark.'],
    ['nothing behind a block', whole.subarray(0, -4), 'The LZ4 frame ends without an end mark.'],
    [
      'a block that needs one before it, where they are independent',
      framed({ blocks: [UNIQUE, UNIQUE], flags: 0x20 }),
      `Block at offset ${15 + first.length} of the LZ4 frame is malformed or expands beyond its bound.`,
    ],
    [
      'a block that ends behind it',
      framed({ blocks: [text(9)], put: { word: 14, bytes: text(9) } }),
      'Block at offset 11 of the LZ4 frame is longer than the frame or its block size.',
    ],
    [
      'a block over the block size',
      framed({ blocks: [text(65537)], put: 'stored', blockSize: 4 }),
      'Block at offset 11 of the LZ4 frame is longer than the frame or its block size.',
    ],
    [
      'no room for a block checksum',
      framed({ blocks: [text(9)], put: 'stored', blockChecksum: 'right', end: Buffer.alloc(0) }).subarray(0, -1),
      'Block at offset 11 of the LZ4 frame is longer than the frame or its block size.',
    ],
    [
      'another block checksum',
      framed({ blocks: [text(9)], put: 'stored', blockChecksum: 'wrong' }),
      'Block at offset 20 of the LZ4 frame has a wrong checksum.',
    ],
    [
      'another content checksum',
      framed({ blocks: [text(9)], contentChecksum: 'wrong' }),
      'The content checksum of the LZ4 frame is wrong.',
    ],
    [
      'more bytes than it says',
      framed({ blocks: [text(9)], contentBytes: 8n }),
      'The LZ4 frame does not hold as many bytes as it says.',
    ],
    [
      'fewer bytes than it says',
      framed({ blocks: [text(9)], contentBytes: 10n }),
      'The LZ4 frame does not hold as many bytes as it says.',
    ],
    [
      'a block that is no LZ4',
      framed({ blocks: [text(9)], put: { word: 9, bytes: Buffer.alloc(9, 0xff) } }),
      'Block at offset 11 of the LZ4 frame is malformed or expands beyond its bound.',
    ],
    [
      'a block that expands over the block size',
      framed({ blocks: [text(65537)], blockSize: 4 }),
      'Block at offset 11 of the LZ4 frame is malformed or expands beyond its bound.',
    ],
    [
      'the same, of independent blocks',
      framed({ blocks: [text(65537)], blockSize: 4, independent: true }),
      'Block at offset 11 of the LZ4 frame is malformed or expands beyond its bound.',
    ],
  ])('is refused for %s', (_, blob, message) => {
    expect(refusal(() => decodeObject(blob, LIMIT_BYTES, lz4))).toBe(`format: ${message}`);
  });

  it('may have blocks as long as its block size', () => {
    const body = text(65536);
    expectBody(framed({ blocks: [body], put: 'stored', blockSize: 4 }), body);
    expectBody(framed({ blocks: [body], blockSize: 4 }), body);
  });
});

describe('compression', () => {
  /** Blocks that compress to so many bytes. */
  const compressesTo = (bytes: number): Lz4 & { readonly blocks: number[]; starts: number } => ({
    ...lz4,
    blocks: [],
    starts: 0,
    startFrame() {
      this.starts++;
    },
    compressBlock(source, target) {
      this.blocks.push(source.length);
      return bytes <= target.length ? bytes : 0;
    },
  });
  const object = (bodyBytes: number) => Buffer.concat([PLAIN, text(bodyBytes)]);

  it('makes an envelope, a frame header, blocks of 256 KiB and an end mark', () => {
    const each = compressesTo(5);
    const target = Buffer.alloc(600_004, 0xee);
    expect(compressObject(object(600_000), target, each)).toBe(4 + 7 + 3 * 9 + 4);
    expect(each).toMatchObject({ blocks: [262_144, 262_144, 75_712], starts: 1 });
    expect(target.subarray(0, 15).toString('hex')).toBe('0000010004224d1840507705000000');
    expect(target.subarray(38, 42)).toEqual(Buffer.alloc(4));
  });

  it('makes whole blocks of a body of these', () => {
    const each = compressesTo(5);
    expect(compressObject(object(524_288), Buffer.alloc(524_292), each)).toBe(4 + 7 + 2 * 9 + 4);
    expect(each.blocks).toEqual([262_144, 262_144]);
  });

  it('is left out where it makes nothing shorter', () => {
    // 19 bytes are the frame's own.
    const target = Buffer.alloc(200);
    expect(compressObject(object(100), target, compressesTo(85))).toBe(104);
    expect(compressObject(object(100), target, compressesTo(86))).toBe(0);
    expect(compressObject(object(100), Buffer.alloc(103), compressesTo(85))).toBe(0);
    expect(compressObject(object(100), Buffer.alloc(103), compressesTo(84))).toBe(103);
    expect(compressObject(object(10), target, compressesTo(1))).toBe(0);
    expect(compressObject(object(11), target, compressesTo(1))).toBe(0);
    expect(compressObject(object(16), target, compressesTo(1))).toBe(20);
    expect(compressObject(object(0), target, compressesTo(1))).toBe(0);
  });

  it('is left out where a block would not become shorter, though the object does', () => {
    const bytes = [10, 262_144];
    const each: Lz4 = {
      ...lz4,
      compressBlock: (_source, target) => {
        const next = bytes.shift() as number;
        return next <= target.length ? next : 0;
      },
    };
    expect(compressObject(object(524_288), Buffer.alloc(524_292), each)).toBe(0);
    expect(bytes).toEqual([]);
  });

  it('comes back', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(3000), (unit, times) => {
        const whole = Buffer.concat([PLAIN, ...new Array<Uint8Array>(times).fill(unit)]);
        const target = Buffer.alloc(whole.length);
        const length = compressObject(whole, target, lz4);
        const { body, compressed: isCompressed } = decodeObject(
          length === 0 ? whole : target.subarray(0, length),
          whole.length,
          lz4,
        );
        expect(body.equals(whole.subarray(4))).toBe(true);
        expect(isCompressed).toBe(length > 0);
        expect(length).toBeLessThanOrEqual(whole.length);
      }),
      { numRuns: 60 },
    ));
});

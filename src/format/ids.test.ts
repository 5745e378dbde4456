import { describe, expect, it } from 'vitest';
import { refusal, sampleHandle } from '../../test/support/samples.js';
import {
  BUCKET_ID,
  bytesEqual,
  decodeFileHandle,
  encodeFileHandle,
  hintedType,
  idHex,
  isNullId,
  isRootId,
  isUsableHandle,
  NOT_FINAL_OWNER,
  NULL_BLOCK_ID,
  ROOT_ID,
  stampUuid,
  targetManagerOf,
  uuidText,
} from './ids.js';

const TYPES = [1, 2, 3, 4, 5, 6, 7] as const;

function withByte(at: number, value: number): Buffer {
  const handle = sampleHandle(2000);
  handle[at] = value;
  return handle;
}

describe('a file handle', () => {
  it('has this layout', () => {
    const handle = encodeFileHandle({
      containerId: 0xf5010203,
      sourceManager: 3,
      targetManager: 4,
      type: 5,
      sequence: 0xf102030405060708n,
      random: 0xf112131415161718n,
    });
    expect(handle.toString('hex')).toBe(`${'714020a0'}030403${'00'}${'08070605040302f1'}${'18171615141312f1'}`);
    expect(decodeFileHandle(handle)).toEqual({
      containerId: 0x05010203,
      sourceManager: 3,
      targetManager: 4,
      type: 5,
      sequence: 0xf102030405060708n,
      random: 0xf112131415161718n,
    });
  });

  it('has a type in byte 6, numbered in another way than in names', () => {
    expect(TYPES.map((type) => sampleHandle(2000, type)[6])).toEqual([2, 1, 4, 5, 3, 6, 7]);
    for (const type of TYPES) {
      expect(decodeFileHandle(sampleHandle(2000, type)).type).toBe(type);
      expect(hintedType(sampleHandle(2000, type))).toBe(type);
    }
  });

  it('of another form is refused', () => {
    expect(refusal(() => decodeFileHandle(sampleHandle(2000).subarray(1)))).toBe(
      'format: A file handle has 24 bytes, not 23.',
    );
    expect(refusal(() => decodeFileHandle(Buffer.alloc(25)))).toBe('format: A file handle has 24 bytes, not 25.');
    for (const other of [withByte(0, 0x10), withByte(0, 0x13), withByte(6, 0), withByte(6, 8), withByte(7, 1)])
      expect(refusal(() => decodeFileHandle(other))).toBe(`format: Not a file handle: ${other.toString('hex')}.`);
  });

  it('tells the directory manager of its entry; the id of the root has none', () => {
    expect(targetManagerOf(sampleHandle(2000))).toBe(4);
    expect(targetManagerOf(ROOT_ID)).toBe(0);
    expect(targetManagerOf(Buffer.alloc(16, 2))).toBe(0);
  });

  it('may not be used where its hash is 0', () => {
    expect(isUsableHandle(sampleHandle(2000))).toBe(true);
    expect(isUsableHandle(Buffer.alloc(24))).toBe(false);
  });
});

describe('an id', () => {
  it('hints at a type where it is a handle, or the root', () => {
    expect(hintedType(ROOT_ID)).toBe(2);
    for (const id of [
      BUCKET_ID,
      NULL_BLOCK_ID,
      Buffer.alloc(16, 2),
      withByte(6, 0),
      withByte(6, 8),
      sampleHandle(2000).subarray(1),
    ])
      expect(hintedType(id)).toBeUndefined();
  });

  it('is one of those that are well known', () => {
    const ids = [NOT_FINAL_OWNER, BUCKET_ID, ROOT_ID, NULL_BLOCK_ID];
    expect(ids.map(idHex)).toEqual(['62', '63', '64', '00'].map((last) => '00'.repeat(15) + last));
    expect(ids.map(isRootId)).toEqual([false, false, true, false]);
    expect(ids.map(isNullId)).toEqual([false, false, false, true]);
    expect(isNullId(new Uint8Array([1, 0]))).toBe(false);
  });

  it('is compared by its bytes', () => {
    expect(bytesEqual(new Uint8Array([1, 2]), Buffer.from([1, 2]))).toBe(true);
    for (const other of [[1], [1, 2, 0], [1, 3]])
      expect(bytesEqual(new Uint8Array([1, 2]), Buffer.from(other))).toBe(false);
  });

  it('is shown as upper-case hex, also as a view', () => {
    expect(idHex(new Uint8Array([0, 0xab, 0x0f, 9]).subarray(1, 3))).toBe('AB0F');
  });
});

describe('a UUID', () => {
  it('has the stamp of version 4, whatever was there', () => {
    const bytes = Buffer.alloc(16, 0xff);
    expect(stampUuid(bytes)).toBe(bytes);
    expect(uuidText(bytes)).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
    expect(uuidText(stampUuid(Buffer.alloc(16)))).toBe('00000000-0000-4000-8000-000000000000');
  });

  it('is dashed lower-case text', () => {
    expect(uuidText(Buffer.from('00112233445566778899AABBCCDDEEFF', 'hex'))).toBe(
      '00112233-4455-6677-8899-aabbccddeeff',
    );
  });
});

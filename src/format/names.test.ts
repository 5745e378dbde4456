import { describe, expect, it } from 'vitest';
import { sampleBlockId, sampleHandle } from '../../test/support/samples.js';
import { hash64Hex } from './hash.js';
import { idHex, ROOT_ID } from './ids.js';
import {
  BUCKET_NAME,
  decodeObjectName,
  encodeObjectName,
  encodeObjectNameHashed,
  encodeObjectNameV1,
  objectKindOf,
  objectNamePrefix,
} from './names.js';

const ID = sampleHandle(2000);
const NAME = encodeObjectName({ id: ID, type: 1, owner: ROOT_ID, version: 9 });
const ROOT_HASH = hash64Hex(ROOT_ID);

describe('the name of an object', () => {
  it('has these fields', () => {
    expect(NAME).toBe(`${hash64Hex(ID)}_${idHex(ID)}.0001.${ROOT_HASH}.00000000009.FFFFFFFF.0002`);
    expect(NAME.length).toBe(113);
    const block = sampleBlockId(1);
    const name = encodeObjectName({ id: block, type: 12, owner: ROOT_ID, version: 99_999_999_999 });
    expect(name).toBe(`${hash64Hex(block)}_${idHex(block)}.0012.${ROOT_HASH}.99999999999.FFFFFFFF.0002`);
    expect(name.length).toBe(97);
    expect(encodeObjectNameHashed(block, 10, 'HASH', 10)).toContain('.0010.HASH.00000000010.');
    expect(BUCKET_NAME).toBe('00000063_00000000000000000000000000000063.00000000009.FFFFFFFF.0001');
  });

  it('begins with hash and id, also of an id that is longer than a handle', () => {
    for (const id of [Buffer.alloc(0), ID, Buffer.alloc(25, 7), Buffer.alloc(255, 0xab)])
      expect(objectNamePrefix(id)).toBe(`${hash64Hex(id)}_${idHex(id)}.`);
  });

  it('comes back', () => {
    expect(decodeObjectName(NAME)).toEqual({ nameVersion: 2, id: ID, type: 1, ownerHash: ROOT_HASH, version: 9 });
    expect(decodeObjectName(encodeObjectNameV1(ID, 17))).toEqual({
      nameVersion: 1,
      id: ID,
      type: 0,
      ownerHash: '',
      version: 17,
    });
    for (let type = 1; type <= 12; type++) {
      const name = encodeObjectName({ id: ID, type, owner: ROOT_ID, version: 10 });
      expect(decodeObjectName(name)).toMatchObject({ type, version: 10 });
      expect(objectKindOf(name)).toBe(type);
    }
  });

  it.each<[string, (name: string) => string]>([
    ['another hash', (name) => name.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))],
    ['lower case', (name) => name.toLowerCase()],
    ['type 0', (name) => name.replace('.0001.', '.0000.')],
    ['type 13', (name) => name.replace('.0001.', '.0013.')],
    ['something before it', (name) => `tmp${name}`],
    ['something behind it', (name) => `${name}.log`],
    ['an id of 15 bytes', (name) => name.replace(/_.{18}/, '_')],
    ['a version of 10 digits', (name) => name.replace('.00000000009.', '.0000000009.')],
    ['a version of 12 digits', (name) => name.replace('.00000000009.', '.000000000009.')],
    ['another snapshot', (name) => name.replace('.FFFFFFFF.', '.FFFFFFFE.')],
    ['a third name version', (name) => name.replace(/\.0002$/, '.0003')],
    ['a short owner', (name) => name.replace(ROOT_HASH, ROOT_HASH.slice(1))],
  ])('is none with %s', (_, change) => {
    expect(change(NAME)).not.toBe(NAME);
    expect(decodeObjectName(change(NAME))).toBeUndefined();
  });

  it.each<[string, (name: string) => string]>([
    ['another hash', (name) => name.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))],
    ['something before it', (name) => `0${name}`],
    ['something behind it', (name) => `${name}0`],
    ['a type', (name) => name.replace('.000', '.0001.000')],
    ['a short id', (name) => name.replace(/_../, '_')],
  ])('of version 1 is none with %s', (_, change) => {
    expect(change(BUCKET_NAME)).not.toBe(BUCKET_NAME);
    expect(decodeObjectName(change(BUCKET_NAME))).toBeUndefined();
  });

  it('tells its kind by its shape alone', () => {
    expect(objectKindOf(NAME.replace(/^./, 'F'))).toBe(1);
    for (const other of [
      BUCKET_NAME,
      `tmp${NAME}`,
      `${NAME}x`,
      NAME.replace('.0001.', '.0000.'),
      NAME.replace('.0001.', '.0013.'),
      'a.log',
    ])
      expect(objectKindOf(other)).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { partPrefixes } from './check-listing.js';

const FEW = 99_999;
const MANY = 100_000;
const VERY_MANY = 10_000_000;
const matches = (objects: number, name: string) =>
  partPrefixes(true, objects).filter((prefix) => name.startsWith(prefix)).length;

describe('the parts in which a container is listed', () => {
  it('hold every object, and every name that begins with two printable ASCII characters, once', () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const object = id.map((bytes) => encodeObjectName({ id: bytes, type: 1, owner: bytes, version: FIRST_VERSION }));
    const ascii = fc.string({ unit: 'grapheme-ascii', minLength: 2 });
    fc.assert(
      fc.property(fc.oneof(object, ascii), fc.constantFrom(FEW, MANY, VERY_MANY), (name, objects) => {
        expect(matches(objects, name)).toBe(1);
      }),
    );
    expect(partPrefixes(false, VERY_MANY)).toEqual(['']);
  });

  it('lack what docs/design.md says is not seen, and nothing else', () => {
    const seen = (name: string) => [FEW, MANY, VERY_MANY].map((objects) => matches(objects, name));
    expect(seen('\u00fcber')).toEqual([1, 0, 0]);
    expect(seen('\u0001')).toEqual([1, 0, 0]);
    expect(seen('A\u00fc')).toEqual([1, 1, 0]);
    expect(seen('A')).toEqual([1, 1, 0]);
    expect(seen('a\u00fc')).toEqual([1, 1, 1]);
    expect(seen('a')).toEqual([1, 1, 1]);
  });
});

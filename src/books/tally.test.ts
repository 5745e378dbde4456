import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tally } from './tally.js';

const blob = fc.record({
  kind: fc.integer({ min: 1, max: 9 }),
  name: fc.string({ unit: 'grapheme-ascii', minLength: 1 }),
  bytes: fc.nat(2 ** 40),
});
type Blob = { readonly kind: number; readonly name: string; readonly bytes: number };

function tallyOf(blobs: readonly Blob[]): Tally {
  const tally = new Tally();
  for (const { kind, name, bytes } of blobs) tally.add(kind, name, bytes);
  return tally;
}

describe('a tally', () => {
  it('is the same in any order, in parts, and after the way through bytes', () => {
    fc.assert(
      fc.property(fc.array(blob), fc.nat(), (blobs, cut) => {
        const whole = tallyOf(blobs);
        const at = cut % (blobs.length + 1);
        const parts = tallyOf(blobs.slice(at));
        parts.plus(Tally.decode(tallyOf(blobs.slice(0, at)).encode()));
        expect(parts.differences(whole)).toEqual([]);
        expect(parts.count).toBe(blobs.length);
        parts.minus(whole);
        expect(parts.isEmpty).toBe(true);
      }),
    );
  });

  it('shows a blob more, a blob less, another length and another name', () => {
    fc.assert(
      fc.property(fc.array(blob), blob, (blobs, one) => {
        const whole = tallyOf([...blobs, one]);
        expect(whole.differences(tallyOf(blobs))).toEqual([one.kind]);
        expect(whole.differences(tallyOf([...blobs, one, one]))).toEqual([one.kind]);
        expect(whole.differences(tallyOf([...blobs, { ...one, bytes: one.bytes + 1 }]))).toEqual([one.kind]);
        expect(whole.differences(tallyOf([...blobs, { ...one, name: `${one.name}x` }]))).toEqual([one.kind]);
      }),
    );
  });

  it('refuses to take off what was never counted', () => {
    expect(() => new Tally().minus(tallyOf([{ kind: 1, name: 'a', bytes: 1 }]))).toThrow('never counted');
  });
});

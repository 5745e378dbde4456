import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RangeSet } from './range-set.js';

const values = fc.array(fc.nat(60));

describe('a set of ranges', () => {
  it('holds what was added, in any order, more than once and after the way through bytes', () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        const set = RangeSet.decode(RangeSet.empty.plus(one).encode()).plus(other);
        const wanted = new Set([...one, ...other]);
        expect(set.count).toBe(wanted.size);
        for (let value = 0; value <= 61; value++) expect(set.has(value)).toBe(wanted.has(value));
        for (const [index, { first }] of set.ranges.entries())
          if (index > 0) expect(first).toBeGreaterThan(set.ranges[index - 1].last + 1);
      }),
    );
  });

  it('its gaps are what is not in it, each once, in pieces', () => {
    fc.assert(
      fc.property(values, fc.nat(60), fc.integer({ min: 1, max: 7 }), (members, end, most) => {
        const set = RangeSet.empty.plus(members);
        const found: number[] = [];
        for (let gap = set.gap(1, end, most); gap; gap = set.gap(gap.last + 1, end, most)) {
          expect(gap.last - gap.first).toBeLessThan(most);
          for (let value = gap.first; value <= gap.last; value++) found.push(value);
        }
        const wanted: number[] = [];
        for (let value = 1; value <= end; value++) if (!members.includes(value)) wanted.push(value);
        expect(found).toEqual(wanted);
      }),
    );
  });

  it('one range, and none', () => {
    expect(RangeSet.of(1, 4294967295).count).toBe(4294967295);
    expect(RangeSet.decode(RangeSet.of(1, 4294967295).encode()).ranges).toEqual([{ first: 1, last: 4294967295 }]);
    expect(RangeSet.of(1, 0).ranges).toEqual([]);
    expect(RangeSet.decode(null).gap(1, 0, 4)).toBeUndefined();
  });
});

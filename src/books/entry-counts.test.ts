import { describe, expect, it } from 'vitest';
import { EntryCounter, sizeClass } from './entry-counts.js';

describe('entries by type and size', () => {
  it('classes of size begin at 1 KiB, and each is four times the one before', () => {
    const sizes = [0, 1, 1023, 1024, 4095, 4096, 16_383, 16_384, 2 ** 20 - 1, 2 ** 20, 2 ** 40, 2 ** 62];
    expect(sizes.map(sizeClass)).toEqual([0, 1, 1, 2, 2, 3, 3, 4, 6, 7, 17, 17]);
    for (let bits = 11; bits < 40; bits++) {
      const bound = 4 ** (sizeClass(2 ** bits) - 1) * 1024;
      expect(2 ** bits).toBeLessThan(bound);
      expect(2 ** bits).toBeGreaterThanOrEqual(bound / 4);
    }
  });

  it('are added up, whatever another program may have sent', () => {
    const counter = new EntryCounter();
    counter.add(1, 100);
    counter.add(2, undefined);
    counter.plus({ types: [0, 3, ...new Array(20).fill(9)], sizes: new Array(40).fill(1) });
    expect(counter.types.slice(0, 3)).toEqual([0, 4, 10]);
    expect(counter.types.length).toBe(8);
    expect(counter.sizes.length).toBe(18);
    expect(counter.sizes[1]).toBe(2);
  });
});

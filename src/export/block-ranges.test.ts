import { describe, expect, it } from 'vitest';
import { addRange, type BlockRange, blockCount, firstGap } from './block-ranges.js';

const BLOCKS = 12;

/** The members of ranges, as a text of zeros and ones. */
function text(ranges: readonly BlockRange[]): string {
  return Array.from({ length: BLOCKS }, (_, at) =>
    ranges.some(([first, end]) => first <= at && at < end) ? '1' : '0',
  ).join('');
}

describe('ranges of blocks', () => {
  it('are what was added, in order, and never touch', () => {
    for (let seed = 1; seed < 400; seed++) {
      let ranges: BlockRange[] = [];
      let expected = '0'.repeat(BLOCKS);
      for (let turn = 0; turn < 5; turn++) {
        const first = (seed * (turn + 7) * 31) % BLOCKS;
        const end = Math.min(BLOCKS, first + ((seed >> turn) % 4));
        ranges = addRange(ranges, [first, end]);
        expected = expected.slice(0, first) + '1'.repeat(end - first) + expected.slice(Math.max(first, end));
        expect(text(ranges)).toBe(expected);
        for (let at = 1; at < ranges.length; at++) expect(ranges[at][0]).toBeGreaterThan(ranges[at - 1][1]);
      }
      expect(blockCount(ranges)).toBe(expected.replaceAll('0', '').length);
    }
  });

  it('have gaps, which are given in order and in pieces', () => {
    const ranges: BlockRange[] = [
      [2, 4],
      [7, 8],
    ];
    const pieces: BlockRange[] = [];
    for (let gap = firstGap(ranges, 1, 12, 2); gap; gap = firstGap(ranges, gap[1], 12, 2)) pieces.push(gap);
    expect(pieces).toEqual([
      [1, 2],
      [4, 6],
      [6, 7],
      [8, 10],
      [10, 12],
    ]);
    expect(firstGap([[0, 12]], 1, 12, 4)).toBeUndefined();
  });
});

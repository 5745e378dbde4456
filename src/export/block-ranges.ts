/** Blocks from the first to the one behind the last. */
export type BlockRange = readonly [first: number, end: number];

/** Adds a range to ranges in ascending order that do not touch. */
export function addRange(ranges: readonly BlockRange[], [first, end]: BlockRange): BlockRange[] {
  if (first >= end) return [...ranges];
  const before = ranges.filter(([, rangeEnd]) => rangeEnd < first);
  const behind = ranges.filter(([rangeFirst]) => rangeFirst > end);
  const touched = ranges.slice(before.length, ranges.length - behind.length);
  const merged: BlockRange = [
    Math.min(first, ...touched.map(([from]) => from)),
    Math.max(end, ...touched.map(([, to]) => to)),
  ];
  return [...before, merged, ...behind];
}

/**
 * The first range of at most `length` blocks, from `from` on and before `end`, that is not in `ranges`; undefined when
 * all are.
 */
export function firstGap(
  ranges: readonly BlockRange[],
  from: number,
  end: number,
  length: number,
): BlockRange | undefined {
  let at = from;
  for (const [first, behind] of ranges) {
    if (at < first) return [at, Math.min(first, at + length, end)];
    at = Math.max(at, behind);
  }
  return at < end ? [at, Math.min(end, at + length)] : undefined;
}

/** Number of blocks. */
export function blockCount(ranges: readonly BlockRange[]): number {
  return ranges.reduce((sum, [first, end]) => sum + end - first, 0);
}

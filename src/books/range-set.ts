/** Bytes of a range as it is encoded: its first and its last number. */
const RANGE_BYTES = 8;

/**
 * A set of numbers, 0 … 2^32 - 1, kept as ranges: small when what it lacks is in few places. It does not change.
 */
export class RangeSet {
  /** Ascending; neither overlapping nor touching each other. */
  readonly ranges: readonly { readonly first: number; readonly last: number }[];
  /** How many numbers are in it. */
  readonly count: number;

  private constructor(ranges: RangeSet['ranges']) {
    this.ranges = ranges;
    this.count = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  static readonly empty = new RangeSet([]);

  static of(first: number, last: number): RangeSet {
    return first > last ? RangeSet.empty : new RangeSet([{ first, last }]);
  }

  /** @param encoded by {@link encode}; null for the empty set */
  static decode(encoded: Uint8Array | null): RangeSet {
    if (!encoded) return RangeSet.empty;
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const ranges: { first: number; last: number }[] = [];
    for (let at = 0; at < bytes.length; at += RANGE_BYTES)
      ranges.push({ first: bytes.readUInt32BE(at), last: bytes.readUInt32BE(at + 4) });
    return new RangeSet(ranges);
  }

  encode(): Buffer {
    const target = Buffer.alloc(this.ranges.length * RANGE_BYTES);
    for (const [index, { first, last }] of this.ranges.entries()) {
      target.writeUInt32BE(first, index * RANGE_BYTES);
      target.writeUInt32BE(last, index * RANGE_BYTES + 4);
    }
    return target;
  }

  has(value: number): boolean {
    return this.ranges.some(({ first, last }) => first <= value && value <= last);
  }

  /** The set with further members. */
  plus(values: readonly number[]): RangeSet {
    const all = [...this.ranges, ...values.map((value) => ({ first: value, last: value }))].sort(
      (a, b) => a.first - b.first,
    );
    const merged: { first: number; last: number }[] = [];
    for (const { first, last } of all) {
      const before = merged[merged.length - 1];
      if (before && first <= before.last + 1) before.last = Math.max(before.last, last);
      else merged.push({ first, last });
    }
    return new RangeSet(merged);
  }

  /**
   * The first range of at most `most` numbers, from `from` up to `end`, that are not in it; undefined when there is
   * none.
   */
  gap(from: number, end: number, most: number): { readonly first: number; readonly last: number } | undefined {
    let first = from;
    for (const range of this.ranges) {
      if (range.last < first) continue;
      if (range.first > first)
        return first > end ? undefined : { first, last: Math.min(range.first - 1, end, first + most - 1) };
      first = range.last + 1;
    }
    return first > end ? undefined : { first, last: Math.min(end, first + most - 1) };
  }
}

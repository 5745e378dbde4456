/** A set of small numbers as bits: which entries of a chunk something holds for. */
export class BitSet {
  readonly bytes: Uint8Array;

  /** @param size numbers 0 … size - 1 @param bytes of another one, copied; null for the empty set */
  constructor(size: number, bytes: Uint8Array | null = null) {
    this.bytes = new Uint8Array(Math.ceil(size / 8));
    if (bytes) this.bytes.set(bytes.subarray(0, this.bytes.length));
  }

  /** The empty set of the same size. */
  emptied(): BitSet {
    return new BitSet(this.bytes.length * 8);
  }

  /** Adds the members of another set. */
  addAll(bytes: Uint8Array): void {
    for (let at = 0; at < Math.min(bytes.length, this.bytes.length); at++) this.bytes[at] |= bytes[at];
  }

  add(value: number): void {
    this.bytes[value >> 3] |= 1 << (value & 7);
  }

  /** How many members it has. */
  get count(): number {
    let count = 0;
    for (let byte of this.bytes) for (; byte !== 0; byte &= byte - 1) count++;
    return count;
  }

  has(value: number): boolean {
    return (this.bytes[value >> 3] & (1 << (value & 7))) !== 0;
  }
}

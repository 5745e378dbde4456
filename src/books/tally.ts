import xxhash from 'xxhash-wasm';

const { h64 } = await xxhash();
const MASK = (1n << 128n) - 1n;
const KIND_BYTES = 31;

/** What a {@link Tally} holds of one kind of object. */
export interface KindTally {
  readonly count: number;
  /** Stored length of all of them; exact up to 2^53. */
  readonly bytes: number;
  /** Sum of the hashes of names and lengths, modulo 2^128. */
  readonly hash: bigint;
}

const NOTHING: KindTally = { count: 0, bytes: 0, hash: 0n };

/**
 * Objects counted by kind (the object type of `docs/format.md`): how many, their stored length, and a hash over names
 * and lengths that does not depend on their order.
 *
 * Two tallies are equal when they were made of the same blobs. Hashes are added, never combined by XOR, so that a blob
 * which is counted twice shows; what was added can be taken off again.
 */
export class Tally {
  readonly #kinds = new Map<number, KindTally>();

  /** Counts a blob. @param name ASCII @param storedBytes length of the blob */
  add(kind: number, name: string, storedBytes: number): void {
    const text = `${name}:${storedBytes}`;
    const hash = (h64(text, 1n) << 64n) | h64(text, 2n);
    this.#change(kind, 1, storedBytes, hash);
  }

  /** Takes off all blobs of a kind. */
  removeKind(kind: number): void {
    this.#kinds.delete(kind);
  }

  plus(other: Tally): void {
    for (const [kind, { count, bytes, hash }] of other.#kinds) this.#change(kind, count, bytes, hash);
  }

  minus(other: Tally): void {
    for (const [kind, { count, bytes, hash }] of other.#kinds) this.#change(kind, -count, -bytes, -hash);
  }

  of(kind: number): KindTally {
    return this.#kinds.get(kind) ?? NOTHING;
  }

  get isEmpty(): boolean {
    return this.#kinds.size === 0;
  }

  /** Objects of all kinds. */
  get count(): number {
    let count = 0;
    for (const kind of this.#kinds.values()) count += kind.count;
    return count;
  }

  /** Kinds in which two tallies differ. */
  differences(other: Tally): readonly number[] {
    const kinds = new Set([...this.#kinds.keys(), ...other.#kinds.keys()]);
    return [...kinds]
      .sort((a, b) => a - b)
      .filter((kind) => {
        const mine = this.of(kind);
        const its = other.of(kind);
        return mine.count !== its.count || mine.bytes !== its.bytes || mine.hash !== its.hash;
      });
  }

  /** As bytes: for the state, and for the way between threads. */
  encode(): Buffer {
    const target = Buffer.alloc(this.#kinds.size * KIND_BYTES);
    let at = 0;
    for (const [kind, { count, bytes, hash }] of this.#kinds) {
      target[at] = kind;
      target.writeUIntBE(count, at + 1, 6);
      target.writeBigUInt64BE(BigInt(bytes), at + 7);
      target.writeBigUInt64BE(hash >> 64n, at + 15);
      target.writeBigUInt64BE(hash & 0xffffffffffffffffn, at + 23);
      at += KIND_BYTES;
    }
    return target;
  }

  /** @param encoded by {@link encode}; null for nothing */
  static decode(encoded: Uint8Array | null | undefined): Tally {
    const tally = new Tally();
    if (!encoded) return tally;
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    for (let at = 0; at < bytes.length; at += KIND_BYTES) {
      const hash = (bytes.readBigUInt64BE(at + 15) << 64n) | bytes.readBigUInt64BE(at + 23);
      tally.#change(bytes[at], bytes.readUIntBE(at + 1, 6), Number(bytes.readBigUInt64BE(at + 7)), hash);
    }
    return tally;
  }

  #change(kind: number, count: number, bytes: number, hash: bigint): void {
    const before = this.#kinds.get(kind) ?? NOTHING;
    const after = { count: before.count + count, bytes: before.bytes + bytes, hash: (before.hash + hash) & MASK };
    if (after.count < 0)
      throw new Error(`${-after.count} objects of kind ${kind} were taken off that were never counted.`);
    if (after.count === 0 && after.bytes === 0 && after.hash === 0n) this.#kinds.delete(kind);
    else this.#kinds.set(kind, after);
  }
}

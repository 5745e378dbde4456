import { type Cipher, createCipheriv } from 'node:crypto';

/**
 * Numbers that depend on a seed and on nothing else: AES in counter mode for a stream, and single draws by their place.
 *
 * A draw by its place stays the same when other draws come and go: that is what lets a life be made smaller.
 */
export class Random {
  readonly #cipher: Cipher;
  #place = 0;

  constructor(seed: number) {
    const key = Buffer.alloc(16);
    key.writeDoubleLE(seed, 0);
    this.#cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  }

  /** A number from 0 up to `limit`, which is left out: the one of this place. */
  at(limit: number, ...place: readonly [number, number?, number?]): number {
    const block = Buffer.alloc(16);
    block[15] = 1;
    for (const [index, value] of place.entries()) block.writeUInt32LE((value ?? 0) >>> 0, index * 4);
    return this.#cipher.update(block).readUIntLE(0, 6) % limit;
  }

  /** The next number of the stream, from 0 up to `limit`, which is left out. */
  below(limit: number): number {
    const block = Buffer.alloc(16);
    block.writeUIntLE(this.#place++, 0, 6);
    return this.#cipher.update(block).readUIntLE(0, 6) % limit;
  }

  /** Whether something happens that happens `percent` times in a hundred. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** Mostly small numbers, seldom ones close to `limit`. */
  small(limit: number): number {
    return this.below(1 + this.below(limit));
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)));
  }
}

import { type Cipher, createCipheriv } from 'node:crypto';
import { type EntryType, encodeFileHandle, isUsableHandle, stampUuid } from '../format/ids.js';

/** Bytes of the secret that a job's ids are made with. */
export const SECRET_BYTES = 16;
const BLOCK_BYTES = 16;
/** Handles come in runs of sequence numbers: their blocks are drawn so many at once. */
const DRAWN_AT_ONCE = 64;
const HANDLE_DOMAIN = 0;
const SEGMENT_DOMAIN = 1;
const INDIRECT_DOMAIN = 16;

/**
 * The ids of a job's objects: a keyed function of what they stand for, so that writing again writes the same blob.
 *
 * AES-128 over (sequence, index, generation, domain, redraw): distinct inputs never meet, and without the secret
 * nothing can be foretold.
 */
export class JobIds {
  readonly #cipher: Cipher;
  readonly #containerId: number;
  readonly #input = Buffer.alloc(BLOCK_BYTES);
  readonly #runInput = Buffer.alloc(BLOCK_BYTES * DRAWN_AT_ONCE);
  #run: Buffer = Buffer.alloc(0);
  #runFirst = 0;

  /** @param secret {@link SECRET_BYTES} bytes, drawn once per job */
  constructor(secret: Uint8Array, containerId: number) {
    this.#cipher = createCipheriv('aes-128-ecb', secret, null).setAutoPadding(false);
    this.#containerId = containerId;
  }

  /** Handle of the inode with this sequence number. */
  handle(sequence: number, type: EntryType, sourceManager: number, targetManager: number): Buffer {
    for (let redraw = 0; ; redraw++) {
      const random =
        redraw === 0
          ? this.#drawHandle(sequence)
          : this.#draw(sequence, 0, 0, HANDLE_DOMAIN, redraw).readBigUInt64LE(0);
      if (random === 0n) continue;
      const handle = encodeFileHandle({
        containerId: this.#containerId,
        sourceManager,
        targetManager,
        type,
        sequence: BigInt(sequence),
        random,
      });
      if (isUsableHandle(handle)) return handle;
    }
  }

  /** Id of a segment: block ≥ 1 of the inode, in one generation of its content. */
  segment(sequence: number, generation: number, block: number): Buffer {
    return stampUuid(this.#draw(sequence, block, generation, SEGMENT_DOMAIN, 0));
  }

  /** Id of an indirect block. */
  indirect(sequence: number, generation: number, tree: number, depth: number, index: number): Buffer {
    return stampUuid(this.#draw(sequence, index, generation, INDIRECT_DOMAIN + tree * 4 + depth, 0));
  }

  #drawHandle(sequence: number): bigint {
    let at = (sequence - this.#runFirst) * BLOCK_BYTES;
    if (at < 0 || at >= this.#run.length) {
      const input = this.#runInput;
      // All but the sequence number is 0, the domain too.
      for (let i = 0; i < DRAWN_AT_ONCE; i++) input.writeUIntLE(sequence + i, i * BLOCK_BYTES, 6);
      this.#run = this.#cipher.update(input);
      this.#runFirst = sequence;
      at = 0;
    }
    return this.#run.readBigUInt64LE(at);
  }

  #draw(sequence: number, index: number, generation: number, domain: number, redraw: number): Buffer {
    const input = this.#input;
    input.writeUIntLE(sequence, 0, 6);
    input.writeUIntLE(index, 6, 6);
    input.writeUInt16LE(generation, 12);
    input[14] = domain;
    input[15] = redraw;
    return this.#cipher.update(input);
  }
}

import { TemporaryFile } from './temporary-file.js';

/** Bytes that stay in memory before all that there are go to disk. */
const MEMORY_BYTES = 4 * 1048576;
const ITEM_BYTES = 100;

/**
 * A list of strings of bytes that holds its end in memory, and what came before in a temporary file.
 *
 * To be closed. Every call may throw ClfsError `temporary`.
 */
export class SpilledList {
  readonly #memoryBytes: number;
  #recent: Uint8Array[] = [];
  #recentBytes = 0;
  #file: TemporaryFile | undefined;
  /** Where each block of items in the file begins. */
  readonly #blocks: number[] = [];
  #end = 0;
  #length = 0;

  /** @param memoryBytes bytes in memory from which on they go to disk */
  constructor(memoryBytes: number = MEMORY_BYTES) {
    this.#memoryBytes = memoryBytes;
  }

  get length(): number {
    return this.#length;
  }

  push(item: Uint8Array): void {
    this.#recent.push(item);
    this.#recentBytes += item.length + ITEM_BYTES;
    this.#length++;
    if (this.#recentBytes <= this.#memoryBytes) return;
    const block = joined(this.#recent);
    this.#file ??= new TemporaryFile();
    this.#file.write(block, this.#end);
    this.#blocks.push(this.#end);
    this.#end += block.length;
    this.#recent = [];
    this.#recentBytes = 0;
  }

  /** The items, in their order; nothing is to be added in the meantime. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    for (const [at, begin] of this.#blocks.entries()) {
      const block = Buffer.alloc((this.#blocks[at + 1] ?? this.#end) - begin);
      this.#file?.read(block, begin);
      yield* separated(block);
    }
    yield* this.#recent;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** Items as one string of bytes, each behind its length. */
export function joined(items: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    items.flatMap((item) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(item.length);
      return [length, item];
    }),
  );
}

/** What {@link joined} has joined. */
export function* separated(block: Buffer): Generator<Buffer> {
  for (let at = 0; at < block.length; ) {
    const end = at + 4 + block.readUInt32LE(at);
    yield Buffer.from(block.subarray(at + 4, end));
    at = end;
  }
}

import { joined, separated } from './spilled-list.js';
import { TemporaryFile } from './temporary-file.js';

/** Most items in memory; when there are more, the lower half of them goes to disk. */
const MEMORY_ITEMS = 4096;

/** How an item becomes bytes; what cannot be told by bytes is left out, and looked up again. */
export interface ItemCodec<T> {
  encode(item: T): Uint8Array;
  decode(bytes: Buffer): T;
}

/**
 * A stack that holds its top in memory, and what is far below in a temporary file.
 *
 * To be closed. @throws ClfsError `temporary` from push and pop
 */
export class SpilledStack<T> {
  readonly #codec: ItemCodec<T>;
  readonly #memoryItems: number;
  #top: T[] = [];
  #file: TemporaryFile | undefined;
  /** Where each block of items in the file begins; they lie one behind the other. */
  readonly #blocks: number[] = [];
  #end = 0;

  /** @param memoryItems most items in memory */
  constructor(codec: ItemCodec<T>, memoryItems: number = MEMORY_ITEMS) {
    this.#codec = codec;
    this.#memoryItems = memoryItems;
  }

  push(item: T): void {
    this.#top.push(item);
    if (this.#top.length > this.#memoryItems) this.#spill();
  }

  pop(): T | undefined {
    if (this.#top.length === 0 && this.#blocks.length > 0) this.#bringBack();
    return this.#top.pop();
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #spill(): void {
    const below = this.#top.splice(0, Math.ceil(this.#top.length / 2));
    const block = joined(below.map((item) => this.#codec.encode(item)));
    this.#file ??= new TemporaryFile();
    this.#file.write(block, this.#end);
    this.#blocks.push(this.#end);
    this.#end += block.length;
  }

  #bringBack(): void {
    const begin = this.#blocks.pop() as number;
    const block = Buffer.alloc(this.#end - begin);
    this.#file?.read(block, begin);
    this.#end = begin;
    for (const bytes of separated(block)) this.#top.push(this.#codec.decode(bytes));
  }
}

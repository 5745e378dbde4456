/** Longest list of buffers that wait to be used again. */
const MOST_KEPT = 6;
const STEP_BYTES = 1048576;

/**
 * Large buffers that are used again: to allocate one for each segment has the garbage collector run every few of them,
 * and the system hand out pages anew.
 */
export class LargeBuffers {
  readonly #kept: ArrayBufferLike[] = [];

  /** A buffer of so many bytes, whatever is in them. */
  take(bytes: number): Buffer {
    const at = this.#kept.findIndex(({ byteLength }) => byteLength >= bytes);
    const memory =
      at < 0 ? Buffer.allocUnsafeSlow(STEP_BYTES * Math.ceil(bytes / STEP_BYTES)).buffer : this.#kept.splice(at, 1)[0];
    return Buffer.from(memory, 0, bytes);
  }

  /** Takes the memory of a buffer that {@link take} gave, or of a view of it, which nobody refers to any more. */
  giveBack({ buffer }: Uint8Array): void {
    if (this.#kept.length < MOST_KEPT && !this.#kept.includes(buffer)) this.#kept.push(buffer);
  }
}

const SMALLEST_CLASS_BYTES = 4096;

/**
 * Buffers of a limited number of bytes in all; a caller that wants more waits. They are reused, by classes of size.
 */
export class BufferBudget {
  readonly #limitBytes: number;
  readonly #largestBytes: number;
  #heldBytes = 0;
  readonly #free = new Map<number, Buffer[]>();
  readonly #waiting: { readonly classBytes: number; resolve(buffer: Buffer): void }[] = [];

  /**
   * @param limitBytes of all buffers together, at least `largestBytes`
   * @param largestBytes of one buffer
   */
  constructor(limitBytes: number, largestBytes: number) {
    this.#limitBytes = Math.max(limitBytes, largestBytes);
    this.#largestBytes = largestBytes;
  }

  /** A buffer of at least `sizeBytes`, in its turn; its content is arbitrary. */
  acquire(sizeBytes: number): Buffer | Promise<Buffer> {
    const classBytes = this.#classOf(sizeBytes);
    if (this.#waiting.length === 0) {
      const buffer = this.#take(classBytes);
      if (buffer) return buffer;
    }
    return new Promise((resolve) => this.#waiting.push({ classBytes, resolve }));
  }

  release(buffer: Buffer): void {
    const free = this.#free.get(buffer.length);
    if (free) free.push(buffer);
    else this.#free.set(buffer.length, [buffer]);
    while (this.#waiting.length > 0) {
      const next = this.#take(this.#waiting[0].classBytes);
      if (!next) return;
      this.#waiting.shift()?.resolve(next);
    }
  }

  #classOf(sizeBytes: number): number {
    if (sizeBytes > this.#largestBytes)
      throw new RangeError(`A buffer of ${sizeBytes} bytes is over the largest of ${this.#largestBytes}.`);
    let classBytes = SMALLEST_CLASS_BYTES;
    while (classBytes < sizeBytes) classBytes *= 2;
    return Math.min(classBytes, this.#largestBytes);
  }

  #take(classBytes: number): Buffer | undefined {
    const cached = this.#free.get(classBytes)?.pop();
    if (cached) return cached;
    if (this.#heldBytes + classBytes > this.#limitBytes) this.#dropFree(classBytes);
    if (this.#heldBytes + classBytes > this.#limitBytes) return undefined;
    this.#heldBytes += classBytes;
    return Buffer.allocUnsafeSlow(classBytes);
  }

  #dropFree(wantedBytes: number): void {
    for (const [classBytes, buffers] of this.#free) {
      while (buffers.length > 0 && this.#heldBytes + wantedBytes > this.#limitBytes) {
        buffers.pop();
        this.#heldBytes -= classBytes;
      }
    }
  }
}

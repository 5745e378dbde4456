/** Bytes that may be in memory at once; whoever wants more waits, in turn. */
export class ByteBudget {
  readonly #limitBytes: number;
  #heldBytes = 0;
  readonly #waiting: { readonly bytes: number; resolve(): void }[] = [];

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Takes so many bytes, more than the limit counting as the limit. @returns gives them back, once */
  take(bytes: number): (() => void) | Promise<() => void> {
    const taken = Math.min(bytes, this.#limitBytes);
    const release = this.#releaseOf(taken);
    if (this.#waiting.length === 0 && this.#heldBytes + taken <= this.#limitBytes) {
      this.#heldBytes += taken;
      return release;
    }
    return new Promise((resolve) => this.#waiting.push({ bytes: taken, resolve: () => resolve(release) }));
  }

  #releaseOf(bytes: number): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#heldBytes -= bytes;
      for (
        let next = this.#waiting[0];
        next && this.#heldBytes + next.bytes <= this.#limitBytes;
        next = this.#waiting[0]
      ) {
        this.#waiting.shift();
        this.#heldBytes += next.bytes;
        next.resolve();
      }
    };
  }
}

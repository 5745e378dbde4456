/** What is closed in the end: what was opened last first, each of them whatever happens to the others. */
export class Closers {
  readonly #all: (() => void | Promise<void>)[] = [];

  /** @param close of what has been opened just now */
  add(close: () => void | Promise<void>): void {
    this.#all.push(close);
  }

  /** @throws what the first of them throws that fails, once all have been called */
  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (const close of this.#all.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

import { close } from './libc.js';
import { closeLater } from './libc-later.js';

/**
 * A descriptor that calls in the pool use: it is closed when the last of them has ended.
 *
 * The number of a descriptor that is closed is given to the next file that is opened, and a call that waits in the pool
 * would meet that one.
 */
export class SharedDescriptor {
  readonly #fd: number;
  #users = 0;
  #wasUsed = false;
  #closed: Promise<void> | undefined;
  #unused: (() => void) | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** For calls that end before they return. @throws Error when it is closed */
  get fd(): number {
    if (this.#closed) throw new Error('A descriptor is used after it was closed.');
    return this.#fd;
  }

  /** Does something that uses the descriptor until it has ended. @throws whatever it throws */
  async use<T>(call: (fd: number) => Promise<T>): Promise<T> {
    const { fd } = this;
    this.#users++;
    this.#wasUsed = true;
    try {
      return await call(fd);
    } finally {
      if (--this.#users === 0) this.#unused?.();
    }
  }

  /** Closes it now, or when nothing uses it any more; a second call does nothing. @returns when it is closed */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#users > 0)
      await new Promise<void>((resolve) => {
        this.#unused = resolve;
      });
    // Closing can take as long as any other call.
    if (this.#wasUsed) await closeLater(this.#fd);
    else close(this.#fd);
  }
}

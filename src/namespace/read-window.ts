import type { Container } from '../container/container.js';
import { Places } from '../posix/places.js';

/** Reads at once: so many in any case, and so many at most. */
const FEWEST = 64;
const MOST = 256;

/**
 * How many reads of a container are worth asking for at once: more while all of them are under way and it has room for
 * more, as where answers take long; fewer when they only wait in it, which costs memory and time.
 */
export class ReadWindow {
  readonly #container: Pick<Container, 'ready'>;
  #size = FEWEST;
  #isBusy = false;

  constructor(container: Pick<Container, 'ready'>) {
    this.#container = container;
  }

  get size(): number {
    return this.#size;
  }

  /** To be called when one of them has ended, and further ones wait. */
  adapt(): void {
    const ready = this.#isBusy ? undefined : this.#container.ready();
    if (ready) {
      this.#isBusy = true;
      void ready.then(() => {
        this.#isBusy = false;
      });
    }
    this.#size = Math.min(MOST, Math.max(FEWEST, this.#size + (this.#isBusy ? -1 : 1)));
  }
}

/** Places for as many reads as a {@link ReadWindow} has. */
export class ReadPlaces {
  readonly #window: ReadWindow;
  readonly #places: Places;

  constructor(container: Pick<Container, 'ready'>) {
    this.#window = new ReadWindow(container);
    this.#places = new Places(this.#window.size);
  }

  /** Waits for a place; who came first is served first. @returns gives the place back; a second call does nothing */
  async take(): Promise<() => void> {
    const giveBack = await this.#places.take();
    return () => {
      if (this.#places.waiting > 0) this.#window.adapt();
      this.#places.limit = this.#window.size;
      giveBack();
    };
  }
}

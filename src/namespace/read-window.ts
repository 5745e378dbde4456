import type { Container } from '../container/container.js';

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
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(container: Pick<Container, 'ready'>) {
    this.#window = new ReadWindow(container);
  }

  /** Waits for a place; who came first is served first. @returns gives the place back; to be called once */
  async take(): Promise<() => void> {
    if (this.#taken < this.#window.size) this.#taken++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return () => this.#giveBack();
  }

  #giveBack(): void {
    this.#taken--;
    if (this.#waiting.length === 0) return;
    this.#window.adapt();
    while (this.#waiting.length > 0 && this.#taken < this.#window.size) {
      this.#taken++;
      this.#waiting.shift()?.();
    }
  }
}

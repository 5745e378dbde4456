/** So many at once; whoever comes first is first. */
export class Places {
  limit: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.limit = limit;
  }

  get isFree(): boolean {
    return this.#taken === 0;
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** @returns gives the place back; a second call does nothing */
  async take(): Promise<() => void> {
    if (this.#taken >= this.limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#taken++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#release();
      isHeld = false;
    };
  }

  #release(): void {
    this.#taken--;
    while (this.#waiting.length > 0 && this.#taken < this.limit) {
      this.#taken++;
      this.#waiting.shift()?.();
    }
  }
}

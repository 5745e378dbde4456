import type { SourceTurn } from '../source/source-turns.js';
import type { WorkContext } from './context.js';

/**
 * Reads of entries of one directory that are under way at once: as many as the pace of the lane allows, and as there
 * are descriptors.
 *
 * A place of a directory is for two descriptors, its own and that of one file. Each further file takes a place of its
 * own, but never waits for one: it waits for a file before it, which needs nothing more. So nobody waits for somebody
 * who waits for him.
 */
export class ReadsUnderWay {
  readonly #context: WorkContext;
  readonly #path: Buffer;
  #count = 0;
  #wake: (() => void) | undefined;
  #whenNone: (() => void) | undefined;

  /** @param path of the directory */
  constructor(context: WorkContext, path: Buffer) {
    this.#context = context;
    this.#path = path;
  }

  /**
   * Waits until one more may be read; not any longer once the job stops.
   *
   * @returns its turn, to be ended when nothing of it is open any more
   */
  async enter(name: Buffer): Promise<SourceTurn> {
    const { places, pace, stop } = this.#context;
    let giveBack: (() => void) | undefined;
    while (this.#count > 0 && !stop.asked) {
      giveBack = places.tryTake();
      if (giveBack) break;
      await this.#oneEnds();
    }
    const turn = await pace.enter(this.#path, name);
    this.#count++;
    let isOpen = true;
    const end = (calls?: number) => {
      if (!isOpen) return;
      isOpen = false;
      turn.end(calls);
      giveBack?.();
      this.#count--;
      this.#wake?.();
      if (this.#count === 0) this.#whenNone?.();
    };
    return { pause: turn.pause, resume: turn.resume, end };
  }

  /** Calls `call` once, when none is under way. */
  whenNone(call: () => void): void {
    if (this.#count === 0) call();
    else this.#whenNone = call;
  }

  async #oneEnds(): Promise<void> {
    const { signal } = this.#context.stop.controller;
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake);
    });
    this.#wake = undefined;
  }
}

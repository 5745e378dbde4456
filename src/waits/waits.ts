import { ClfsError, isClfsError } from '../error.js';
import type { WaitSlot } from './wait-board.js';

/** How often what is waited for is told. */
const TELL_MS = 500;
/** How long a call is waited for once it is stopped. */
const LAST_ANSWER_MS = 1000;
const NO_NAME = new Uint8Array(0);

type WaitedPath = Uint8Array | string | (() => Uint8Array);

function bytesOf(path: WaitedPath): Uint8Array {
  return typeof path === 'function' ? path() : Buffer.from(path as string);
}

/** What {@link Waits} works with. */
export interface WaitsParts {
  /** Where it is told. */
  readonly slot: WaitSlot;
  /** Milliseconds on a clock that never jumps. */
  readonly now: () => number;
  /** When it is aborted, nothing is waited for any more; default: never. */
  readonly signal?: AbortSignal;
}

/** Calls of one place that one thread waits for without being held up by them. */
export class Waits {
  readonly #parts: WaitsParts;
  readonly #underWay = new Set<{ readonly sinceMs: number; readonly path: WaitedPath }>();
  #tells = false;

  constructor(parts: WaitsParts) {
    this.#parts = parts;
  }

  /**
   * Does something that waits for a file system, and tells so.
   *
   * @param path what is waited for, for people; looked up when it takes long
   * @param late takes what the call brings that goes on after a stop
   * @throws what `call` throws; ClfsError `cancelled` when it is stopped: the call may go on then
   */
  async during<T>(path: WaitedPath, call: () => Promise<T>, late?: (result: T) => void): Promise<T> {
    const { now, signal } = this.#parts;
    const mine = { sinceMs: now(), path };
    this.#underWay.add(mine);
    this.#tellLater();
    try {
      return await (signal ? unlessStopped(signal, call, late) : call());
    } finally {
      this.#underWay.delete(mine);
    }
  }

  get isStopped(): boolean {
    return this.#parts.signal?.aborted === true;
  }

  /** To be asked before something is begun. @throws ClfsError `cancelled` when it is stopped */
  requireGoing(): void {
    if (this.isStopped) throw stopped();
  }

  /**
   * Does the last of something, which is begun after a stop too; then it is waited for a second at most.
   *
   * @throws what `call` throws
   */
  async last(path: WaitedPath, call: () => Promise<void>): Promise<void> {
    try {
      await this.during(path, call);
    } catch (error) {
      if (!isClfsError(error, 'cancelled')) throw error;
    }
  }

  /** Does something that holds up the thread until a file system has answered. @throws what `call` throws */
  blocking<T>(path: Uint8Array | string, call: () => T): T {
    const { slot } = this.#parts;
    slot.blocks(NO_NAME, bytesOf(path));
    try {
      return call();
    } finally {
      slot.unblocks();
    }
  }

  #tellLater(): void {
    if (this.#tells) return;
    this.#tells = true;
    setTimeout(() => {
      this.#tells = false;
      const [oldest] = this.#underWay;
      this.#parts.slot.tell(oldest && { sinceMs: oldest.sinceMs, directory: bytesOf(oldest.path), name: NO_NAME });
      if (oldest) this.#tellLater();
    }, TELL_MS).unref();
  }
}

/**
 * Waits for a call; once it is stopped, for a second at most: what is answered is answered in that time.
 *
 * @param late takes what the call brings that goes on after that
 * @throws what `call` throws; ClfsError `cancelled` when `signal` is aborted: the call may go on then
 */
export function unlessStopped<T>(signal: AbortSignal, call: () => Promise<T>, late?: (result: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const stop = () => {
      timer = setTimeout(() => {
        isOver = true;
        reject(stopped());
      }, LAST_ANSWER_MS);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    };
    call().then(
      (result) => {
        end();
        if (isOver) late?.(result);
        else resolve(result);
      },
      (error: unknown) => {
        end();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

function stopped(): ClfsError {
  return new ClfsError('cancelled', 'The job was stopped.');
}

import { escapePath } from '../text/escape-path.js';
import type { WaitBoard, WaitedPlace } from './wait-board.js';

/** A call of a file system that is under way. */
export interface WaitingCall {
  readonly place: WaitedPlace;
  /** Since when, on the monotonic clock. */
  readonly sinceMs: number;
  /** Below the root; of what is looked at before that is open, as it was named. */
  readonly path: Buffer;
}

interface Blocked {
  readonly call: number;
  readonly sinceMs: number;
}

/** Finds the call of a file system that has been waited for longest, by what lanes tell in shared memory. */
export class StallWatch {
  readonly #boards: readonly WaitBoard[];
  readonly #blocked = new Map<unknown, Blocked>();

  constructor(boards: readonly WaitBoard[]) {
    this.#boards = boards;
  }

  /** Looks now; to be called once a second or so, since a call that holds up a thread tells no time. */
  look(nowMs: number): WaitingCall | undefined {
    let oldest: WaitingCall | undefined;
    for (const board of this.#boards)
      for (const [place, slot] of board.slots) {
        const call = slot.blockingCall;
        if (call === 0) this.#blocked.delete(slot);
        else if (this.#blocked.get(slot)?.call !== call) this.#blocked.set(slot, { call, sinceMs: nowMs });
        const blockedSinceMs = this.#blocked.get(slot)?.sinceMs;
        if (blockedSinceMs !== undefined && isBefore(blockedSinceMs, oldest))
          oldest = { place, sinceMs: blockedSinceMs, path: slot.blockingPath };
        const { oldestSinceMs } = slot;
        if (oldestSinceMs !== 0 && isBefore(oldestSinceMs, oldest))
          oldest = { place, sinceMs: oldestSinceMs, path: slot.oldestPath };
      }
    return oldest;
  }

  /** Whether something is waited for now. */
  get isWaiting(): boolean {
    return this.#boards.some(({ slots }) =>
      slots.some(([, slot]) => slot.blockingCall !== 0 || slot.oldestSinceMs !== 0),
    );
  }
}

function isBefore(sinceMs: number, call: WaitingCall | undefined): boolean {
  return call === undefined || sinceMs < call.sinceMs;
}

/** What is said of a call that is not answered. */
export function stallText({ place, path }: Pick<WaitingCall, 'place' | 'path'>, waitedMs: number): string {
  return `the ${place} has not answered for ${Math.round(waitedMs / 1000)} s: ${escapePath(path) || '.'}`;
}

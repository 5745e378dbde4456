import { escapePath } from '../text/escape-path.js';
import type { Clock } from '../time/clock.js';
import { StallWatch } from './stall-watch.js';
import type { WaitBoard, WaitedPlace } from './wait-board.js';

const LOOK_MS = 1000;
/** After how long a call that is not answered is spoken of, where nothing else is said. */
export const DEFAULT_STALL_MS = 60_000;

/** Something of a place that has not been answered for long. */
export interface Stalled {
  readonly place: WaitedPlace;
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly path: Buffer;
}

/** What {@link StallReport} works with. */
export interface StallReportParts {
  readonly clock: Clock;
  /** After how long a call that is not answered is spoken of; default: a minute. */
  readonly stallMs?: number;
  /** Told once of each. */
  onStall(stalled: Stalled, waitedMs: number): void;
  /** Told when nothing is waited for so long any more. */
  onAnswer?(place: WaitedPlace): void;
}

/** Looks once a second what the lanes of a job wait for, and tells it when that is long. */
export class StallReport {
  readonly #boards: WaitBoard[] = [];
  readonly #watch = new StallWatch(this.#boards);
  readonly #parts: StallReportParts;
  #stallMs: number;
  #timer: { cancel(): void } | undefined;
  #toldSinceMs = 0;
  #stalled: Stalled | undefined;

  constructor(parts: StallReportParts) {
    this.#parts = parts;
    this.#stallMs = parts.stallMs ?? DEFAULT_STALL_MS;
  }

  /** What is waited for so long now. */
  get stalled(): Stalled | undefined {
    return this.#stalled;
  }

  /** Whether something is waited for at all: it may hang, and is not to be called. */
  get isWaiting(): boolean {
    return this.#watch.isWaiting;
  }

  /** From now on calls are spoken of after so long. */
  set stallMs(ms: number) {
    this.#stallMs = ms;
  }

  /** One more lane. */
  add(board: WaitBoard): WaitBoard {
    this.#boards.push(board);
    return board;
  }

  start(): void {
    this.#timer = this.#parts.clock.after(LOOK_MS, () => {
      this.look();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Looks now, as it does once a second. */
  look(): void {
    const { clock, onStall, onAnswer } = this.#parts;
    const now = clock.monotonic();
    const oldest = this.#watch.look(now);
    const waitedMs = oldest ? now - oldest.sinceMs : 0;
    if (!oldest || waitedMs < this.#stallMs) {
      if (this.#stalled) onAnswer?.(this.#stalled.place);
      this.#stalled = undefined;
    } else if (!this.#stalled || oldest.sinceMs !== this.#toldSinceMs) {
      const { place, path } = oldest;
      this.#toldSinceMs = oldest.sinceMs;
      this.#stalled = { place, path, sinceMs: clock.now() - waitedMs };
      onStall(this.#stalled, waitedMs);
    }
  }
}

/** What is said of it to people, with the time of day. */
export function stallSentence({ place, sinceMs, path }: Stalled): string {
  return `The ${place} has not answered since ${new Date(sinceMs).toISOString().slice(0, 19)}Z: ${escapePath(path) || '.'}`;
}

import type { Clock } from '../time/clock.js';
import { StallReport, stallSentence } from './stall-report.js';
import { stallText } from './stall-watch.js';
import { WaitBoard, type WaitedPlace, type WaitSlot } from './wait-board.js';
import { Waits } from './waits.js';

/** Where it is written what does not answer. */
interface WaitsLog {
  write(level: 'INFO' | 'WARNING', text: string): void;
}

/** What a job waits for of file systems, from its first call to its last, and what is said of it. */
export class JobWaits {
  readonly stalls: StallReport;
  readonly #board: WaitBoard;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** Where it is written, once there is something. */
  log: WaitsLog | undefined;
  /** Whether somebody shows where the job stands, and looks by himself: then it is not told. */
  isShown = false;

  /** @param tell takes what is to be shown, in a sentence */
  constructor(clock: Clock, signal: AbortSignal, tell: (text: string) => void, stallMs?: number) {
    this.#clock = clock;
    this.#signal = signal;
    this.stalls = new StallReport({
      clock,
      stallMs,
      onStall: (stalled, waitedMs) => {
        this.log?.write('WARNING', stallText(stalled, waitedMs));
        if (!this.isShown) tell(stallSentence(stalled));
      },
      onAnswer: (place) => this.log?.write('INFO', `the ${place} answers again`),
    });
    this.#board = this.stalls.add(new WaitBoard());
    this.stalls.start();
  }

  /** What the calling thread waits for of a place, outside of its lane. */
  of(place: WaitedPlace): Waits {
    return new Waits({ slot: this.slot(place), now: () => this.#clock.monotonic(), signal: this.#signal });
  }

  /** Where the calling thread tells by itself what it waits for of a place. */
  slot(place: WaitedPlace): WaitSlot {
    return this.#board.slot(place);
  }

  close(): void {
    this.stalls.stop();
  }
}

import type { JobLog } from '../log/job-log.js';
import type { Clock } from '../time/clock.js';
import { StallReport, stallSentence } from '../waits/stall-report.js';
import { stallText } from '../waits/stall-watch.js';
import { WaitBoard } from '../waits/wait-board.js';
import { Waits } from '../waits/waits.js';

/** What a load waits for of file systems, from its first call to its last, and what is said of it. */
export class LoadWaits {
  readonly stalls: StallReport;
  /** Of the calling thread, outside of its lane. */
  readonly source: Waits;
  readonly container: Waits;
  readonly #board: WaitBoard;
  /** Where it is written, once there is one. */
  log: JobLog | undefined;
  /** Whether somebody shows where the load stands, and looks by himself: then it is not told. */
  isShown = false;

  /** @param tell takes what is to be shown, in a sentence */
  constructor(clock: Clock, signal: AbortSignal, tell: (text: string) => void) {
    this.stalls = new StallReport({
      clock,
      onStall: (stalled, waitedMs) => {
        this.log?.write('WARNING', stallText(stalled, waitedMs));
        if (!this.isShown) tell(stallSentence(stalled));
      },
      onAnswer: (place) => this.log?.write('INFO', `the ${place} answers again`),
    });
    this.#board = this.stalls.add(new WaitBoard());
    const now = () => clock.monotonic();
    this.source = new Waits({ slot: this.#board.slot('source'), now, signal });
    this.container = new Waits({ slot: this.#board.slot('container'), now, signal });
    this.stalls.start();
  }

  close(): void {
    this.stalls.stop();
  }
}

import { ProgressMeter } from '../../index.js';
import type { ProgressFigures } from './figures.js';
import { ProgressLine } from './line.js';

/** Where progress is shown. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

/** On a terminal the line is rewritten this often; the first comes when work has taken as long. */
const TERMINAL_MS = 1000;
/** Elsewhere each is a line of its own, which somebody keeps. */
const LINE_MS = 30_000;
const LATE_LINE_MS = 120_000;
const LATE_AFTER_MS = 3_600_000;
/** Where a terminal does not tell. */
const USUAL_COLUMNS = 80;

/**
 * A line that shows how far some work has come: rewritten in place on a terminal, and erased before anything else is
 * written there; elsewhere a line every half minute, and every two minutes after an hour.
 */
export class StatusLine {
  readonly #stream: ProgressStream;
  readonly #clock: () => number;
  readonly #begunMs: number;
  #shownMs: number;
  #sampledMs = Number.NEGATIVE_INFINITY;
  /** Columns that the line takes; 0 when none is shown. */
  #width = 0;
  #work = '';
  #permille = 0;
  #meter = new ProgressMeter();
  #line = new ProgressLine();

  constructor(stream: ProgressStream, clock: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#clock = clock;
    this.#begunMs = clock();
    this.#shownMs = this.#begunMs;
  }

  /** Shows where the work stands, if it is time to; `figures` is asked once a second, for the rate. */
  show(figures: () => ProgressFigures): void {
    const now = this.#clock();
    if (now - this.#sampledMs < TERMINAL_MS) return;
    this.#sampledMs = now;
    const isDue = now - this.#shownMs >= this.#pauseMs(now);
    const at = this.#monotonic(figures());
    const rates = this.#meter.take({ ...at, ms: now, waiting: at.waitingSeconds !== undefined });
    if (!isDue) return;
    this.#shownMs = now;
    const { isTTY, columns = USUAL_COLUMNS } = this.#stream;
    if (!isTTY) {
      this.#stream.write(`${this.#line.write(at, rates, Number.POSITIVE_INFINITY, false).text}\n`);
      return;
    }
    const { text, width } = this.#line.write(at, rates, columns, this.#stream.hasColors?.() === true);
    this.#stream.write(`\r${text}${' '.repeat(Math.max(0, this.#width - width))}`);
    this.#width = width;
  }

  /** Erases the line: what is written next has the terminal for itself. */
  clear(): void {
    if (this.#width === 0) return;
    this.#stream.write(`\r${' '.repeat(this.#width)}\r`);
    this.#width = 0;
  }

  #pauseMs(now: number): number {
    if (this.#stream.isTTY) return TERMINAL_MS;
    return now - this.#begunMs >= LATE_AFTER_MS ? LATE_LINE_MS : LINE_MS;
  }

  /** Another kind of work has a rate and a share of its own; within one the share never falls. */
  #monotonic(figures: ProgressFigures): ProgressFigures {
    const { label, work = label } = figures;
    if (work !== this.#work) {
      this.#work = work;
      this.#meter = new ProgressMeter();
      this.#line = new ProgressLine();
      this.#permille = 0;
    }
    if (figures.permille === undefined) return figures;
    this.#permille = Math.max(this.#permille, figures.permille);
    return { ...figures, permille: this.#permille };
  }
}

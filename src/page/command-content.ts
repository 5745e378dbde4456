import { ClfsError } from '../error.js';
import { halved, type SeriesRow } from '../state/job-series.js';
import { escapeText } from '../text/escape-path.js';
import { VERSION } from '../version.js';
import type { PageContent } from './content.js';
import { type FoundBatch, FoundList } from './found.js';
import type { FoundFailures, PageEnding, PageModel } from './model.js';
import { pageWorkers } from './page-workers.js';
import { ProgressMeter } from './progress-meter.js';
import { seriesOf } from './series-of.js';

/** Where a command stands that has no state: what its line of progress says. */
export interface CommandFigures {
  /** What is being done, in a word: `Transfer`, `Listing`. */
  readonly label: string;
  /** What is counted, in the plural: `entries`, `blobs`. */
  readonly unit: string;
  readonly done: number;
  /** Undefined where it is not known. */
  readonly total?: number;
  /** Bytes of file data, or of what is stored of it; undefined where they are not counted. */
  readonly bytes?: number;
  readonly bytesTotal?: number;
  /** Thousandths that are done, 0 to 999; undefined while that is not known. */
  readonly permille?: number;
  readonly failed?: number;
  /** Milliseconds that something takes when all of it is done. */
  readonly listingMs?: number;
}

const STEP_MS = 1000;
const MOST_ROWS = 720;
const MOST_LINES = 200;
const NOTHING = {
  session: 1,
  requests: 0,
  retries: 0,
  throttled: 0,
  inFlight: 0,
  lanes: 0,
  workers: 0,
  sourceCalls: 0,
};

/** A command without a state, such as a verify: its past is kept here, for as long as it runs. */
export class CommandContent implements PageContent {
  readonly #command: { readonly title: string; readonly from: string; readonly to: string };
  readonly #begunMs = Date.now();
  #figures: CommandFigures = { label: '', unit: 'entries', done: 0 };
  #seenMs = this.#begunMs;
  /** What the row that is being made began with. */
  #before = { ms: this.#begunMs, done: 0, bytes: 0 };
  #rows: readonly SeriesRow[] = [];
  #stepMs = STEP_MS;
  #meter = new ProgressMeter();
  #rates: ReturnType<ProgressMeter['take']> | undefined;
  #lines: string[] = [];
  #ending: PageEnding | undefined;
  readonly #found = new FoundList();

  constructor(command: { readonly title: string; readonly from: string; readonly to: string }) {
    this.#command = command;
  }

  /** Takes where the command stands. */
  take(figures: CommandFigures, nowMs = Date.now()): void {
    // Another kind of work is counted anew.
    if (figures.label !== this.#figures.label) {
      this.#before = { ms: nowMs, done: figures.done, bytes: figures.bytes ?? 0 };
      this.#meter = new ProgressMeter();
    }
    this.#figures = figures;
    this.#seenMs = nowMs;
    const { done, bytes = 0, failed = 0 } = figures;
    this.#rates = this.#meter.take({ ...figures, ms: nowMs, done: done + failed });
    const { ms, done: doneBefore, bytes: bytesBefore } = this.#before;
    if (nowMs - ms < this.#stepMs) return;
    const row = { ...NOTHING, id: this.#rows.length + 1, endMs: nowMs, spanMs: nowMs - ms };
    const [entries, more] = [Math.max(0, done - doneBefore), Math.max(0, bytes - bytesBefore)];
    this.#rows = [...this.#rows, { ...row, entries, bytes: more }];
    this.#before = { ms: nowMs, done, bytes };
    if (this.#rows.length <= MOST_ROWS) return;
    this.#rows = halved(this.#rows);
    this.#stepMs *= 2;
  }

  /** Takes lines that the command says. */
  say(text: string): void {
    const lines = text.split('\n').filter((line) => line !== '');
    this.#lines = [...this.#lines, ...lines.map(escapeText)].slice(-MOST_LINES);
  }

  /** Takes what was found. */
  find(batch: FoundBatch): void {
    this.#found.add(batch);
  }

  search(words: string, after: number, limit?: number): FoundFailures {
    return this.#found.search(words, after, limit);
  }

  /** @throws ClfsError `usage`: nothing is recorded of it */
  status(): never {
    throw new ClfsError('usage', 'This command has no state, and so no status. /metrics says how it goes.');
  }

  end(ending: PageEnding | undefined): void {
    this.#seenMs = Date.now();
    if (ending) this.#figures = { ...this.#figures, done: ending.done, bytes: ending.bytes };
    this.#ending = ending ?? {
      finalStatus: 'Completed',
      done: this.#figures.done,
      failed: 0,
      bytes: this.#figures.bytes ?? 0,
    };
  }

  look(): PageModel {
    const { label, unit, done, total, bytes = 0, bytesTotal, permille, failed = 0 } = this.#figures;
    const ending = this.#ending;
    const rates = this.#rates;
    return {
      job: {
        ...this.#command,
        program: VERSION,
        kind: 'command',
        id: '',
        statePath: '',
        settings: [],
        phases: label === '' ? [] : [label],
        unit,
      },
      now: {
        atMs: Date.now(),
        state: ending ? 'finished' : label === '' ? 'starting' : 'running',
        finalStatus: ending?.finalStatus ?? '',
        session: 1,
        phase: label,
        done,
        failed,
        excluded: 0,
        bytes,
        further: [],
        workedMs: this.#seenMs - this.#begunMs,
        ...(total === undefined ? {} : { total }),
        ...(bytesTotal === undefined ? {} : { bytesTotal }),
        ...(permille === undefined ? {} : { permille }),
        ...(ending || !rates ? {} : { entriesPerSecond: rates.entriesPerSecond, bytesPerSecond: rates.bytesPerSecond }),
        ...(ending || rates?.secondsLeft === undefined ? {} : { secondsLeft: rates.secondsLeft }),
        requests: 0,
        retries: 0,
        throttled: 0,
        notes: [],
      },
      series: seriesOf(this.#rows),
      census: { types: [], sizes: [], directories: [] },
      failures: this.#found.failures,
      workers: pageWorkers(),
      log: this.#lines,
    };
  }
}

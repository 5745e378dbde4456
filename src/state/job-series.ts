import { type Database, Statement } from '../sqlite/database.js';
import type { JobPulse } from './job-pulse.js';

/** Counts that only grow within a session; entries and bytes over all sessions. */
interface SampledCounts {
  readonly entries: number;
  readonly bytes: number;
  readonly requests: number;
  readonly retries: number;
  readonly throttled: number;
}

/** What stands at a moment, and goes up and down. */
interface SampledLevels {
  /** Requests to the service in flight. */
  readonly inFlight: number;
  /** Lanes of this process that have work. */
  readonly lanes: number;
  /** Workers on other machines. */
  readonly workers: number;
  /** Calls of the source in flight. */
  readonly sourceCalls: number;
}

/** What is sampled of a running job. */
export interface JobSample {
  readonly session: number;
  readonly counts: SampledCounts;
  readonly levels: SampledLevels;
  /** Where the job stands: the latest one is kept. */
  pulse(): JobPulse;
}

/** A stretch of a job's time: what was done in it, and the means of what stood. */
export interface SeriesRow extends SampledCounts, SampledLevels {
  readonly id: number;
  /** In milliseconds since 1970. */
  readonly endMs: number;
  /** Its length; the time between the sessions is in none. */
  readonly spanMs: number;
  readonly session: number;
}

/** The tables, of a load and of an export. The steps of migrations make them as they stand here. */
export const SERIES_TABLES = `
CREATE TABLE series (id INTEGER PRIMARY KEY, end_ms INTEGER NOT NULL, span_ms INTEGER NOT NULL, session INTEGER NOT NULL, entries INTEGER NOT NULL,
  bytes INTEGER NOT NULL, requests INTEGER NOT NULL, retries INTEGER NOT NULL, throttled INTEGER NOT NULL, in_flight REAL NOT NULL, lanes REAL NOT NULL,
  workers REAL NOT NULL, source_calls REAL NOT NULL) STRICT;
CREATE TABLE pulse (id INTEGER PRIMARY KEY CHECK (id = 1), at_ms INTEGER NOT NULL, pulse TEXT NOT NULL) STRICT;
`;

/** No more often than this is anything written. */
const BEAT_MS = 3000;
/** Rows that are kept; when there would be more, two become one. */
const MOST_ROWS = 720;

const COUNTS = ['entries', 'bytes', 'requests', 'retries', 'throttled'] as const satisfies (keyof SampledCounts)[];
const LEVELS = ['inFlight', 'lanes', 'workers', 'sourceCalls'] as const satisfies (keyof SampledLevels)[];
const COLUMNS =
  'id, end_ms AS endMs, span_ms AS spanMs, session, entries, bytes, requests, retries, throttled, in_flight AS inFlight, lanes, workers, source_calls AS sourceCalls';

/** The rows of a job, oldest first, in a database that may be read only. */
export function readSeries(db: Database): readonly SeriesRow[] {
  return db.prepare(`SELECT ${COLUMNS} FROM series ORDER BY id`).all() as unknown as SeriesRow[];
}

/** Where the job stood when that was written last; undefined when it never was. */
export function readPulse(db: Database): JobPulse | undefined {
  const row = db.prepare('SELECT pulse FROM pulse').get() as { pulse: string } | undefined;
  return row && (JSON.parse(row.pulse) as JobPulse);
}

/** The stretch that is being written: its row is replaced until it is long enough. */
interface Open {
  readonly row: SeriesRow;
  /** What was counted when it began. */
  readonly before: SampledCounts;
  /** When it was written last. */
  readonly writtenMs: number;
}

/**
 * The past of a job, small whatever its length: a row a stretch of time, which all become twice as long when there are
 * too many. Written in transactions that there are anyway, once in three seconds at most.
 */
export class JobSeries {
  readonly #db: Database;
  readonly #put: Statement;
  readonly #putPulse: Statement;
  #sampler: (() => JobSample) | undefined;
  #open: Open | undefined;
  #written: Open | undefined;
  #stepMs = 0;
  #rows = 0;
  #lastId = 0;
  #isDue = false;

  constructor(db: Database) {
    this.#db = db;
    this.#put = new Statement(db, `INSERT OR REPLACE INTO series VALUES (${new Array(13).fill('?').join(', ')})`);
    this.#putPulse = new Statement(db, 'INSERT OR REPLACE INTO pulse VALUES (1, ?, ?)');
  }

  /** A session begins: from the next transaction on `sampler` is asked. */
  begin(sampler: () => JobSample): void {
    const rows = readSeries(this.#db);
    this.#rows = rows.length;
    this.#lastId = rows.at(-1)?.id ?? 0;
    this.#stepMs = stepOf(rows);
    this.#sampler = sampler;
    this.#open = undefined;
  }

  /** Where the job stood in the session before. */
  pulse(): JobPulse | undefined {
    return readPulse(this.#db);
  }

  /** Something happened that is to be seen soon: the next transaction writes, whenever the last one did. */
  due(): void {
    this.#isDue = true;
  }

  /** Called at the end of each transaction, as part of it. */
  take(nowMs: number): void {
    if (!this.#sampler) return;
    const open = this.#open;
    if (!open) {
      this.#open = emptyAfter(this.#lastId, nowMs, this.#sampler());
      return;
    }
    if (nowMs < open.writtenMs) {
      // A clock that was set back begins a stretch, with what was counted since the one before was written.
      this.#open = { ...emptyAfter(open.row.id, nowMs, this.#sampler()), before: countedBy(open) };
      return;
    }
    const spanMs = nowMs - open.writtenMs;
    if (spanMs < BEAT_MS && !this.#isDue) return;
    this.#isDue = false;
    const sample = this.#sampler();
    this.#putPulse.run(nowMs, JSON.stringify(sample.pulse()));
    if (spanMs === 0 && !hasMore(open, sample)) return;
    const row = extended(open, sample, spanMs, nowMs);
    this.#write(row);
    if (row.spanMs < this.#stepMs) {
      this.#written = { ...open, row, writtenMs: nowMs };
      return;
    }
    const id = ++this.#rows > MOST_ROWS ? this.#thin() : row.id;
    this.#written = emptyAfter(id, nowMs, sample);
  }

  /** The transaction is durable. */
  committed(): void {
    if (this.#written) this.#open = this.#written;
    this.#written = undefined;
  }

  /** The transaction was undone: what it wrote is not there. */
  undone(): void {
    this.#written = undefined;
  }

  #write(row: SeriesRow): void {
    const { id, endMs, spanMs, session } = row;
    const counts = COUNTS.map((name) => row[name]);
    this.#put.run(id, endMs, spanMs, session, ...counts, ...LEVELS.map((name) => row[name]));
  }

  /** Makes one row of two. @returns the last id */
  #thin(): number {
    const rows = halved(readSeries(this.#db));
    this.#db.exec('DELETE FROM series');
    for (const row of rows) this.#write(row);
    this.#rows = rows.length;
    this.#stepMs *= 2;
    return rows.length;
  }
}

/** Rows of twice the length; of two sessions only where each has a single one left. */
export function halved(rows: readonly SeriesRow[]): readonly SeriesRow[] {
  const within = paired(rows, (a, b) => a.session === b.session);
  const result = within.length > (rows.length * 3) / 4 ? paired(within, () => true) : within;
  return result.map((row, at) => ({ ...row, id: at + 1 }));
}

function paired(rows: readonly SeriesRow[], isPair: (a: SeriesRow, b: SeriesRow) => boolean): readonly SeriesRow[] {
  const result: SeriesRow[] = [];
  for (let at = 0; at < rows.length; at++) {
    const [first, second] = [rows[at], rows[at + 1]];
    if (second === undefined || !isPair(first, second)) result.push(first);
    else {
      result.push(joined(first, second));
      at++;
    }
  }
  return result;
}

function joined(first: SeriesRow, second: SeriesRow): SeriesRow {
  const spanMs = first.spanMs + second.spanMs;
  const sums = COUNTS.map((name) => [name, first[name] + second[name]]);
  const means = LEVELS.map((name) => [
    name,
    (first[name] * first.spanMs + second[name] * second.spanMs) / Math.max(1, spanMs),
  ]);
  return { ...second, spanMs, ...Object.fromEntries([...sums, ...means]) };
}

function emptyAfter(id: number, nowMs: number, { session, counts, levels }: JobSample): Open {
  const nothing = { entries: 0, bytes: 0, requests: 0, retries: 0, throttled: 0 };
  const row = { id: id + 1, endMs: nowMs, spanMs: 0, session, ...nothing, ...levels };
  return { row, before: counts, writtenMs: nowMs };
}

/** What had been counted when a stretch was written. */
function countedBy({ row, before }: Open): SampledCounts {
  return Object.fromEntries(COUNTS.map((name) => [name, before[name] + row[name]])) as unknown as SampledCounts;
}

/** Whether something was counted since the stretch was written, be it within the same millisecond. */
function hasMore(open: Open, { counts }: JobSample): boolean {
  const counted = countedBy(open);
  return COUNTS.some((name) => counts[name] > counted[name]);
}

/** What was taken off, to be done anew, makes no stretch negative. */
function extended({ row, before }: Open, sample: JobSample, moreMs: number, endMs: number): SeriesRow {
  const spanMs = row.spanMs + moreMs;
  const counts = COUNTS.map((name) => [name, Math.max(0, sample.counts[name] - before[name])]);
  const mean = (name: keyof SampledLevels) => (row[name] * row.spanMs + sample.levels[name] * moreMs) / spanMs;
  const levels = LEVELS.map((name) => [name, spanMs === 0 ? sample.levels[name] : mean(name)]);
  return { ...row, endMs, spanMs, ...Object.fromEntries([...counts, ...levels]) };
}

/** How long the rows were when the session before ended: half of them are of this length at least. */
function stepOf(rows: readonly SeriesRow[]): number {
  const spans = rows.map(({ spanMs }) => spanMs).sort((a, b) => a - b);
  const median = spans[Math.floor(spans.length / 2)] ?? 0;
  let stepMs = BEAT_MS;
  while (stepMs * 2 <= median) stepMs *= 2;
  return stepMs;
}

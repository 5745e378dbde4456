import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../sqlite/database.js';
import type { JobPulse } from './job-pulse.js';
import {
  halved,
  type JobSample,
  JobSeries,
  readPulse,
  readSeries,
  SERIES_TABLES,
  type SeriesRow,
} from './job-series.js';

const PULSE = { phase: 'Transfer', census: { types: [], sizes: [], directories: [] } } as unknown as JobPulse;

/** A job whose counters a test moves, on a clock of the test's own. */
class Job {
  readonly db: Database = openDatabase(':memory:');
  nowMs = 1_700_000_000_000;
  entries = 0;
  requests = 0;
  session = 1;
  inFlight = 4;
  #series = new JobSeries(this.db);

  constructor() {
    this.db.exec(SERIES_TABLES);
    this.begin();
  }

  begin(): void {
    this.#series = new JobSeries(this.db);
    this.#series.begin(() => this.#sample());
    this.turn(0, 0);
  }

  /** So much time goes by, so much is done in it, and then there is a transaction. */
  turn(ms: number, entries: number, { last = false, undone = false } = {}): void {
    this.nowMs += ms;
    this.entries += entries;
    this.requests += entries;
    if (last) this.#series.due();
    this.db.exec('BEGIN');
    this.#series.take(this.nowMs);
    this.db.exec(undone ? 'ROLLBACK' : 'COMMIT');
    if (undone) this.#series.undone();
    else this.#series.committed();
  }

  rows(): readonly SeriesRow[] {
    return readSeries(this.db);
  }

  #sample(): JobSample {
    const counts = {
      entries: this.entries,
      bytes: this.entries * 10,
      requests: this.requests,
      retries: 0,
      throttled: 0,
    };
    const levels = { inFlight: this.inFlight, lanes: 1, workers: 0, sourceCalls: 0 };
    return { session: this.session, counts, levels, pulse: () => PULSE };
  }
}

const sum = (rows: readonly SeriesRow[], of: (row: SeriesRow) => number) => rows.reduce((all, row) => all + of(row), 0);

describe('the past of a job', () => {
  it('has what was done, in stretches, written once in three seconds at most', () => {
    const job = new Job();
    for (let second = 1; second <= 10; second++) job.turn(1000, second);
    expect(job.rows().map(({ spanMs, entries, bytes }) => [spanMs, entries, bytes])).toEqual([
      [3000, 6, 60],
      [3000, 15, 150],
      [3000, 24, 240],
    ]);
    expect(readPulse(job.db)).toEqual(PULSE);
  });

  it('ends with the session, and goes on with the next: the time between them is in no row', () => {
    const job = new Job();
    job.turn(1000, 5, { last: true });
    job.nowMs += 3_600_000;
    job.session = 2;
    // What was counted again from nothing, such as requests, does not show as a fall.
    job.requests = 0;
    job.begin();
    job.turn(4000, 7);
    expect(job.rows().map(({ session, spanMs, entries, requests }) => [session, spanMs, entries, requests])).toEqual([
      [1, 1000, 5, 5],
      [2, 4000, 7, 7],
    ]);
  });

  it('has what was done in the millisecond in which the session ends', () => {
    const job = new Job();
    job.turn(0, 5, { last: true });
    expect(job.rows()).toMatchObject([{ spanMs: 0, entries: 5, inFlight: 4 }]);
    job.turn(10, 1, { last: true });
    expect(job.rows()).toMatchObject([{ spanMs: 10, entries: 6, inFlight: 4 }]);
  });

  it('means what stood over the time that it stood, when two rows become one', () => {
    const job = new Job();
    job.turn(3000, 5);
    job.inFlight = 12;
    job.turn(1000, 7, { last: true });
    const [row, ...more] = halved(job.rows());
    expect(more).toEqual([]);
    expect(row).toMatchObject({ id: 1, spanMs: 4000, entries: 12, bytes: 120, inFlight: 6 });
  });

  it('is as it was when a transaction was undone', () => {
    const job = new Job();
    job.turn(3000, 5);
    const before = job.rows();
    job.turn(3000, 7, { undone: true });
    expect(job.rows()).toEqual(before);
    job.turn(0, 0, { last: true });
    expect(sum(job.rows(), ({ entries }) => entries)).toBe(12);
  });

  it('goes on when the clock is set back', () => {
    const job = new Job();
    job.turn(3000, 5);
    job.turn(-3_600_000, 5);
    job.turn(3000, 5);
    expect(job.rows().every(({ spanMs }) => spanMs > 0)).toBe(true);
    expect(sum(job.rows(), ({ entries }) => entries)).toBe(15);
  });

  it('stays small over a day, and loses nothing of the sums', () => {
    const job = new Job();
    let most = 0;
    for (let beat = 0; beat < 24 * 1200; beat++) {
      job.turn(3000, 3);
      if (beat % 500 === 0) most = Math.max(most, job.rows().length);
    }
    const rows = job.rows();
    expect(most).toBeLessThanOrEqual(721);
    expect(rows.length).toBeGreaterThan(300);
    expect(sum(rows, ({ entries }) => entries)).toBe(24 * 1200 * 3);
    expect(sum(rows, ({ spanMs }) => spanMs)).toBe(24 * 3_600_000);
  });

  it('whatever happens: no more than is allowed, in order, and nothing counted twice', () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 60_000 }),
      entries: fc.nat(100),
      what: fc.constantFrom('turn', 'turn', 'turn', 'undone', 'session'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const job = new Job();
        for (const { ms, entries, what } of steps) {
          if (what === 'session') {
            job.turn(ms, entries, { last: true });
            job.session++;
            job.begin();
          } else job.turn(ms, entries, { undone: what === 'undone' });
        }
        job.turn(1, 0, { last: true });
        const rows = job.rows();
        expect(rows.length).toBeLessThanOrEqual(721);
        expect(sum(rows, ({ entries }) => entries)).toBe(job.entries);
        for (let at = 1; at < rows.length; at++)
          expect(rows[at].endMs - rows[at].spanMs).toBeGreaterThanOrEqual(rows[at - 1].endMs);
      }),
      { numRuns: 40, examples: [[[{ ms: 0, entries: 1, what: 'session' }]]] },
    );
  });
});

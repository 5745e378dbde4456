import { describe, expect, it } from 'vitest';
import { emptyState } from '../../test/support/empty-state.js';
import { openDatabase } from '../sqlite/database.js';
import { readNow } from './job-now.js';
import type { JobPulse } from './job-pulse.js';
import { JobSeries } from './job-series.js';

/** The state of a job that has recorded so much of itself in its second session. */
function recorded(pulse: Partial<JobPulse>) {
  const db = emptyState();
  const series = new JobSeries(db);
  const counts = { entries: 1, bytes: 2, requests: 3, retries: 0, throttled: 0 };
  const levels = { inFlight: 4, lanes: 1, workers: 0, sourceCalls: 0 };
  const whole = { phase: 'Transfer', waitingSinceMs: 0, ...pulse } as JobPulse;
  series.begin(() => ({ session: 2, counts, levels, pulse: () => whole }));
  series.take(1000);
  series.committed();
  series.due();
  series.take(2000);
  series.committed();
  return db;
}
const CALLS = { mode: 'blocking' } as unknown as NonNullable<JobPulse['source']>['calls'];

describe('where a running job stands', () => {
  it('is its phase alone while no totals are known and all answers', () => {
    for (const pulse of [{}, { source: { calls: CALLS, awaySinceMs: 0 } }]) {
      const db = recorded(pulse);
      expect(readNow(db, 2)).toEqual({ phase: 'Transfer' });
      db.close();
    }
  });

  it('names what does not answer, since when, and which path is asked for', () => {
    const stalled = { sinceMs: 1_700_000_003_000, pathHex: Buffer.from('d/\xff\n', 'latin1').toString('hex') };
    const db = recorded({
      total: 7,
      waitingSinceMs: 1_700_000_001_000,
      source: { calls: CALLS, awaySinceMs: 1_700_000_002_000, stalled },
    });
    expect(readNow(db, 2)).toEqual({
      phase: 'Transfer',
      total: 7,
      serviceAwaySince: '2023-11-14T22:13:21.000Z',
      sourceAwaySince: '2023-11-14T22:13:22.000Z',
      stalled: { since: '2023-11-14T22:13:23.000Z', path: 'd/\\xff\\x0a', pathHex: '642fff0a' },
    });
    db.close();
  });

  it('is not that of a session before, and is not known of a job of an older program or one that has just begun', () => {
    const db = recorded({});
    expect(readNow(db, 3)).toBeUndefined();
    db.close();
    const begun = emptyState();
    expect(readNow(begun, 1)).toBeUndefined();
    begun.close();
    const older = openDatabase(':memory:');
    expect(readNow(older, 1)).toBeUndefined();
    older.close();
  });
});

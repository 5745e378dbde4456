import { describe, expect, it } from 'vitest';
import { CommandContent } from './command-content.js';
import { SERIES_COLUMNS } from './model.js';

const ENTRIES = SERIES_COLUMNS.indexOf('entries');
const content = () => new CommandContent({ title: 'verify', from: 'a · b', to: '' });

describe('a command without a state', () => {
  it('says that it has no status, and not that there is none yet', () => {
    expect(() => content().status()).toThrow('This command has no state, and so no status.');
  });

  it('has a past for as long as it runs, which stays small and loses nothing', () => {
    const verify = content();
    const begun = Date.now();
    for (let second = 0; second < 5000; second++)
      verify.take(
        { label: 'Comparing', unit: 'entries', done: second * 7, total: 40_000 },
        begun + 1000 * (second + 1),
      );
    const { series, now: at } = verify.look();
    expect(series.length).toBeLessThanOrEqual(720);
    expect(series.length).toBeGreaterThan(300);
    const counted = series.reduce((sum, row) => sum + row[ENTRIES], 0);
    // The last stretch is not over.
    expect(counted).toBeGreaterThan(4990 * 7 - 8 * 7);
    expect(counted).toBeLessThanOrEqual(4999 * 7);
    expect(at).toMatchObject({ state: 'running', done: 4999 * 7, total: 40_000 });
    expect(at.entriesPerSecond).toBeCloseTo(7, 1);
    expect(at.secondsLeft).toBeGreaterThan(0);
  });

  it('counts anew when it does something else, and has all in the end', () => {
    const verify = content();
    const now = Date.now();
    expect(verify.look().now.state).toBe('starting');
    verify.take({ label: 'Listing', unit: 'blobs', done: 5000 }, now + 1000);
    verify.take({ label: 'Comparing', unit: 'entries', done: 10 }, now + 3000);
    verify.take({ label: 'Comparing', unit: 'entries', done: 20 }, now + 5000);
    expect(verify.look().series.map((row) => row[ENTRIES])).toEqual([10]);
    verify.say('* a\u001b[31m: different\nb\n');
    verify.end({ finalStatus: 'Found', done: 99, failed: 0, bytes: 7 });
    const { now: at, log, job } = verify.look();
    expect(at).toMatchObject({ state: 'finished', finalStatus: 'Found', done: 99, bytes: 7 });
    expect(log).toEqual(['* a\\x1b[31m: different', 'b']);
    expect(job).toMatchObject({ kind: 'command', phases: ['Comparing'] });
  });
});

import { describe, expect, it } from 'vitest';
import { metricsText } from './metrics.js';
import { nothingYet } from './nothing-yet.js';

const nothing = nothingYet('1.0.0', []);

describe('the metrics', () => {
  it('escape what stands in a label', async () => {
    const groups = [{ reason: 'a"b\\c\nd', entries: 3, first: [] }];
    const text = await metricsText({ ...nothing, failures: { groups, listed: 3 } });
    expect(text).toContain('clfsload_failures{reason="a\\"b\\\\c\\nd"} 3\n');
  });

  it('count entries as entries, and the blobs of a listing as blobs', async () => {
    const { job, now } = nothing;
    const at = { ...now, done: 31_000, total: 40_000, entriesPerSecond: 5000 };
    const text = await metricsText({ ...nothing, job: { ...job, kind: 'command', unit: 'blobs' }, now: at });
    expect(text).toContain('clfsload_other_done{unit="blobs"} 31000\n');
    expect(text).not.toMatch(/^clfsload_entries(?:_done|_per_second)? /m);
    const later = await metricsText({ ...nothing, now: at });
    expect(later).toMatch(/^clfsload_entries_done 31000$/m);
    expect(later).not.toContain('other_done');
  });

  it('leave out what is not known: of a command its requests and sessions, too', async () => {
    const job = await metricsText(nothing);
    expect(job).toContain('clfsload_requests_total 0\n');
    expect(job).toContain('clfsload_session 0\n');
    const command = await metricsText({ ...nothing, job: { ...nothing.job, kind: 'command' } });
    expect(command).toContain('clfsload_entries_done 0\n');
    for (const name of [
      'requests_total',
      'retries_total',
      'throttled_total',
      'session',
      'entries_excluded',
      'progress_ratio',
    ])
      expect(command).not.toContain(`clfsload_${name} `);
  });

  it('count workers, and name none of them', async () => {
    const worker = { threads: 1, sinceMs: 0, tasks: 1, unitsPerSecond: 1, bytesPerSecond: 0, units: 1, bytes: 0 };
    const rows = [{ ...worker, name: 'node1/7', slow: true }];
    const workers = { present: 5, slow: 1, troubled: 2, gone: 3, rows };
    const text = await metricsText({ ...nothing, now: { ...nothing.now, workers: 5 }, workers });
    for (const line of ['workers 5', 'workers_slow 1', 'workers_troubled 2', 'workers_gone 3'])
      expect(text).toContain(`\nclfsload_${line}\n`);
    expect(text).not.toContain('node1');
    // Of a job that has ended they say how it was: nothing of that is of now.
    expect(await metricsText({ ...nothing, workers })).not.toContain('clfsload_workers');
  });
});

import { describe, expect, it } from 'vitest';
import type { WorkerStatus } from '../join/worker-status.js';
import { pageWorkers } from './page-workers.js';

const worker = (name: string, more: Partial<WorkerStatus> = {}): WorkerStatus => ({
  name,
  threads: 4,
  since: '2026-11-29T14:00:00.000Z',
  tasks: 2,
  unitsPerSecond: 50,
  megabitsPerSecond: 8,
  units: 1000,
  bytes: 5e6,
  slow: false,
  trouble: undefined,
  gone: undefined,
  ...more,
});

describe('the workers on the page', () => {
  it('are nothing where there are none', () => {
    expect(pageWorkers(undefined)).toEqual({ present: 0, slow: 0, troubled: 0, gone: 0, rows: [] });
  });

  it('have what the status says of them, in bytes and moments', () => {
    const sinceMs = Date.UTC(2026, 10, 29, 14);
    expect(pageWorkers([worker('node1/7')]).rows).toEqual([
      {
        name: 'node1/7',
        threads: 4,
        sinceMs,
        tasks: 2,
        unitsPerSecond: 50,
        bytesPerSecond: 1e6,
        units: 1000,
        bytes: 5e6,
        slow: false,
      },
    ]);
  });

  it('come in the order in which they deserve a look, and are counted', () => {
    const gone = (hour: number) => ({ gone: `2026-11-29T1${hour}:00:00.000Z`, trouble: 'it was told to end' });
    const all = pageWorkers([
      worker('early', gone(1)),
      worker('well'),
      worker('slow', { slow: true }),
      worker('late', gone(3)),
      worker('waits', { trouble: 'the service does not answer' }),
    ]);
    expect(all.rows.map(({ name }) => name)).toEqual(['slow', 'waits', 'well', 'late', 'early']);
    expect(all).toMatchObject({ present: 3, slow: 1, troubled: 1, gone: 2 });
    expect(all.rows[3]).toMatchObject({ goneMs: Date.UTC(2026, 10, 29, 13), trouble: 'it was told to end' });
  });

  it('are listed up to a hundred, and counted all, whoever is slow among them', () => {
    const many = Array.from({ length: 300 }, (_, at) => worker(`node${at}/1`, { slow: at === 299 }));
    const { rows, present } = pageWorkers(many);
    expect([present, rows.length, rows[0].name]).toEqual([300, 100, 'node299/1']);
  });

  it('have names and reasons of one line that no terminal obeys', () => {
    const [row] = pageWorkers([worker('a\nb\x1b[31m\u202e', { trouble: 'gone\r\nINFO: all is well\x07' })]).rows;
    expect([row.name, row.trouble]).toEqual(['a b\\x1b[31m\\xe2\\x80\\xae', 'gone\\x0d INFO: all is well\\x07']);
  });
});

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { jobStatus } from '../src/load/job-status.js';
import { load } from '../src/load/load.js';
import type { LoadOptions } from '../src/load/options.js';
import type { ProgressSnapshot } from '../src/load/progress.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-load-progress-'));
afterAll(() => removeTree(base));
const DIRECTORIES = 12;
const FILES = 40;
const source = join(base, 'source');
for (let directory = 0; directory < DIRECTORIES; directory++) {
  mkdirSync(join(source, `d${directory}`), { recursive: true });
  for (let file = 0; file < FILES; file++)
    writeFileSync(join(source, `d${directory}`, `f${file}`), someBytes(100 + 3000 * (file % 7), file));
}
const ENTRIES = DIRECTORIES * (FILES + 1) + 1;
const BYTES = DIRECTORIES * Array.from({ length: FILES }, (_, file) => 100 + 3000 * (file % 7)).reduce((a, b) => a + b);

/** A container that calls `onPut` before each put. */
class WatchedContainer extends MemoryContainer {
  onPut: () => void = () => undefined;
  override async put(...put: Parameters<MemoryContainer['put']>): Promise<void> {
    this.onPut();
    // Results are recorded while others are on their way.
    await setTimeout(20);
    return super.put(...put);
  }
}

describe('the share of a load that is done', () => {
  it('never falls, over sessions that were stopped too, and is not 1000 before the end', async () => {
    const container = new WatchedContainer();
    const statePath = join(base, 'state');
    const seen: number[] = [];
    let last: ProgressSnapshot | undefined;
    const session = async (stopAt: number, more: Partial<LoadOptions>) => {
      const stop = new AbortController();
      last = undefined;
      let snapshot: (() => ProgressSnapshot) | undefined;
      container.onPut = () => {
        if (snapshot) {
          last = snapshot();
          seen.push(last.permille);
        }
        if (last && last.permille >= stopAt) stop.abort();
      };
      return load({
        source,
        destination: '/unused',
        statePath,
        internals: { container },
        signal: stop.signal,
        onStart: (given) => {
          snapshot = given;
        },
        ...more,
      });
    };
    const size = { entries: ENTRIES, bytes: 1_000_000 };
    expect((await session(100, { knownSize: size })).status).toBe('Cancelled');
    const first = seen.length;
    expect(Math.max(...seen)).toBeGreaterThanOrEqual(100);
    expect((await session(500, { newSession: false })).status).toBe('Cancelled');
    expect(seen.length).toBeGreaterThan(first);
    // The totals are known from the first session.
    expect(seen[first]).toBeGreaterThanOrEqual(seen[first - 1]);
    expect(last).toMatchObject({ totalsKnown: true, bytesTotal: expect.any(Number) as number });
    expect((await session(1001, { newSession: false })).status).toBe('Completed');
    for (let at = 1; at < seen.length; at++) expect(seen[at]).toBeGreaterThanOrEqual(seen[at - 1]);
    expect(Math.max(...seen)).toBeLessThan(1000);
    expect(Math.max(...seen)).toBeGreaterThan(900);
  });

  it('is that of all that is recorded when a session has ended, also of what came while it stopped', async () => {
    const container = new WatchedContainer();
    const statePath = join(base, 'stopped');
    const stop = new AbortController();
    let puts = 0;
    container.onPut = () => {
      if (++puts === 40) stop.abort();
    };
    const size = { entries: ENTRIES, bytes: BYTES };
    const start = { source, destination: '/unused', statePath, internals: { container } };
    const summary = await load({ ...start, knownSize: size, signal: stop.signal });
    expect(summary.status).toBe('Cancelled');
    const { entriesDone, bytesDone, permille } = jobStatus(statePath);
    const work = (entries: number, bytes: number) => 65536 * entries + bytes;
    expect(entriesDone).toBeGreaterThan(0);
    expect(permille).toBe(Math.floor((1000 * work(entriesDone, bytesDone)) / work(ENTRIES, BYTES)));
    expect(summary.progress.permille).toBe(permille);
    let first: number | undefined;
    const onStart = (snapshot: () => ProgressSnapshot) => {
      first = snapshot().permille;
    };
    await load({ ...start, newSession: false, onStart });
    expect(first).toBe(permille);
    expect(jobStatus(statePath).permille).toBe(1000);
  });

  it('is 0 while the totals are not known', async () => {
    const container = new WatchedContainer();
    const seen: ProgressSnapshot[] = [];
    await load({
      source,
      destination: '/unused',
      statePath: join(base, 'unknown'),
      internals: { container },
      onStart: (snapshot) => {
        container.onPut = () => seen.push(snapshot());
      },
    });
    const unknown = seen.filter(({ totalsKnown }) => !totalsKnown);
    expect(unknown.length).toBeGreaterThan(0);
    for (const { permille } of unknown) expect(permille).toBe(0);
    for (let at = 1; at < seen.length; at++) expect(seen[at].permille).toBeGreaterThanOrEqual(seen[at - 1].permille);
  });
});

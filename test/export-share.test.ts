import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sharePermille } from '../src/books/work-share.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { exportStatus } from '../src/export/export-status.js';
import type { ExportJobOptions, ExportProgress } from '../src/export/options.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { load } from '../src/load/load.js';
import { metricsText } from '../src/page/metrics.js';
import { RecordedModel } from '../src/page/recorded-model.js';
import { PosixError } from '../src/posix/posix-error.js';
import { SMALL } from './support/check.js';
import { exportSmall } from './support/export-small.js';
import { loadSmall } from './support/small-container.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-share-'));
afterAll(() => removeTree(base));
const tree = join(base, 'tree');
const FILES = 20;
let memory: MemoryContainer;

beforeAll(async () => {
  mkdirSync(tree);
  for (let file = 0; file < FILES; file++) writeFileSync(join(tree, `file-${file}`), someBytes(3000, file));
  memory = await loadSmall(tree, base);
});

it('the share of an export that is said never falls, whatever is tried again', async () => {
  const statePath = join(base, 'state');
  const target = join(base, 'target');
  const page = new RecordedModel(statePath);
  /** What the line says, and what the page says, in the order in which it could be read. */
  const line: number[] = [];
  const shown: number[] = [];
  let snapshot: (() => ExportProgress) | undefined;
  const read = () => {
    line.push(snapshot?.().permille ?? 0);
    const { now } = page.look();
    // In the end it says what was done: that of what has failed, nothing was.
    if (now.finalStatus !== 'CompletedWithErrors') shown.push(now.permille ?? 0);
  };
  let writes = 0;
  const session = async (write: TargetCalls['write'], options: Partial<ExportJobOptions>) => {
    const seen = (...args: Parameters<TargetCalls['write']>) => {
      writes++;
      read();
      write(...args);
    };
    const summary = await exportSmall(memory, base, target, {
      statePath,
      newSession: false,
      ...options,
      onStart: (look) => {
        snapshot = look;
        read();
      },
      internals: { calls: { ...SYSTEM_CALLS, write: seen } },
    });
    read();
    return summary;
  };
  const refuse = () => {
    throw new PosixError('write', 5);
  };
  const first = await session(refuse, { newSession: true });
  expect([first.status, first.failed, first.permille]).toEqual(['CompletedWithErrors', FILES, 999]);
  // Of all entries the directory was done.
  const share = Math.floor(1000 / (FILES + 1));
  const ended = page.look();
  expect(ended.now).toMatchObject({ state: 'stopped', permille: share, done: 1, failed: FILES });
  expect(exportStatus(statePath)).toMatchObject({ permille: share, finalStatus: 'CompletedWithErrors' });
  expect(await metricsText(ended)).toContain(`clfsload_progress_ratio ${share / 1000}\n`);
  const stop = new AbortController();
  const second = await session(
    (...args) => {
      if (writes === FILES + 5) stop.abort();
      SYSTEM_CALLS.write(...args);
    },
    { signal: stop.signal },
  );
  expect(second.status).toBe('Cancelled');
  const third = await session(SYSTEM_CALLS.write, {});
  expect(third.status).toBe('Completed');
  expect(line.length).toBeGreaterThan(2 * FILES);
  for (const seen of [line, shown]) expect([...seen].sort((a, b) => a - b)).toEqual(seen);
  expect(shown.at(-1)).toBe(1000);
  expect(Math.max(...line)).toBe(999);
});

it('the share of an export that was stopped is that of all that is recorded', async () => {
  const statePath = join(base, 'state-stopped');
  const stop = new AbortController();
  let writes = 0;
  const write = (...args: Parameters<TargetCalls['write']>) => {
    if (++writes === 5) stop.abort();
    SYSTEM_CALLS.write(...args);
  };
  const summary = await exportSmall(memory, base, join(base, 'target-stopped'), {
    statePath,
    newSession: true,
    signal: stop.signal,
    internals: { calls: { ...SYSTEM_CALLS, write } },
  });
  expect(summary.status).toBe('Cancelled');
  const { written, permille } = exportStatus(statePath);
  expect(written).toBeGreaterThan(0);
  // The directory is one of the entries.
  expect(permille).toBe(sharePermille({ done: written, total: FILES + 1, ...summary.content }));
});

it.each(['LZ4', 'DISABLED'] as const)(
  'the share of an export of a few large files (%s) moves with their bytes, over sessions too',
  async (compression) => {
    const few = mkdtempSync(join(base, 'few-'));
    // Whatever comes first, the other one is stored in another number of bytes.
    const bytes = 30 * SMALL.fileSegmentBytes;
    writeFileSync(join(few, 'compressible'), Buffer.alloc(bytes, 'all the same '));
    writeFileSync(join(few, 'incompressible'), someBytes(bytes, 1));
    const container = new MemoryContainer();
    const made = mkdtempSync(join(base, 'made-'));
    const options = { source: few, destination: '/unused', statePath: made, compression };
    expect((await load({ ...options, internals: { container, geometry: SMALL } })).status).toBe('Completed');

    const statePath = join(made, 'export');
    const target = join(made, 'target');
    const shares: number[] = [];
    const contents: ExportProgress['content'][] = [];
    let written = 0;
    const session = (newSession: boolean, stopAfter: number) => {
      const stop = new AbortController();
      let writes = 0;
      let snapshot: (() => ExportProgress) | undefined;
      const look = () => {
        const { permille = 0, content } = snapshot?.() ?? {};
        shares.push(permille);
        contents.push(content);
      };
      const write = (...args: Parameters<TargetCalls['write']>) => {
        SYSTEM_CALLS.write(...args);
        written += args[1].length;
        look();
        if (++writes === stopAfter) stop.abort();
      };
      return exportSmall(container, base, target, {
        statePath,
        newSession,
        signal: stop.signal,
        onStart: (told) => {
          snapshot = told;
          look();
        },
        internals: { calls: { ...SYSTEM_CALLS, write } },
      });
    };
    const first = await session(true, 25);
    expect(first.status).toBe('Cancelled');
    const before = contents.length;
    expect((await session(false, Number.POSITIVE_INFINITY)).status).toBe('Completed');
    // By entries alone nothing but thirds could be said; how many more depends on when results are recorded.
    expect(new Set(shares).size).toBeGreaterThan(4);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    expect(Math.max(...shares)).toBeLessThan(1000);
    expect(contents.every((content) => content === undefined || content.stored)).toBe(true);
    // What was written before counts from the beginning.
    expect(contents[before]?.bytes).toBeGreaterThan(0);
    expect(contents[before]?.bytes).toBe(first.content?.bytes);
    expect(written).toBeGreaterThanOrEqual(2 * bytes);
  },
);

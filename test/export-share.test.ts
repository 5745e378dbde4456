import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { exportStatus } from '../src/export/export-status.js';
import type { ExportJobOptions, ExportProgress } from '../src/export/options.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { metricsText } from '../src/page/metrics.js';
import { RecordedModel } from '../src/page/recorded-model.js';
import { PosixError } from '../src/posix/posix-error.js';
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
  expect(permille).toBe(Math.floor((1000 * written) / (FILES + 1)));
});

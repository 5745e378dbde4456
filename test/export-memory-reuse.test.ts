import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Container } from '../src/container/container.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { SYSTEM_CALLS, SYSTEM_CALLS_LATER } from '../src/export/target/target-calls.js';
import { GEOMETRY } from '../src/format/geometry.js';
import { load } from '../src/load/load.js';
import { exportSmall } from './support/export-small.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-memory-reuse-'));
afterAll(() => removeTree(base));
const source = join(base, 'source');
const store = new MemoryContainer();
const SEGMENTS = 5;
const FILES = ['compressible', 'random'];

beforeAll(async () => {
  mkdirSync(source);
  const line = (f: number, n: number) =>
    Buffer.from(`line ${n} of a file that LZ4 can make shorter, file ${f};  `.repeat(4000));
  writeFileSync(join(source, 'compressible'), Buffer.concat(Array.from({ length: 190 }, (_, n) => line(1, n))));
  writeFileSync(join(source, 'random'), someBytes(SEGMENTS * GEOMETRY.fileSegmentBytes, 1));
  const { status } = await load({
    source,
    destination: '/unused',
    statePath: join(base, 'state'),
    internals: { container: store },
  });
  expect(status).toBe('Completed');
});

it.each(['at once', 'later'])('what is written %s is never of memory that is used again meanwhile', async (way) => {
  let taken = 0;
  const container: Container = {
    put: (...how) => store.put(...how),
    async get(name, limit) {
      const blob = await store.get(name, limit);
      const own = Buffer.alloc(blob.length);
      blob.copy(own);
      return own;
    },
    list: (prefix) => store.list(prefix),
    listsByPrefix: true,
    delete: (name) => store.delete(name),
    flush: () => store.flush(),
    tidy: () => store.tidy(),
    ready: () => undefined,
    lateArrivalMs: 0,
    uncertainUntilMs: 0,
    close: () => store.close(),
    giveBack(blob) {
      taken++;
      Buffer.from(blob.buffer).fill(0xee);
    },
  };
  const target = join(base, `target-${way}`);
  const laterCalls = way === 'later' ? SYSTEM_CALLS_LATER : undefined;
  const { status, failed } = await exportSmall(container, base, target, {
    geometry: GEOMETRY,
    internals: { calls: SYSTEM_CALLS, laterCalls },
  });
  expect({ status, failed }).toEqual({ status: 'Completed', failed: 0 });
  expect(taken).toBeGreaterThanOrEqual(SEGMENTS);
  for (const name of FILES)
    expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name))), name).toBe(true);
});

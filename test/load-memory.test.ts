import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { GEOMETRY } from '../src/format/geometry.js';
import { load } from '../src/load/load.js';
import { expectFaithful, SMALL } from './support/check.js';
import { countEntries, makeTree, removeTree } from './support/tree.js';

describe('load into a container in memory', () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-load-'));
  const source = join(base, 'source');
  beforeAll(() =>
    makeTree(source, {
      bulk: 1200,
      sizes: [0, 1, 599, 600, 601, 2600, 2601, 8600, 8601, 14600, 14601, 32601, 86600, 86601],
    }),
  );
  afterAll(() => removeTree(base));

  describe.each([
    ['real', GEOMETRY],
    ['small', SMALL],
  ] as const)('with %s sizes', (_, geometry) => {
    it.each([
      ['LZ4', false],
      ['LZ4', true],
      ['DISABLED', false],
      ['DISABLED', true],
    ] as const)(
      '%s, hard links preserved: %s: every byte, attribute and link is there',
      async (compression, preserveHardLinks) => {
        const container = new MemoryContainer();
        const summary = await load({
          source,
          destination: '/unused',
          statePath: join(base, `state-${geometry.fanOut}-${compression}-${preserveHardLinks}`),
          compression,
          preserveHardLinks,
          internals: { container, geometry },
        });
        expect(summary.error).toBeUndefined();
        expect(summary.status).toBe('Completed');
        if (!preserveHardLinks) expect(summary.progress.filesDone).toBe(countEntries(source));
        await expectFaithful(source, container, geometry);
      },
    );
  });
});

import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { expectFaithful } from './support/check.js';
import { runProgram } from './support/program.js';
import { countEntries, makeTree, removeTree } from './support/tree.js';

describe('load with threads, a tree of every kind of entry', () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-threads-'));
  const source = join(base, 'source');
  let azurite: Azurite;
  let entries = 0;
  beforeAll(async () => {
    await makeTree(source, { bulk: 1200 });
    entries = countEntries(source);
    azurite = await startAzurite();
  });
  afterAll(async () => {
    await azurite.stop();
    removeTree(base);
  });

  describe.each([
    ['LZ4', false],
    ['LZ4', true],
    ['DISABLED', false],
    ['DISABLED', true],
  ] as const)('%s, hard links preserved: %s', (compression, links) => {
    const key = `${compression.toLowerCase()}-${links}`;
    const flags = [`--compression-type=${compression}`, `--preserve-hardlinks=${links}`];

    it('into a container on disk', async () => {
      expect(entries).toBeGreaterThan(1200);
      const destination = join(base, `container-${key}`);
      const run = await runProgram('azcopy', [
        'load',
        'clfs',
        source,
        destination,
        `--state-path=${join(base, `state-${key}`)}`,
        ...flags,
      ]);
      expect(run.stdout).toContain('Final Job Status: Completed\n');
      expect(run.code).toBe(0);
      if (!links) expect(run.stdout).toContain(`Number of Transfers Completed: ${entries}\n`);
      expect(readdirSync(destination).filter((name) => name.startsWith('.'))).toEqual([]);
      const container = await openLocalContainer(destination);
      await expectFaithful(source, container);
      await container.close();
    });

    it('into Azurite', async () => {
      const url = await azurite.createContainer(`load-${key}`);
      const run = await runProgram('azcopy', [
        'load',
        'clfs',
        source,
        url,
        `--state-path=${join(base, `state-azurite-${key}`)}`,
        ...flags,
      ]);
      expect(run.stdout).toContain('Final Job Status: Completed\n');
      expect(run.code).toBe(0);
      const { place, query } = parseContainer(url);
      const container = await openContainer(
        place,
        { query, bearer: '' },
        { retryWindowMs: 5000, traffic: new Traffic(1) },
      );
      await expectFaithful(source, container);
      await container.close();
    });
  });
});

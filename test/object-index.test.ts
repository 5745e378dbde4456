import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { encodeObjectNameV1 } from '../src/format/names.js';
import { indexContainer } from '../src/namespace/object-index.js';
import { containerListing, indexContract } from './support/index-contract.js';
import { openFiles } from './support/open-files.js';

describe('an index in memory', () => indexContract((container) => indexContainer(container)));
// Four, and no piece of either length: the last run is shorter, and one is longer than what is sorted by comparisons.
describe('an index on disk, of many short runs', () =>
  indexContract((container) => indexContainer(container, { memoryObjects: 4 }), 2400));
describe('an index on disk, of long runs', () =>
  indexContract((container) => indexContainer(container, { memoryObjects: 9000 }), 20_000));

describe('an index that is closed', () => {
  it('leaves no descriptor open, also when the listing fails', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'clfs-index-'));
    vi.stubEnv('TMPDIR', directory);
    const names = Array.from({ length: 30 }, (_, i) => ({
      name: encodeObjectNameV1(Buffer.alloc(16, i), 9),
      sizeBytes: 1,
    }));
    const index = await indexContainer(containerListing(names), { memoryObjects: 4 });
    // What counts, and what is superseded.
    expect(openFiles(directory)).toHaveLength(2);
    index.close();
    expect(openFiles(directory)).toEqual([]);
    const failing = containerListing([]);
    let opened = 0;
    failing.list = async function* () {
      yield names;
      opened = openFiles(directory).length;
      throw new Error('the service is gone');
    };
    await expect(indexContainer(failing, { memoryObjects: 4 })).rejects.toThrow('gone');
    expect(opened).toBe(1);
    expect(openFiles(directory)).toEqual([]);
    expect(readdirSync(directory)).toEqual([]);
    vi.unstubAllEnvs();
    rmSync(directory, { recursive: true });
  });
});

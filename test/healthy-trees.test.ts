import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { load } from '../src/load/load.js';
import { findingsOf, SMALL } from './support/check.js';
import { randomNumbers, someBytes } from './support/tree.js';

const next = randomNumbers(99);

it('300 random healthy trees have no finding', async () => {
  const place = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-healthy-'));
  try {
    for (let tree = 0; tree < 300; tree++) {
      const source = join(place, 'source');
      const directories = [source];
      mkdirSync(source);
      const files: string[] = [];
      for (let entry = next() % 25; entry > 0; entry--) {
        const path = join(directories[next() % directories.length], `e${entry}-${'n'.repeat(next() % 60)}`);
        const kind = next() % 6;
        if (kind === 0) {
          mkdirSync(path);
          directories.push(path);
        } else if (kind === 1) symlinkSync('t'.repeat(1 + (next() % 300)), path);
        else if (kind === 2 && files.length > 0) linkSync(files[next() % files.length], path);
        else {
          writeFileSync(path, someBytes(next() % (kind === 3 ? 40_000 : 900), tree));
          files.push(path);
        }
      }
      const container = new MemoryContainer();
      const compression = tree % 2 === 0 ? 'LZ4' : 'DISABLED';
      await load({
        source,
        destination: '/unused',
        statePath: join(place, 'state'),
        compression,
        preserveHardLinks: tree % 3 > 0,
        internals: { container, geometry: SMALL },
      });
      expect(await findingsOf(container, SMALL), `tree ${tree}`).toEqual([]);
      rmSync(source, { recursive: true });
      rmSync(join(place, 'state'), { recursive: true });
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

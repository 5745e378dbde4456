import { chmodSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { runLife } from './support/outside-life.js';
import { removeTree } from './support/tree.js';

const FIRST = Number(process.env.OUTSIDE_LIVES_FROM ?? 1);
const COUNT = Number(process.env.OUTSIDE_LIVES ?? 12);
const AT_ONCE = 2;
/** What a life that failed leaves behind is kept. */
const KEEP = Boolean(process.env.OUTSIDE_LIVES_KEEP);
/** One in so many has its container in the emulator. */
const WITH_SERVICE = 6;

describe('random lives of the program as it is run by a user', () => {
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-outside-'));
  // An ordinary user must get to what is in it.
  chmodSync(base, 0o755);
  let azurite: Azurite;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(async () => {
    await azurite.stop();
    if (!KEEP) removeTree(base);
  });

  it(
    `end whole: ${COUNT} lives from seed ${FIRST}`,
    async () => {
      const counts = new Map<string, number>();
      const failed: string[] = [];
      let next = FIRST;
      const oneAfterTheOther = async () => {
        while (next < FIRST + COUNT) {
          const seed = next++;
          const place = mkdtempSync(join(base, `${seed}-`));
          const name = `life-${seed}`;
          const url = seed % WITH_SERVICE === 0 ? await azurite.createContainer(name) : undefined;
          const { findings, events, arguments: args } = await runLife(seed, place, url);
          for (const event of [...events, ...args.slice(4)].filter((text) => !/^--( |manifest)/.test(text)))
            counts.set(event.trim(), (counts.get(event.trim()) ?? 0) + 1);
          if (findings.length > 0) {
            const text = [
              `OUTSIDE_LIVES_FROM=${seed} OUTSIDE_LIVES=1: ${args.join(' ')}`,
              ...events,
              ...findings.slice(0, 20),
            ].join('\n');
            failed.push(text);
            console.error(text);
          }
          if (url) await azurite.client(name).delete();
          if (findings.length === 0 || !KEEP) removeTree(place);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, oneAfterTheOther));
      console.log([...counts].map(([event, count]) => `${event}: ${count}`).join(', '));
      expect(failed.map((text) => text.split('\n')[0])).toEqual([]);
      // What is to be withstood must have come.
      if (COUNT >= 12)
        for (const event of ['SIGKILL', 'append', 'lockFile', 'all is healed'])
          expect(counts.get(event) ?? 0).toBeGreaterThan(0);
    },
    Math.max(300_000, COUNT * 20_000),
  );
});

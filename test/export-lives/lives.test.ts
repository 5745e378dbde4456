import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Random } from '../lives/random.js';
import { loadSmall } from '../support/small-container.js';
import { removeTree } from '../support/tree.js';
import { live, type World } from './life.js';
import { snapshotOf } from './snapshot.js';
import { makeRandomTree } from './tree.js';

/**
 * Lives when nothing else is said. LIVES says how many, LIVES_FROM the seed of the first, LIVES_SECONDS after how much
 * time to begin no further one.
 */
const FEW = 300;
const WORLDS = 24;

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-lives-'));
afterAll(() => removeTree(base));

async function makeWorld(seed: number): Promise<World> {
  const source = join(base, `source-${seed}`);
  makeRandomTree(source, new Random(1_000_000 + seed));
  // Before the load: reading changes nothing that is compared.
  const expected = snapshotOf(source);
  return { expected, store: await loadSmall(source, base) };
}

const count = Number(process.env.LIVES ?? FEW);
const from = Number(process.env.LIVES_FROM ?? 1);

it(`an export that says that it is complete is whole, in ${count} random lives`, async () => {
  const worlds = new Map<number, World>();
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const most = Number(process.env.LIVES_SECONDS ?? Number.POSITIVE_INFINITY) * 1000;
  const failed: number[] = [];
  const happened = new Map<string, number>();
  let lives = 0;
  for (let seed = from; seed < from + count && performance.now() - begun < most; seed++) {
    const number = seed % WORLDS;
    const world = worlds.get(number) ?? (await makeWorld(number));
    worlds.set(number, world);
    const { findings, story } = await live(seed, world, base);
    lives++;
    for (const [label] of story
      .join('\n')
      .matchAll(
        /\b(crash before|crash after|power cut|not synced|full|refused|signal|missing|damaged|unavailable|by hand: \w+)\b/g,
      ))
      happened.set(label, (happened.get(label) ?? 0) + 1);
    if (findings.length === 0) continue;
    console.log(`LIFE ${seed} FAILED; repeat it with LIVES_FROM=${seed} LIVES=1\n${story.join('\n')}`);
    failed.push(seed);
    if (failed.length === 3) break;
  }
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${lives} lives in ${((performance.now() - begun) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of a processor`,
    Object.fromEntries(happened),
  );
  expect(failed).toEqual([]);
  if (lives >= FEW)
    for (const label of [
      'crash before',
      'crash after',
      'power cut',
      'not synced',
      'full',
      'refused',
      'signal',
      'missing',
      'damaged',
      'unavailable',
    ])
      expect(happened.get(label) ?? 0, label).toBeGreaterThan(0);
}, 3600_000);

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { removeTree } from '../support/tree.js';
import { live } from './life.js';
import { Worlds } from './world.js';

/**
 * Lives when nothing else is said. LIVES says how many, LIVES_FROM the seed of the first, LIVES_SECONDS after how much
 * time to begin no further one.
 */
const FEW = 100;

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-lives-'));
afterAll(() => removeTree(base));

const count = Number(process.env.LIVES ?? FEW);
const from = Number(process.env.LIVES_FROM ?? 1);

it(`an export that says that it is complete is whole, in ${count} random lives`, async () => {
  const worlds = new Worlds(base);
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const most = Number(process.env.LIVES_SECONDS ?? Number.POSITIVE_INFINITY) * 1000;
  const failed: number[] = [];
  const happened = new Map<string, number>();
  let lives = 0;
  for (let seed = from; seed < from + count && performance.now() - begun < most; seed++) {
    const { findings, story } = await live(seed, await worlds.of(seed), base);
    lives++;
    for (const [label] of story
      .join('\n')
      .matchAll(
        /\b(crash before|crash after|power cut|not synced|full|refused|signal|missing|damaged|unavailable|repaired|by hand: \w+)\b/g,
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
      'repaired',
    ])
      expect(happened.get(label) ?? 0, label).toBeGreaterThan(0);
}, 3600_000);

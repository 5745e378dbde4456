import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CREW_HAPPENINGS } from '../lives/events.js';
import { removeTree } from '../support/tree.js';
import { liveWithCrew } from './crew-life.js';
import { CALL_FAULTS } from './crew-moments.js';
import { Worlds } from './world.js';

/** Lives when nothing else is said; LIVES, LIVES_FROM, LIVES_SKIP, LIVES_STOP and LIVES_SECONDS as in `test/lives/part.ts`. */
const FEW = 100;
/** With fewer lives than this a kind of event can be missing by chance. */
const ENOUGH = 1000;

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-crew-'));
afterAll(() => removeTree(base));

const count = Number(process.env.LIVES ?? FEW);
const from = Number(process.env.LIVES_FROM ?? 1);
const stopAfter = Number(process.env.LIVES_STOP ?? 3);
const skipped = new Set((process.env.LIVES_SKIP ?? '').split(',').map(Number));
const worlds = new Worlds(base);

it('a life is the same each time', async () => {
  // Ids of jobs, and those of their sessions.
  const named = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{8}-[0-9a-f]{12}/g;
  const tell = async (seed: number) => {
    const { story } = await liveWithCrew(seed, await worlds.of(seed), base);
    return story.join('\n').replaceAll(named, '');
  };
  for (const seed of [3, 8, 67]) expect(await tell(seed)).toBe(await tell(seed));
}, 120_000);

it(`an export with workers that says that it is complete is whole, in ${count} random lives`, async () => {
  const begun = performance.now();
  const most = Number(process.env.LIVES_SECONDS ?? Number.POSITIVE_INFINITY) * 1000;
  const failed: number[] = [];
  const tally = new Map<string, number>();
  let lives = 0;
  for (let seed = from; seed < from + count && performance.now() - begun < most; seed++) {
    if (skipped.has(seed)) continue;
    const outcome = await liveWithCrew(seed, await worlds.of(seed), base);
    lives++;
    for (const [label, times] of outcome.tally) tally.set(label, (tally.get(label) ?? 0) + times);
    if (outcome.findings.length === 0) continue;
    console.log(`LIFE ${seed} FAILED; repeat it with LIVES_FROM=${seed} LIVES=1\n${outcome.story.join('\n')}`);
    failed.push(seed);
    if (failed.length >= stopAfter) break;
  }
  const seconds = (performance.now() - begun) / 1000;
  console.log(
    `${lives} lives in ${seconds.toFixed(1)} s`,
    Object.fromEntries([...tally].sort(([a], [b]) => (a < b ? -1 : 1))),
  );
  console.log(`LIVES_RESULT ${JSON.stringify({ lives, failed })}`);
  expect(failed).toEqual([]);
  if (lives < ENOUGH) return;
  const labels = [
    ...CREW_HAPPENINGS,
    'worker: takes part',
    'worker: lost its lease',
    'worker: lost with tasks',
    'session without workers',
  ];
  for (const label of labels) expect(tally.get(label) ?? 0, label).toBeGreaterThan(0);
  for (const kind of CALL_FAULTS)
    expect(
      [...tally.keys()].some((label) => label.startsWith(`${kind} at`)),
      kind,
    ).toBe(true);
}, 3600_000);

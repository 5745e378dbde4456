import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CREW_HAPPENINGS } from '../lives/events.js';
import { removeTree } from '../support/tree.js';
import { AUDITS } from './audits.js';
import { liveAudit } from './crew-life.js';
import { AuditWorlds } from './world.js';

/** Lives when nothing else is said; LIVES, LIVES_FROM, LIVES_SKIP, LIVES_STOP and LIVES_SECONDS as in `test/lives/part.ts`. */
const FEW = 100;
/** With fewer lives than this a kind of event can be missing by chance. */
const ENOUGH = 1000;

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-audit-crew-'));
afterAll(() => removeTree(base));

const count = Number(process.env.LIVES ?? FEW);
const from = Number(process.env.LIVES_FROM ?? 1);
const stopAfter = Number(process.env.LIVES_STOP ?? 3);
const skipped = new Set((process.env.LIVES_SKIP ?? '').split(',').map(Number));
const worlds = new AuditWorlds(base);

it('a life is the same each time', async () => {
  const tell = async (seed: number) => (await liveAudit(seed, await worlds.of(seed))).story.join('\n');
  for (const seed of [2, 12, 33]) expect(await tell(seed)).toBe(await tell(seed));
}, 120_000);

it(`what reads a container with workers tells what one thread tells, in ${count} random lives`, async () => {
  const begun = performance.now();
  const most = Number(process.env.LIVES_SECONDS ?? Number.POSITIVE_INFINITY) * 1000;
  const failed: number[] = [];
  const tally = new Map<string, number>();
  let lives = 0;
  for (let seed = from; seed < from + count && performance.now() - begun < most; seed++) {
    if (skipped.has(seed)) continue;
    const outcome = await liveAudit(seed, await worlds.of(seed));
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
    ...AUDITS,
    ...CREW_HAPPENINGS,
    'worker: takes part',
    'worker: lost its lease',
    'worker: lost with tasks',
  ];
  for (const label of labels) expect(tally.get(label) ?? 0, label).toBeGreaterThan(0);
}, 3600_000);

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CREW_HAPPENINGS } from '../lives/events.js';
import { liveSeeds, livesWanted } from '../lives/live-seeds.js';
import { removeTree } from '../support/tree.js';
import { AUDITS } from './audits.js';
import { liveAudit } from './crew-life.js';
import { AuditWorlds } from './world.js';

/** Lives when nothing else is said, as by `liveSeeds`. */
const FEW = 100;
/** With fewer lives than this a kind of event can be missing by chance. */
const ENOUGH = 1000;

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-audit-crew-'));
afterAll(() => removeTree(base));

const count = livesWanted(FEW);
const worlds = new AuditWorlds(base);

it('a life is the same each time', async () => {
  const tell = async (seed: number) => (await liveAudit(seed, await worlds.of(seed))).story.join('\n');
  for (const seed of [2, 12, 33]) expect(await tell(seed)).toBe(await tell(seed));
}, 120_000);

it(`what reads a container with workers tells what one thread tells, in ${count} random lives`, async () => {
  const { lives, failed, tally } = await liveSeeds(count, async (seed) => liveAudit(seed, await worlds.of(seed)));
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

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CREW_HAPPENINGS } from '../lives/events.js';
import { liveSeeds, livesWanted } from '../lives/live-seeds.js';
import { removeTree } from '../support/tree.js';
import { liveWithCrew } from './crew-life.js';
import { CALL_FAULTS } from './crew-moments.js';
import { Worlds } from './world.js';

/** Lives when nothing else is said, as by `liveSeeds`. */
const FEW = 40;
/** With fewer lives than this a kind of event can be missing by chance. */
const ENOUGH = 1000;

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-crew-'));
afterAll(() => removeTree(base));

const count = livesWanted(FEW);
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
  const { lives, failed, tally } = await liveSeeds(count, async (seed) =>
    liveWithCrew(seed, await worlds.of(seed), base),
  );
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

import { beforeAll, describe, expect, it } from 'vitest';
import { buildScale, runScale } from './support/scale.mjs';
import type { ScaleRun } from './support/scale-verbs.js';

describe('trees that are computed, in a process of its own', () => {
  let program = '';
  beforeAll(async () => {
    program = await buildScale();
  });

  // Half a minute on a machine that has nothing else to do.
  it('a walk of a million entries, with its index on disk, takes at most 400 MB', () => {
    const run = runScale(program, 'walk', 1_000_000) as ScaleRun;
    expect(run.entries).toBeGreaterThan(1_000_000);
    expect(run.peakMb).toBeLessThan(400);
  }, 600_000);

  it.each(['fsck', 'manifest', 'verify'])('%s finds nothing wrong with a small one', (verb) => {
    const run = runScale(program, verb, 20_000) as ScaleRun;
    expect(run.entries).toBeGreaterThanOrEqual(20_000);
  });
});

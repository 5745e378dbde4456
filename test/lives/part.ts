import { expect, it } from 'vitest';
import { CREW_LABELS, EVENT_LABELS, LIMITS_LABELS } from './events.js';
import { drawLimitsLife } from './limits-plan.js';
import { drawLife, drawWorkersLife } from './plan.js';
import { runLives, tellFailedLife, tellTally } from './run-lives.js';

/** Kinds of lives. */
const KINDS = {
  /** Of a job on one machine. */
  alone: { draw: (seed: number) => drawLife(seed), what: 'random lives', few: 300, labels: EVENT_LABELS },
  /** Of such a job in many steps, since limits of the program are small; with mounts, and older states. */
  limits: {
    draw: drawLimitsLife,
    what: 'random lives with small limits',
    few: 160,
    labels: [...EVENT_LABELS, ...LIMITS_LABELS],
  },
  /** Of a job with workers on other machines. */
  workers: {
    draw: drawWorkersLife,
    what: 'random lives with workers',
    few: 100,
    labels: [...EVENT_LABELS, ...CREW_LABELS],
  },
} as const;
/** With fewer lives than this a kind of event can be missing by chance. */
const ENOUGH = 2000;
const PARTS = 2;

/**
 * Lives every second life, so that two workers share them.
 *
 * `few` lives are lived when nothing else is said, so that the suite stays quick. LIVES says how many in all, LIVES_FROM the seed of the first, LIVES_SKIP which seeds to leave out (with commas
 * between them), LIVES_STOP after how many failures to stop, LIVES_SHRINK how many of them to make smaller,
 * LIVES_SECONDS after how much time to begin no further one.
 */
export function livesPart(part: number, kind: keyof typeof KINDS = 'alone'): void {
  const { draw, what, few, labels } = KINDS[kind];
  const count = Number(process.env.LIVES ?? few);
  const from = Number(process.env.LIVES_FROM ?? 1);
  const stopAfter = Number(process.env.LIVES_STOP ?? 5);
  const skipped = new Set((process.env.LIVES_SKIP ?? '').split(',').map(Number));
  const seeds = Array.from({ length: count }, (_, index) => from + index)
    .filter((_, index) => index % PARTS === part)
    .filter((seed) => !skipped.has(seed));

  it(
    `a job that says that it is complete is whole, in ${seeds.length} ${what}`,
    async () => {
      const report = await runLives(
        seeds,
        draw,
        stopAfter,
        Number(process.env.LIVES_SHRINK ?? 2),
        Number(process.env.LIVES_SECONDS ?? Number.POSITIVE_INFINITY),
      );
      console.log(tellTally(report));
      console.log(
        `LIVES_RESULT ${JSON.stringify({ lives: report.lives, failed: report.failed.map(({ seed }) => seed) })}`,
      );
      for (const failed of report.failed) console.log(tellFailedLife(failed));
      expect(report.failed.map(({ seed, signature }) => `${seed}: ${signature}`)).toEqual([]);
      if (report.lives < ENOUGH) return;
      for (const label of labels) expect(report.tally.get(label) ?? 0, label).toBeGreaterThan(0);
    },
    24 * 3600_000,
  );
}

/** How a life of a seed went. */
interface SeedOutcome {
  readonly findings: readonly string[];
  readonly story: readonly string[];
  readonly tally: ReadonlyMap<string, number>;
}

/** How the lives of all seeds went. */
export interface SeedsReport {
  readonly lives: number;
  readonly failed: readonly number[];
  readonly tally: ReadonlyMap<string, number>;
}

/** @param few lives when LIVES does not say how many */
export function livesWanted(few: number): number {
  return Number(process.env.LIVES ?? few);
}

/** Lives the lives of many seeds, and prints how they went: LIVES_FROM, LIVES_SKIP, LIVES_STOP and LIVES_SECONDS as in `part.ts`. */
export async function liveSeeds(count: number, live: (seed: number) => Promise<SeedOutcome>): Promise<SeedsReport> {
  const from = Number(process.env.LIVES_FROM ?? 1);
  const stopAfter = Number(process.env.LIVES_STOP ?? 3);
  const skipped = new Set((process.env.LIVES_SKIP ?? '').split(',').map(Number));
  const most = Number(process.env.LIVES_SECONDS ?? Number.POSITIVE_INFINITY) * 1000;
  const begun = performance.now();
  const failed: number[] = [];
  const tally = new Map<string, number>();
  let lives = 0;
  for (let seed = from; seed < from + count && performance.now() - begun < most; seed++) {
    if (skipped.has(seed)) continue;
    const outcome = await live(seed);
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
  return { lives, failed, tally };
}

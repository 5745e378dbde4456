import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { live, type Outcome, type Scratch } from './life.js';
import type { Life } from './plan.js';
import { shrink } from './shrink.js';

/** A life that went wrong. */
export interface FailedLife {
  readonly seed: number;
  /** The first word of each finding: which way it went wrong. */
  readonly signature: string;
  readonly findings: readonly string[];
  /** The smallest life found that goes wrong in the same way, and what happened in it. */
  readonly shrunk: Life;
  readonly story: readonly string[];
}

/** How many lives went, and how. */
export interface LivesReport {
  readonly lives: number;
  readonly sessions: number;
  readonly seconds: number;
  /** Processor time, which tells more where the processors are shared. */
  readonly cpuSeconds: number;
  readonly tally: ReadonlyMap<string, number>;
  readonly failed: readonly FailedLife[];
}

/**
 * Lives the lives of many seeds.
 *
 * @param draw what life a seed gives
 * @param stopAfter failed lives after which no further one is lived
 * @param shrinkFirst how many of them are made smaller
 * @param mostSeconds after which no further one is lived
 */
export async function runLives(
  seeds: Iterable<number>,
  draw: (seed: number) => Life,
  stopAfter: number,
  shrinkFirst: number,
  mostSeconds = Number.POSITIVE_INFINITY,
): Promise<LivesReport> {
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-lives-'));
  const scratch: Scratch = { base, source: join(base, 'source') };
  mkdirSync(scratch.source);
  const tally = new Map<string, number>();
  const failed: FailedLife[] = [];
  const begun = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  let count = 0;
  let sessions = 0;
  try {
    for (const seed of seeds) {
      const life = draw(seed);
      const outcome = await live(life, scratch);
      count++;
      sessions += outcome.sessions;
      for (const [label, number] of outcome.tally) tally.set(label, (tally.get(label) ?? 0) + number);
      if (outcome.findings.length > 0) failed.push(await explain(life, outcome, scratch, failed.length < shrinkFirst));
      if (failed.length >= stopAfter || Number(process.hrtime.bigint() - begun) / 1e9 > mostSeconds) break;
    }
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  return { lives: count, sessions, seconds, cpuSeconds: (user + system) / 1e6, tally, failed };
}

async function explain(life: Life, outcome: Outcome, scratch: Scratch, small: boolean): Promise<FailedLife> {
  const signature = signatureOf(outcome);
  const shrunk = small
    ? await shrink(life, async (smaller) => signatureOf(await live(smaller, scratch)) === signature)
    : life;
  const again = small ? await live(shrunk, scratch) : outcome;
  if (again.findings.length > 0) return { seed: life.seed, signature, shrunk, ...again };
  const findings = [...outcome.findings, 'again: the same life did not fail when it was lived once more'];
  return { seed: life.seed, signature, shrunk: life, findings, story: outcome.story };
}

/** The kinds of what is wrong, each once. */
function signatureOf({ findings }: Outcome): string {
  return [...new Set(findings.map((finding) => /^(fsck [a-z-]+|\S+)/.exec(finding)?.[1] ?? ''))].sort().join(' + ');
}

/** A failed life as text: enough to repeat it. */
export function tellFailedLife({ seed, signature, findings, story }: FailedLife): string {
  return [
    `LIFE ${seed} FAILED (${signature}); repeat it with LIVES_FROM=${seed} LIVES=1`,
    ...story,
    ...findings.map((finding) => `! ${finding}`),
  ].join('\n');
}

/** What happened in all lives, and how often. */
export function tellTally({ lives, sessions, seconds, cpuSeconds, tally }: LivesReport): string {
  const lines = [...tally]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, count]) => `  ${String(count).padStart(8)} ${label}`);
  const each = (total: number) => `${((total * 1000) / Math.max(1, lives)).toFixed(1)} ms`;
  const first = `${lives} lives with ${sessions} sessions in ${seconds.toFixed(1)} s: ${each(seconds)} each, ${each(cpuSeconds)} of a processor`;
  return [first, ...lines].join('\n');
}

// Goes over trees that are computed, in a process for each verb, and prints what each object costs in processor time:
// npm run test:scale SCALE=10000000 VERBS=walk,fsck npm run test:scale
import { execFileSync } from 'node:child_process';
import { bundleProgram } from './bundle-program.mjs';

const WANTED_MB = 400;
const WANTED_GROWTH = 1.1;

/** Builds the program. @returns its path */
export const buildScale = () => bundleProgram('scale-main', 'scale');

/** Runs one verb. @returns what `runAtScale` of scale-verbs.ts returns */
export function runScale(path, verb, count) {
  return JSON.parse(
    execFileSync(process.execPath, [path, verb, String(count)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const path = await buildScale();
  const verbs = (process.env.VERBS ?? 'walk,fsck,manifest,verify').split(',');
  let bad = 0;
  for (const verb of verbs) {
    const { entries, listing, first, last, mean, seconds, peakMb } = runScale(
      path,
      verb,
      Number(process.env.SCALE ?? 3_000_000),
    );
    const growth = last / first;
    const isGood = peakMb <= WANTED_MB && growth <= WANTED_GROWTH;
    if (!isGood) bad++;
    const times = [listing, first, last, mean].map((us) => us.toFixed(1));
    console.log(
      `${verb.padEnd(9)} ${entries} entries: listing ${times[0]} µs each; first tenth ${times[1]}, last tenth ${times[2]} (× ${growth.toFixed(2)}), all ${times[3]} µs CPU; ${Math.round(seconds)} s; ${peakMb} MB${isGood ? '' : '  SHORT'}`,
    );
  }
  process.exitCode = bad > 0 ? 1 : 0;
}

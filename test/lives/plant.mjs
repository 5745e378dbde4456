/**
 * Plants each of the faults of `planted-faults.mjs` into a copy of the program and runs random lives until one of them
 * fails, or the test that the fault names.
 *
 * Usage: node test/lives/plant.mjs [part of a name] LIVES: most lives for a fault (default 4000); LIVES_FROM: seed of
 * the first; PLANT_BASE: lives that fail without a fault are looked for first among so many (default LIVES), and do not
 * count.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PLANTED_FAULTS } from './planted-faults.mjs';

/** The tests of each kind of lives, which share them. */
const LIVES_FILES = {
  lives: ['test/lives/lives-1.test.ts', 'test/lives/lives-2.test.ts'],
  limits: ['test/lives/limits-1.test.ts', 'test/lives/limits-2.test.ts'],
  workers: ['test/lives/workers-1.test.ts', 'test/lives/workers-2.test.ts'],
  export: ['test/export-lives/workers.test.ts'],
};

const root = new URL('../../', import.meta.url).pathname;
const most = Number(process.env.LIVES ?? 4000);
const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-plant-'));
const wanted = process.argv[2] ?? '';
let missed = 0;

try {
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
    cpSync(join(root, name), join(base, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(base, 'node_modules'));
  const faults = PLANTED_FAULTS.filter(({ name }) => name.includes(wanted));
  const failedBefore = {};
  for (const lives of Object.keys(LIVES_FILES)) {
    if (!faults.some((fault) => fault.test === undefined && livesOf(fault) === lives)) continue;
    const before = runLives(lives, Number(process.env.PLANT_BASE ?? most), 1_000_000, []);
    if (before === undefined) throw new Error('The lives do not run.');
    console.log(`without a fault ${before.failed.length} of ${before.lives} lives fail (${lives})`);
    failedBefore[lives] = before.failed;
  }
  for (const test of new Set(faults.flatMap(({ test }) => test ?? []))) {
    if (testFails(test) !== 'no') throw new Error(`${test} fails without a fault, or does not run.`);
  }
  for (const fault of faults) {
    const restore = plant(fault);
    if (!restore) {
      missed++;
      console.log(`CANNOT BE PLANTED, its place in ${fault.file} has changed: ${fault.name}`);
      continue;
    }
    if (fault.test !== undefined) {
      const fails = testFails(fault.test);
      restore();
      if (fails !== 'yes') missed++;
      console.log(
        `${{ yes: 'found by', no: 'NOT FOUND by', unknown: 'DOES NOT RUN in' }[fails]} ${fault.test}: ${fault.name}`,
      );
      continue;
    }
    const { lives, failed } = runLives(livesOf(fault), most, 1, failedBefore[livesOf(fault)]) ?? {
      lives: 0,
      failed: [],
    };
    restore();
    if (failed.length === 0) missed++;
    const verdict =
      lives === 0
        ? 'DOES NOT RUN'
        : failed.length > 0
          ? `found after ${lives} lives (seed ${failed[0]})`
          : `NOT FOUND in ${lives} lives`;
    console.log(`${verdict}: ${fault.name}`);
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
process.exitCode = missed > 0 ? 1 : 0;

/** @returns a function that takes the fault out again; undefined when its place is not as it was */
function plant({ file, find, replace, count = 1 }) {
  const path = join(base, file);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const pieces = text.split(find);
  if (pieces.length !== count + 1) return undefined;
  writeFileSync(path, pieces.join(replace));
  return () => writeFileSync(path, text);
}

/** @returns whether tests of a file fail; `unknown` when they do not run at all */
function testFails(test) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stdout } = spawnSync(process.execPath, [vitest, 'run', test, '--reporter=json'], {
    cwd: base,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  try {
    const { numFailedTests, numPassedTests } = JSON.parse(stdout);
    return numPassedTests + numFailedTests === 0 ? 'unknown' : numFailedTests > 0 ? 'yes' : 'no';
  } catch {
    return 'unknown';
  }
}

/** Which lives are to find a fault. */
function livesOf({ lives = 'lives' }) {
  return lives;
}

function runLives(kind, lives, stopAfter, skip) {
  const env = {
    ...process.env,
    LIVES: String(lives),
    LIVES_STOP: String(stopAfter),
    LIVES_SHRINK: '0',
    LIVES_SKIP: skip.join(','),
  };
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { stdout } = spawnSync(process.execPath, [vitest, 'run', ...LIVES_FILES[kind]], {
    cwd: base,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  const results = [...stdout.matchAll(/LIVES_RESULT (\{.*\})/g)].map(([, json]) => JSON.parse(json));
  if (results.length === 0) return undefined;
  // Parts run side by side: the one that failed first says after how many lives.
  const failed = results.flatMap((result) => result.failed);
  const counts = results.map((result) => result.lives);
  const total =
    stopAfter === 1 && failed.length > 0
      ? Math.min(...results.filter((r) => r.failed.length > 0).map((r) => r.lives)) * LIVES_FILES[kind].length
      : counts.reduce((a, b) => a + b, 0);
  return { lives: total, failed };
}

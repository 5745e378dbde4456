// Compares `clfsload load` of this checkout with that of another one, alternating, in the same run.
//
//   git worktree add ../before COMMIT && (cd ../before && npm ci && npm run build)
//   node bench/against.mjs ../before [S L M R] [--flags=--check-listing=false]
//
// The flags are for this checkout's program alone.
//
// Needs what bench/run.mjs needs; azcopy is not asked.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { args, fixture, median, random, rounds, runCases, runOurs, smallFiles, text } from './harness.mjs';

const [other, ...wanted] = args.filter((arg) => !arg.startsWith('--'));
const many = () =>
  fixture('M-100000', (path) => {
    for (let d = 0; d < 400; d++) {
      mkdirSync(join(path, `d${d}`));
      for (let f = 0; f < 250; f++) writeFileSync(join(path, `d${d}`, `f${f}`), `${d}/${f}`);
    }
  });
const flags = args.filter((arg) => arg.startsWith('--flags=')).flatMap((arg) => arg.slice('--flags='.length).split(' '));
const CASES = { S: [smallFiles, 20_000, 'files/s'], L: [text, 1024, 'MiB/s'], M: [many, 100_000, 'files/s'], R: [random, 512, 'MiB/s'] };
const programs = { this: { flags }, other: { program: resolve(other) } };

await runCases(wanted.length > 0 ? wanted : Object.keys(CASES), async (name) => {
  const [make, size, unit] = CASES[name];
  const source = make();
  const runs = { this: [], other: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const which of round % 2 === 0 ? ['this', 'other'] : ['other', 'this']) {
      const result = await runOurs(source, programs[which]);
      // The first round warms up.
      if (round > 0) runs[which].push(result);
    }
  }
  const of = (which, field) => median(runs[which].map((result) => result[field]));
  return {
    case: name,
    this: `${(size / of('this', 'seconds')).toFixed(0)} ${unit}`,
    other: `${(size / of('other', 'seconds')).toFixed(0)} ${unit}`,
    'time ratio': (of('this', 'seconds') / of('other', 'seconds')).toFixed(3),
    'CPU ratio': (of('this', 'cpu') / of('other', 'cpu')).toFixed(3),
    'CPU s': of('this', 'cpu').toFixed(2),
    'other CPU s': of('other', 'cpu').toFixed(2),
    'RSS MB': of('this', 'peak').toFixed(0),
    'other RSS MB': of('other', 'peak').toFixed(0),
  };
});

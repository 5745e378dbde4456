// Compares `clfsload load` and `export` with real azcopy's `copy` against a fast sink, alternating, and prints a table
// of medians.
//
//   npm run bench                 every case but N; about 25 minutes
//   npm run bench -- --short      S L Z, 1 round, for information in CI
//   npm run bench -- S L          some cases
//   npm run bench -- N            a link of 1 Gbit/s between two network namespaces (as root)
//   node bench/stages.mjs         each stage alone
//
// Needs nginx-extras (the sink), libsecret-1-0 (azcopy) and room on /dev/shm (8 GB for M). azcopy 10.32.2 is taken from
// npm into bench/.cache.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { CASES } from './cases.mjs';
import { args, azcopy, cache, runCases, short } from './harness.mjs';
import { SCALE_CASES } from './scale-cases.mjs';
import { SLOW_CASES } from './slow-cases.mjs';
import { WAY_BACK_CASES } from './way-back-cases.mjs';
import { WORKERS_CASES } from './workers-cases.mjs';

const wanted = args.filter((arg) => !arg.startsWith('--'));
const all = { ...CASES, ...SCALE_CASES, ...WAY_BACK_CASES, ...SLOW_CASES, ...WORKERS_CASES };
const names = wanted.length > 0 ? wanted : short ? ['S', 'L', 'Z'] : Object.keys(all).filter((name) => name !== 'N');

if (!existsSync(azcopy)) {
  mkdirSync(cache, { recursive: true });
  execFileSync('npm', ['install', '--silent', '--no-save', '--prefix', cache, '@azure-tools/azcopy-linux@10.32.2']);
  chmodSync(azcopy, 0o755);
}
await runCases(names, (name) => all[name]());

// What the benchmarks share: fixtures, the sink, and runs that are timed.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync, closeSync, chmodSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';

export const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
export const work = '/dev/shm/clfsload-bench';
export const sinkHome = join(work, 'sink');
export const sink = (...args) => execFileSync('bash', [join(here, 'sink/sink.sh'), ...args], { env: { ...process.env, SINK_HOME: sinkHome } }).toString();
export const cache = join(here, '.cache');
export const azcopy = join(cache, 'node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64');
export const PORT = 10180;
export const url = (port = PORT, scheme = 'http') => `${scheme}://127.0.0.1:${port}/devstoreaccount1/bench?sv=2021-12-02&sr=c&sp=racwdl&sig=c2luaw%3D%3D`;
export const args = process.argv.slice(2);
export const short = args.includes('--short');
export const rounds = short ? 1 : 5;

/** A seeded stream of numbers below 2^32. */
export function numbers(seed) {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
}

export function fixture(name, fill) {
  const path = join(work, 'fixtures', name);
  if (!existsSync(path)) {
    mkdirSync(path, { recursive: true });
    fill(path);
  }
  return path;
}

export const smallFiles = () =>
  fixture('S', (path) => {
    const next = numbers(1);
    for (let d = 0; d < 200; d++) {
      mkdirSync(join(path, `d${d}`));
      for (let f = 0; f < 100; f++) {
        const bytes = Buffer.alloc(4096, 'some compressible text here..... ');
        for (let i = 0; i < 2048; i++) bytes[i] = next() >>> 24;
        writeFileSync(join(path, `d${d}`, `f${f}`), bytes);
      }
    }
  });

/** Words and phrases, some much more often than others: LZ4 halves it. */
export const text = () =>
  fixture('text', (path) => {
    const next = numbers(3);
    const share = () => (next() >>> 8) / 2 ** 24;
    const words = Array.from({ length: 6000 }, () => Array.from({ length: 2 + ((next() >>> 16) % 10) }, () => String.fromCharCode(97 + ((next() >>> 16) % 26))).join(''));
    const word = () => words[Math.floor(words.length * share() ** 3)];
    const phrases = Array.from({ length: 400 }, () => Array.from({ length: 3 + Math.floor(share() * 5) }, word).join(' '));
    for (let file = 0; file < 4; file++) {
      const fd = openSync(join(path, `text-${file}`), 'w');
      let left = 268435456;
      while (left > 0) {
        let piece = '';
        while (piece.length < 1 << 20) piece += `${share() < 0.2 ? phrases[Math.floor(phrases.length * share() ** 2)] : word()} `;
        left -= writeSync(fd, piece.slice(0, Math.min(piece.length, left)));
      }
      closeSync(fd);
    }
  });

/** A million files of 100 bytes in 10,000 directories. */
export const million = () =>
  fixture('M', (path) => {
    const bytes = Buffer.alloc(100, 'some text. ');
    for (let d = 0; d < 10_000; d++) {
      mkdirSync(join(path, `d${d}`));
      for (let f = 0; f < 100; f++) writeFileSync(join(path, `d${d}`, `file-${f}`), bytes);
    }
  });
export const random = () => fixture('R', (path) => [0, 1].forEach((file) => execFileSync('sh', ['-c', `head -c 268435456 /dev/urandom > '${join(path, `random-${file}`)}'`])));
export const nothing = () => fixture('E', () => undefined);

/** A tree with hard links to each file of another, four times. */
export const fourfold = (name, source) => fixture(`${name}-times-4`, (path) => [1, 2, 3, 4].forEach((copy) => execFileSync('cp', ['-al', source, join(path, `copy-${copy}`)])));

/** Runs a program; its seconds, CPU seconds and peak memory by /proc. */
export function timed(command, commandArgs, env = {}) {
  return new Promise((resolve) => {
    const begun = performance.now();
    const child = spawn('bash', ['-c', 'TIMEFORMAT="%R %U %S"; time "$@" >/dev/null 2>&1; echo "rc=$?" >&2', 'bash', command, ...commandArgs], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    let peak = 0;
    child.stderr.on('data', (bytes) => (output += bytes));
    const watch = setInterval(() => {
      for (const pid of children(child.pid)) {
        const match = /VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`));
        if (match) peak = Math.max(peak, Number(match[1]) / 1024);
      }
    }, 20);
    child.on('close', () => {
      clearInterval(watch);
      const [real, user, system] = output.trim().split('\n').find((line) => /^[\d.]+ [\d.]+ [\d.]+$/.test(line)).split(' ').map(Number);
      resolve({ seconds: real, cpu: user + system, peak, begun, ok: output.includes('rc=0') });
    });
  });
}
const read = (path) => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
};
const children = (pid) => read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean);

/** Runs cases against the sink, one after another, and prints their rows. @param run gives the row of a case */
export async function runCases(names, run) {
  mkdirSync(work, { recursive: true });
  sink('start', String(PORT));
  // What is put below /null/ is not kept; a listing of the container needs its directory.
  mkdirSync(join(sinkHome, 'blobs/null/bench'), { recursive: true });
  console.log(`load average before: ${loadavg().map((load) => load.toFixed(2)).join(' ')}; Node ${process.version}; rounds: ${rounds}`);
  const rows = [];
  try {
    for (const name of names) {
      rows.push(await run(name));
      console.log(JSON.stringify(rows.at(-1)));
    }
  } finally {
    sink('stop');
  }
  console.table(rows);
}

/** @param program the checkout whose program is run */
export async function runOurs(source, { program = join(here, '..'), flags = [], port = PORT, scheme = 'http', destination } = {}) {
  if (!destination) sink('container', 'bench');
  rmSync(join(work, 'state'), { recursive: true, force: true });
  const run = await timed(process.execPath, [join(program, 'bin/clfsload'), 'load', source, destination ?? url(port, scheme), `--state-path=${join(work, 'state')}`, ...flags], { NODE_EXTRA_CA_CERTS: join(sinkHome, 'tls.pem') });
  if (!run.ok) throw new Error(`clfsload of ${program} failed`);
  return run;
}

/** azcopy's own wall time comes in steps of 2 s: the time to its last blob counts. */
export async function runAzcopy(source) {
  sink('container', 'bench');
  const begun = Date.now();
  const run = await timed(azcopy, ['copy', source, url(), '--recursive', '--from-to', 'LocalBlob', '--check-length=false', '--output-level', 'quiet'], { AZCOPY_LOG_LOCATION: join(work, 'azlog'), AZCOPY_JOB_PLAN_LOCATION: join(work, 'azplan') });
  if (!run.ok) throw new Error('azcopy failed');
  let last = 0;
  for (const entry of readdirSync(join(sinkHome, 'blobs/devstoreaccount1/bench'), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) last = Math.max(last, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return { ...run, seconds: (last - begun) / 1000 };
}

export async function runVerb(verbArgs) {
  const run = await timed(process.execPath, [join(here, '../bin/clfsload'), ...verbArgs]);
  if (!run.ok) throw new Error(`clfsload ${verbArgs[0]} failed`);
  return run;
}

export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

export async function compare(name, source, size, unit, options) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round++) {
    if (options?.azcopy !== false) theirs.push(await runAzcopy(source));
    ours.push(await runOurs(source, options));
  }
  const rate = (runs) => size / median(runs.map((run) => run.seconds));
  const row = { case: name, clfsload: `${rate(ours).toFixed(0)} ${unit}`, azcopy: '-', ratio: '-', 'CPU s': median(ours.map((run) => run.cpu)).toFixed(2), 'azcopy CPU s': '-', 'RSS MB': median(ours.map((run) => run.peak)).toFixed(0) };
  if (theirs.length > 0) Object.assign(row, { azcopy: `${rate(theirs).toFixed(0)} ${unit}`, ratio: (rate(ours) / rate(theirs)).toFixed(2), 'azcopy CPU s': median(theirs.map((run) => run.cpu)).toFixed(2) });
  return row;
}

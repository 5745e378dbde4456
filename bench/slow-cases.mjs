import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cache, compare, fixture, here, median, rounds, runOurs, runVerb, smallFiles, text, url, work } from './harness.mjs';
import { bundleProgram } from '../test/support/bundle-program.mjs';

/**
 * Has a file system of which each call takes so many microseconds, for as long as `use` takes. Needs libfuse3-dev, fuse3
 * and gcc.
 *
 * @param behind the directory that it shows @param mount where
 */
export async function withSlowFileSystem(microseconds, behind, mount, use) {
  const program = join(cache, 'slowfs');
  if (!existsSync(program)) {
    const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'fuse3']).toString().trim().split(/\s+/);
    mkdirSync(cache, { recursive: true });
    execFileSync('gcc', ['-O2', '-o', program, join(here, '../test/support/slowfs.c'), ...flags]);
  }
  for (const path of [behind, mount]) mkdirSync(path, { recursive: true });
  const env = { ...process.env, SLOWFS_US: String(microseconds) };
  execFileSync(program, [behind, mount, '-o', 'max_threads=256'], { env });
  try {
    return await use(mount);
  } finally {
    execFileSync('fusermount3', ['-u', mount]);
  }
}

/** The first half of S. */
export const halfOfSmallFiles = () =>
  fixture('S-half', (path) => {
    for (let d = 0; d < 100; d++) execFileSync('cp', ['-a', join(smallFiles(), `d${d}`), path]);
  });

const MOUNT = join(work, 'slow-source');
const loadSlowly = (name, milliseconds) => () =>
  withSlowFileSystem(milliseconds * 1000, halfOfSmallFiles(), MOUNT, (source) => compare(name, source, 10000, 'files/s'));

/** The cases of a source whose calls take long. */
export const SLOW_CASES = {
  F1: loadSlowly('F1', 1),
  F5: loadSlowly('F5', 5),
  /** `verify --content` of what F1 loads, against the load itself. */
  FV: () =>
    withSlowFileSystem(1000, halfOfSmallFiles(), MOUNT, async (source) => {
      const loads = [];
      const verifies = [];
      for (let round = 0; round < rounds; round++) {
        loads.push(await runOurs(source));
        verifies.push(await runVerb(['verify', source, url(), '--content']));
      }
      const [load, verify] = [loads, verifies].map((runs) => 10000 / median(runs.map(({ seconds }) => seconds)));
      return {
        case: 'FV',
        clfsload: `verify ${verify.toFixed(0)}, load ${load.toFixed(0)} files/s`,
        ratio: (verify / load).toFixed(2),
        'CPU s': median(verifies.map(({ cpu }) => cpu)).toFixed(2),
        'RSS MB': median(verifies.map(({ peak }) => peak)).toFixed(0),
      };
    }),
  /** The same tree by a source in the process of which each call takes a millisecond, to a container on disk: one lane, no FUSE, no sink. */
  async FS() {
    const program = await bundleProgram('slow-load', 'bench');
    const runs = [];
    for (let round = 0; round < rounds; round++) {
      const [container, state] = ['FS-container', 'FS-state'].map((name) => join(work, name));
      for (const path of [container, state]) rmSync(path, { recursive: true, force: true });
      mkdirSync(container);
      const env = { ...process.env, UV_THREADPOOL_SIZE: '128' };
      runs.push(Number(execFileSync(process.execPath, [program, halfOfSmallFiles(), container, state], { env }).toString()));
      for (const path of [container, state]) rmSync(path, { recursive: true, force: true });
    }
    return { case: 'FS', clfsload: `${(10000 / median(runs)).toFixed(0)} files/s` };
  },
  /** Large files at 5 ms a call, against the same without a delay. */
  FL: () =>
    withSlowFileSystem(5000, text(), MOUNT, async (source) => {
      const slow = [];
      const quick = [];
      for (let round = 0; round < rounds; round++) {
        quick.push(await runOurs(text()));
        slow.push(await runOurs(source));
      }
      const [slowly, quickly] = [slow, quick].map((runs) => 1024 / median(runs.map(({ seconds }) => seconds)));
      return {
        case: 'FL',
        clfsload: `${slowly.toFixed(0)} MiB/s; without a delay ${quickly.toFixed(0)} MiB/s`,
        ratio: (slowly / quickly).toFixed(2),
        'CPU s': median(slow.map(({ cpu }) => cpu)).toFixed(2),
        'RSS MB': median(slow.map(({ peak }) => peak)).toFixed(0),
      };
    }),
};

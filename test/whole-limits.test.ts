import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { GEOMETRY } from '../src/format/geometry.js';
import { entryFailure } from '../src/source/source-tree.js';
import { expectFaithful, SMALL } from './support/check.js';
import { KillableWorld } from './support/killable-world.js';
import { isRoot, removeTree } from './support/tree.js';
import { Job, lock, makeBase, type Watch } from './support/whole-job.js';

const base = makeBase('limits');
afterAll(() => removeTree(base));

describe('more failures in one directory than a chunk of entries has room for (issue 12, number 9)', () => {
  const FAILURES = 70_000;
  const LONGEST_MS = 60_000;

  it('are excluded, tried again and repaired, without quadratic work', { timeout: 4 * LONGEST_MS }, async () => {
    const job = new Job(base, { maxErrors: 10 * FAILURES }, new KillableWorld(), GEOMETRY);
    mkdirSync(job.path('d'));
    for (let i = 0; i < FAILURES; i++) writeFileSync(job.path(`d/${i}`), '');
    job.file('d/stays');
    const locked: Watch = {
      entry(path, what) {
        if (what === 'open' && path !== 'd/stays') throw entryFailure('entry-unreadable', 'permission denied');
      },
    };
    const begunMs = performance.now();
    // The second time they fail as what was put back to be done.
    for (let session = 0; session < 2; session++) {
      const summary = await job.session(locked);
      expect(summary.error).toBeUndefined();
      expect(summary.status).toBe('CompletedWithErrors');
      expect(summary.progress.filesFailed).toBe(FAILURES);
    }
    const last = await job.session({});
    expect(last.error).toBeUndefined();
    expect(last.status).toBe('Completed');
    expect(last.progress.filesFailed).toBe(0);
    expect(performance.now() - begunMs).toBeLessThan(LONGEST_MS);
    await expectFaithful(job.source, job.world.store);
  });
});

describe('few descriptors (issue 12, number 8)', () => {
  const DIRECTORIES = 2000;
  const MOST_DESCRIPTORS = 256;

  it('no entry fails: 2,000 directories of one file, slow puts, 256 descriptors', async () => {
    const job = new Job(base);
    for (let i = 0; i < DIRECTORIES; i++) job.file(`d${i}/file`, `content ${i}`);
    const script = new URL('support/slow-load.mjs', import.meta.url).pathname;
    const command = `ulimit -n ${MOST_DESCRIPTORS}; exec "$0" "$@"`;
    const output = execFileSync('sh', ['-c', command, process.execPath, script, job.source, job.statePath], {
      encoding: 'utf8',
    });
    const { waited, ...outcome } = JSON.parse(output) as Record<string, unknown>;
    // So many entries were under way while nothing could be sent.
    expect(waited).toBeGreaterThan(8);
    expect(outcome).toEqual({
      status: 'Completed',
      failed: 0,
      done: 2 * DIRECTORIES + 1,
      descriptors: MOST_DESCRIPTORS,
    });
  });
});

describe.skipIf(!isRoot)('a disk that is full (issue 12, "read, not run"; needs root)', () => {
  /** A file system of its own with room for so many bytes; undefined where mounting is not allowed. */
  function mount(name: string, bytes: number): string | undefined {
    const path = join(base, name);
    mkdirSync(path);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'ignore' });
      return path;
    } catch {
      return undefined;
    }
  }

  /** Has a file of the state directory written somewhere else, from the first commit on. */
  function redirect(job: Job, name: string, target: string): void {
    job.world.onCommit = () => {
      job.world.onCommit = undefined;
      symlinkSync(target, join(job.statePath, name));
    };
  }

  it('under the manifest that grows: every line is there in the end, whole and once', async (context) => {
    const disk = mount('manifest-disk', 40_960);
    if (!disk) return context.skip('mounting is not allowed here');
    try {
      const target = join(base, 'manifest.jsonl');
      const job = new Job(base, { manifest: target });
      for (let d = 0; d < 4; d++) for (let i = 0; i < 250; i++) job.file(`d${d}/file-${i}`);
      // The manifest grows on the small disk, the rest of the state elsewhere.
      redirect(job, 'manifest.jsonl', join(disk, 'growing'));
      const stopped = await job.session();
      expect(stopped.status).toBe('Failed');
      expect(String(stopped.error)).toMatch(/no space|ENOSPC/i);
      execFileSync('mount', ['-o', 'remount,size=10m', disk]);
      const resumed = await job.session();
      expect(resumed.error).toBeUndefined();
      expect(resumed.status).toBe('Completed');
      const lines = readFileSync(target, 'utf8').trimEnd().split('\n');
      const paths = lines.map((line) => (JSON.parse(line) as { path: string }).path);
      expect(paths.length).toBe(1 + 4 + 1000);
      expect(new Set(paths).size).toBe(paths.length);
      await expectFaithful(job.source, job.world.store, SMALL);
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  it('under the report of failures: never cut', async (context) => {
    const disk = mount('report-disk', 4096);
    if (!disk) return context.skip('mounting is not allowed here');
    try {
      const job = new Job(base);
      // Each path fits, both together do not.
      const directory = Array.from({ length: 13 }, (_, depth) => `${depth}-`.padEnd(200, 'x')).join('/');
      const bad = ['first', 'second'].map((name) => `${directory}/${name}`);
      for (const name of bad) job.file(name);
      redirect(job, 'problems.txt.new', join(disk, 'report'));
      const problems = join(job.statePath, 'problems.txt');
      const whole = bad.map((name) => `${job.path(name)}\n`);
      const stopped = await job.session(lock(...bad));
      expect(existsSync(join(disk, 'report')), 'the report is written to the full disk').toBe(true);
      if (existsSync(problems)) expect(readFileSync(problems, 'utf8').length).toBe(whole.join('').length);
      expect(stopped.status).toBe('Failed');
      expect(String(stopped.error)).toMatch(/no space|ENOSPC/i);
      execFileSync('mount', ['-o', 'remount,size=10m', disk]);
      expect((await job.session(lock(...bad))).status).toBe('CompletedWithErrors');
      expect(
        readFileSync(problems, 'utf8')
          .split(/(?<=\n)/)
          .sort(),
      ).toEqual(whole.sort());
      expect((await job.session()).status).toBe('Completed');
      await expectFaithful(job.source, job.world.store, SMALL);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});

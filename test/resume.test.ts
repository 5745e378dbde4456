import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lastWorkersAt } from '../src/join/worker-status.js';
import { WORKERS_FILE } from '../src/join/workers-file.js';
import { jobStatus } from '../src/load/job-status.js';
import { load } from '../src/load/load.js';
import { metricsText } from '../src/page/metrics.js';
import { RecordedModel } from '../src/page/recorded-model.js';
import { expectFaithful, SMALL } from './support/check.js';
import { removeTree } from './support/tree.js';
import { Job, lock, makeBase } from './support/whole-job.js';
import { workerPresence } from './support/worker-presence.js';

const base = makeBase('resume');
afterAll(() => removeTree(base));
const CLFSLOAD = join(import.meta.dirname, '../bin/clfsload');

function program(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLFSLOAD, ...args], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('a job goes on by what is recorded of it', () => {
  it('without source, container or any setting', async () => {
    const job = new Job(base);
    for (const name of ['d/a', 'd/b', 'skip.o', 'e/c']) job.file(name);
    job.link('d/a', 'e/a2');
    const first = await job.session(lock('d/b'), {
      compression: 'DISABLED',
      preserveHardLinks: true,
      selection: { excludePaths: [], excludePatterns: ['*.o'], oneFileSystem: false },
      maxErrors: 3,
    });
    expect(first.status).toBe('CompletedWithErrors');
    const second = await job.session({}, { source: undefined, destination: undefined });
    expect(second.error).toBeUndefined();
    expect(second.status).toBe('Completed');
    const { compression, preserveHardLinks, selection } = jobStatus(job.statePath);
    expect({ compression, preserveHardLinks, selection }).toEqual({
      compression: 'DISABLED',
      preserveHardLinks: true,
      selection: '--exclude-pattern="*.o"',
    });
  });

  it('and its share was what was done of what there is when it ended with failures, wherever that is said', async () => {
    const job = new Job(base);
    job.file('d/a');
    job.file('d/b');
    expect((await job.session(lock('d/b'))).status).toBe('CompletedWithErrors');
    const { entriesDone, entriesFailed, permille } = jobStatus(job.statePath);
    expect({ entriesDone, entriesFailed, permille }).toEqual({ entriesDone: 3, entriesFailed: 1, permille: 750 });
    const page = new RecordedModel(job.statePath).look();
    expect(page.now).toMatchObject({ finalStatus: 'CompletedWithErrors', permille: 750, done: 3, failed: 1 });
    expect(await metricsText(page)).toContain('clfsload_progress_ratio 0.75\n');
  });

  it('and tells of no workers that a session had which was killed', async () => {
    const job = new Job(base);
    job.file('d/a');
    expect((await job.session(lock('d/a'))).status).toBe('CompletedWithErrors');
    writeFileSync(join(job.statePath, WORKERS_FILE), JSON.stringify([workerPresence('gone/1')]));
    expect(lastWorkersAt(job.statePath)).toHaveLength(1);
    const told: unknown[] = [];
    const onStart = () => told.push(jobStatus(job.statePath));
    expect((await job.session({}, { onStart })).status).toBe('Completed');
    expect(told).toMatchObject([{ state: 'running', workers: undefined }]);
  });

  it('and refuses what is said otherwise', async () => {
    const job = new Job(base);
    job.file('d/a');
    expect((await job.session(lock('d/a'))).status).toBe('CompletedWithErrors');
    const go = (options: object) =>
      load({ statePath: job.statePath, newSession: false, internals: { container: job.world.container }, ...options });
    await expect(go({ compression: 'DISABLED' })).rejects.toThrow('was started with compression LZ4, not DISABLED');
    await expect(go({ source: base })).rejects.toThrow('was started with source');
    await expect(go({ preserveHardLinks: true })).rejects.toThrow('--preserve-hardlinks false, not true');
    expect((await job.session()).status).toBe('Completed');
    await expectFaithful(job.source, job.world.store, SMALL);
  });

  it('a new one needs source and container', async () => {
    const statePath = join(base, 'none');
    await expect(load({ statePath })).rejects.toThrow('Name the directory to load.');
    await expect(load({ statePath, source: base })).rejects.toThrow('Name the container to load into.');
  });
});

describe('clfsload resume', () => {
  it('goes on with a load, as status says it', () => {
    const source = join(base, 'tree');
    const container = join(base, 'container');
    const statePath = join(base, 'state');
    const manifest = join(base, 'manifest.jsonl');
    mkdirSync(join(source, 'd'), { recursive: true });
    for (let i = 0; i < 2000; i++) writeFileSync(join(source, `d/file-${i}`), `content of ${i}`);
    const begun = [
      'load',
      source,
      container,
      `--state-path=${statePath}`,
      '--compression-type=DISABLED',
      `--manifest=${manifest}`,
    ];
    // Stopped as soon as it has begun.
    const script = `"$0" "$@" & pid=$!; while ! "${process.execPath}" -e "process.exit(require('fs').existsSync('${statePath}/job.db')?0:1)"; do :; done; kill -INT $pid; wait $pid`;
    spawnSync('bash', ['-c', script, process.execPath, CLFSLOAD, ...begun], { encoding: 'utf8' });
    const { output } = program('status', `--state-path=${statePath}`);
    const command = /(?:To go on|To try what failed again): (clfsload resume .+)/.exec(output)?.[1];
    if (command !== undefined) {
      const text = execFileSync('bash', ['-c', command.replace('clfsload', `"${process.execPath}" "${CLFSLOAD}"`)], {
        encoding: 'utf8',
      });
      expect(text).toContain('Final Job Status: Completed');
    }
    expect(program('status', `--state-path=${statePath}`).output).toContain('finished');
    expect(readFileSync(manifest, 'utf8').trim().split('\n')).toHaveLength(2002);
    expect(program('verify', source, container, '--content')).toMatchObject({ status: 0 });
  });

  it('says what is missing', () => {
    expect(program('resume')).toMatchObject({
      status: 1,
      output: expect.stringContaining("missing required argument 'state'"),
    });
    expect(program('resume', join(base, 'nowhere')).output).toContain('nowhere');
    // In place of a flag that it has not.
    const empty = join(base, 'empty');
    mkdirSync(empty);
    expect(program('resume', empty).output).toMatch(
      /there is no job to go on with\. Start one by "clfsload load"; an export that was to have it is repeated .*\.\n$/,
    );
  });
});

import { linkSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { jobStatus } from '../src/load/job-status.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { expectFaithful } from './support/check.js';
import { type RunResult, startProgram } from './support/program.js';
import { randomNumbers, removeTree, someBytes } from './support/tree.js';

/** A tree of `files` small files with hard links, and one large file. */
function makeTree(root: string, files: number, largeBytes: number): void {
  mkdirSync(root);
  for (let d = 0; d * 200 < files; d++) {
    const directory = join(root, `d${d}`);
    mkdirSync(directory);
    for (let f = 0; f < 200; f++) writeFileSync(join(directory, `f${f}`), `${d}/${f} `.repeat(f % 50));
    linkSync(join(directory, 'f7'), join(directory, 'link'));
    if (d > 0) linkSync(join(root, 'd0', 'f9'), join(directory, 'common'));
  }
  writeFileSync(join(root, 'large'), someBytes(largeBytes, 5));
}

/** Whether a program that was killed had come so far that there is a job. */
function hasJob(statePath: string): boolean {
  try {
    jobStatus(statePath);
    return true;
  } catch {
    return false;
  }
}

describe('kill -9 at random moments', () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-kill-'));
  const next = randomNumbers(2026);
  afterAll(() => removeTree(base));

  /** Starts the load again and again, and kills it, until it has been killed `kills` times; then lets it end. */
  async function killAndResume(args: readonly string[], kills: number, longestMs: number): Promise<RunResult> {
    const statePath = args.find((arg) => arg.startsWith('--state-path='))?.slice('--state-path='.length) ?? '';
    let begun = false;
    // A busy machine needs longer before it does anything that could be killed.
    let startMs = 250;
    for (let count = 0; count < kills; ) {
      const { child, done } = startProgram('clfsload', [...args, `--new-session=${!begun}`]);
      const timer = setTimeout(() => child.kill('SIGKILL'), startMs + (next() % longestMs));
      const { code, stdout } = await done;
      clearTimeout(timer);
      if (code !== null && stdout.includes('holds a job already')) begun = true;
      else if (code !== null) return { code, stdout: `ended after ${count} kills: ${stdout}`, stderr: '' };
      else if (hasJob(statePath)) count++;
      else startMs += 20;
    }
    return startProgram('clfsload', [...args, '--new-session=false']).done;
  }

  it('100 times into a container on disk: nothing lost, no orphan', async () => {
    const source = join(base, 'source');
    makeTree(source, 20_000, 100 * 1048576);
    const destination = join(base, 'container');
    const args = ['load', source, destination, `--state-path=${join(base, 'state')}`, '--preserve-hardlinks'];
    const run = await killAndResume(args, 100, 150);
    expect(run.stdout).toContain('Final Job Status: Completed\n');
    expect(run.code).toBe(0);
    expect(readdirSync(destination).filter((name) => name.startsWith('.'))).toEqual([]);
    const container = await openLocalContainer(destination);
    await expectFaithful(source, container);
    await container.close();
  });

  describe('with Azurite', () => {
    let azurite: Azurite;
    beforeAll(async () => {
      azurite = await startAzurite();
    });
    afterAll(() => azurite.stop());

    it('10 times', async () => {
      const source = join(base, 'source-azurite');
      makeTree(source, 4000, 20 * 1048576);
      const url = await azurite.createContainer('kill');
      const run = await killAndResume(
        [
          'load',
          source,
          url,
          `--state-path=${join(base, 'state-azurite')}`,
          '--preserve-hardlinks',
          '--late-arrival=2s',
        ],
        10,
        500,
      );
      expect(run.stdout).toContain('Final Job Status: Completed\n');
      const { place, query } = parseContainer(url);
      const container = await openContainer(
        place,
        { query, bearer: '' },
        { retryWindowMs: 5000, traffic: new Traffic(1) },
      );
      await expectFaithful(source, container);
      await container.close();
    });
  });
});

import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { expectFaithful } from './support/check.js';
import { HAS_NATS, startNats } from './support/nats.js';
import { run } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const USER = 65534;
/** By it alone the source may be read. */
const GROUP = 64321;
const isRoot = process.getuid?.() === 0;

if (!isRoot) console.warn('only root may give processes other groups: that those of workers count is not tested');

describe.skipIf(!HAS_NATS || !isRoot)('a worker of an ordinary user', () => {
  const base = makeBase('workers-rights');
  afterAll(() => removeTree(base));

  const as = (...groups: string[]) => ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, ...groups];

  it('is refused without a group of the driver, on both ends, and takes part with it', async () => {
    const [source, work] = [join(base, 'source'), join(base, 'work')];
    // Deeper than what is looked at before a worker takes part.
    for (const directory of [source, join(source, 'deep'), work]) mkdirSync(directory);
    for (let f = 0; f < 50; f++) {
      const file = join(source, 'deep', `f${f}`);
      writeFileSync(file, `file ${f}`);
      chownSync(file, 0, GROUP);
      chmodSync(file, 0o640);
    }
    chownSync(work, USER, USER);
    chmodSync(base, 0o755);
    const server = await startNats();
    const workerArgs = ['worker', `--join=${server.url}`, '--threads=1'];
    const container = join(work, 'container');
    const driven = ['load', source, container, `--state-path=${join(work, 'state')}`, `--workers=${server.url}`];
    const without = run(workerArgs, {}, as('--clear-groups'));
    const driver = run([...driven, '--threads=0'], {}, as(`--groups=${GROUP}`));
    const all = [without, driver];
    try {
      const refusal = `it lacks group ${GROUP} of the driver`;
      await without.said(new RegExp(`refuses this worker: ${refusal}`));
      await driver.said(new RegExp(`/${without.child.pid} is refused: ${refusal}`));
      all.push(run(workerArgs, {}, as(`--groups=${GROUP}`)));
      const { stdout } = await driver.ended();
      expect(stdout).toContain('Final Job Status: Completed\n');
      expect(without.output()).not.toContain('takes part');
      const opened = await openLocalContainer(container);
      await expectFaithful(source, opened);
      await opened.close();
    } finally {
      for (const { child } of all) child.kill('SIGKILL');
      await Promise.all(all.map(({ done }) => done));
      await server.close();
    }
  });
});

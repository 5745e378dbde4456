import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { expectFaithful } from './support/check.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { runProgram } from './support/program.js';
import { type Running, run, until } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

describe.skipIf(!HAS_NATS)('a worker in trouble of its own', () => {
  const base = makeBase('workers-trouble');
  const source = join(base, 'source');
  let azurite: Azurite;
  let server: NatsServer;
  let started: Running[] = [];
  let count = 0;
  let url = '';

  beforeAll(async () => {
    mkdirSync(source);
    for (let d = 0; d < 12; d++) {
      mkdirSync(join(source, `d${d}`));
      for (let f = 0; f < 30; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d}/${f} `.repeat(f % 50));
    }
    [azurite, server] = await Promise.all([startAzurite(), startNats()]);
  });
  afterEach(async () => {
    for (const { child } of started) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(started.map(({ done }) => done));
    started = [];
  });
  afterAll(async () => {
    await Promise.all([azurite.stop(), server.close()]);
    removeTree(base);
  });

  const start = (args: readonly string[], container: string, prefix: readonly string[] = []) => {
    const running = run(args, { CONTAINER: container }, prefix);
    started.push(running);
    return running;
  };
  const state = () => join(base, `state-${count}`);
  const load = async (...more: string[]) => {
    url = await azurite.createContainer(`trouble-${++count}`);
    return go('load', source, 'env:CONTAINER', `--state-path=${state()}`, ...more);
  };
  const go = (...args: string[]) =>
    start([...args, `--workers=${server.url}`, '--worker-lease=4s', '--late-arrival=2s'], url);
  const worker = (container = url) =>
    start(['worker', `--join=${server.url}`, '--threads=1', '--container=env:CONTAINER'], container);
  /** It can see the container, and may not write to it. */
  const powerless = () => worker(azurite.sasUrl(`trouble-${count}`, { permissions: 'rl' }));
  const expectWhole = async (driver: Running) => {
    const { code, stdout, stderr } = await driver.ended();
    expect(`${stdout}${stderr}`).toContain('Final Job Status: Completed\n');
    expect(code).toBe(0);
    const { place, query } = parseContainer(url);
    const options = { retryWindowMs: 5000, traffic: new Traffic(1) };
    const container = await openContainer(place, { query, bearer: '' }, options);
    await expectFaithful(source, container);
    await container.close();
    const check = await start(['fsck', '--content', 'env:CONTAINER'], url).ended();
    expect(check.stdout).toContain(': 0 errors, 0 warnings');
  };

  it.each([31, 40])('is refused where it has too few descriptors, under "ulimit -n %i"', async (limit) => {
    const driver = await load('--threads=0');
    const args = ['worker', `--join=${server.url}`, '--threads=1', '--container=env:CONTAINER'];
    const poor = start(args, url, ['prlimit', `--nofile=${limit}`]);
    const why = `this process may have ${limit} files open at once, .*ulimit -n`;
    await poor.said(new RegExp(`cannot take part in job .*: ${why}`));
    await driver.said(new RegExp(`/${poor.child.pid} is refused: ${why}`));
    const rich = worker();
    await rich.said(/takes part/);
    await expectWhole(driver);
  });

  it('gives back what it has, with the reason on both ends and in the status; others do it', async () => {
    // So slow that there is something left for the second one.
    const driver = await load('--threads=0', '--cap-mbps=0.3');
    const rich = worker();
    await rich.said(/takes part/);
    const poor = powerless();
    await driver.said(new RegExp(`/${poor.child.pid} has gone: .*(?:denied|refused).*; \\d+ of its tasks are given`));
    await poor.said(/no more in job .*: .*(?:denied|refused)/);
    await poor.said(/tries again to take part in job .* in a minute/);
    await expectWhole(driver);
    expect(rich.output()).not.toContain('denied');
  });

  it('that is the last one, of a driver without threads, ends the job with its reason; it can be gone on with', async () => {
    const driver = await load('--threads=0');
    const poor = powerless();
    const { code, stdout } = await driver.ended();
    expect(code).toBe(1);
    expect(stdout).toContain('Final Job Status: Failed');
    expect(stdout).toMatch(new RegExp(`/${poor.child.pid}: .*(?:denied|refused)`));
    poor.child.kill('SIGKILL');
    worker();
    await expectWhole(go('resume', state(), 'env:CONTAINER', '--threads=0'));
  });

  it('leaves the job to the threads of the driver, which is shown by the status', async () => {
    const driver = await load('--threads=1', '--cap-mbps=0.3');
    const poor = powerless();
    await driver.said(new RegExp(`/${poor.child.pid} has gone: `));
    const name = expect.stringMatching(new RegExp(`/${poor.child.pid}$`));
    const gone = expect.stringMatching(/^\d{4}-/);
    const status = async (...more: string[]) => (await runProgram('clfsload', ['status', state(), ...more])).stdout;
    const file = join(state(), 'workers.json');
    await until(() => existsSync(file) && readFileSync(file, 'utf8').includes('"goneMs"'));
    // So that it is looked at while it runs.
    driver.child.kill('SIGSTOP');
    const { workers } = JSON.parse(await status('--json'));
    expect(workers).toMatchObject([{ name, tasks: 0, gone, trouble: expect.stringMatching(/denied|refused/) }]);
    expect(await status()).toMatch(/Workers: {3}0\n.* has gone at .*(?:denied|refused)/);
    driver.child.kill('SIGCONT');
    await expectWhole(driver);
  });
});

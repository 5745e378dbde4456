import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import type { PageReport } from '../src/page/model.js';
import { CONSUMER, epochOf } from '../src/remote/nats-subjects.js';
import { expectFaithful } from './support/check.js';
import { HAS_NATS } from './support/nats.js';
import { runProgram } from './support/program.js';
import { type Running, run, until } from './support/run-workers.js';
import { removeTree, someBytes } from './support/tree.js';
import { makeBase } from './support/whole-job.js';
import { HOLDS, WorkersPlace } from './support/workers-place.js';

const FILES = 3000;
const FILES_A_DIRECTORY = 500;

/** A tree with hard links, a large file, and enough small ones that a fault comes in the middle. */
function makeTree(root: string): void {
  mkdirSync(root);
  for (let d = 0; d * FILES_A_DIRECTORY < FILES; d++) {
    const directory = join(root, `d${d}`);
    mkdirSync(directory);
    for (let f = 0; f < FILES_A_DIRECTORY; f++) writeFileSync(join(directory, `f${f}`), `${d}/${f} `.repeat(f % 50));
    linkSync(join(directory, 'f7'), join(directory, 'link'));
  }
  writeFileSync(join(root, 'large'), someBytes(20 * 1048576, 5));
}

if (!HAS_NATS)
  console.warn('nats-server is missing: nothing of workers on other machines is tested with a real server');

describe.skipIf(!HAS_NATS)('workers', () => {
  const base = makeBase('workers');
  const source = join(base, 'source');
  let all: WorkersPlace;
  let count = 0;

  beforeAll(() => makeTree(source));
  afterAll(() => removeTree(base));
  beforeEach(async () => {
    all = await WorkersPlace.open(base, `test-${count++}`);
  });
  afterEach(({ task }) => all.close(task.result?.state === 'fail'));

  const container = () => all.path('container');
  const worker = (...more: string[]) => all.worker(...more);
  /** One that has tasks as long as it is held, since it cannot write; there are others, however busy this machine is. */
  const holdingWorker = () => all.holdingWorker(/\/container\//, 100);
  const load = (...more: string[]) =>
    all.drive(
      'load',
      source,
      container(),
      `--state-path=${all.path('state')}`,
      '--late-arrival=2s',
      '--preserve-hardlinks',
      ...more,
    );
  const hasBlobs = (some: number) => until(() => existsSync(container()) && readdirSync(container()).length > some);
  /** The load has come to its end, and the container holds the source and nothing else. */
  const expectWhole = async (driver: Running) => {
    const { code, stdout, stderr } = await driver.ended();
    expect(`${stdout}${stderr}`).toContain('Final Job Status: Completed\n');
    expect(code).toBe(0);
    const opened = await openLocalContainer(container());
    await expectFaithful(source, opened);
    await opened.close();
    const check = await run(['fsck', '--content', container()]).ended();
    expect(check.stdout).toContain(': 0 errors, 0 warnings');
  };

  it('do a load together, come while it runs, and wait for the next job', async () => {
    const first = worker();
    const driver = load();
    await first.said(/takes part/);
    await hasBlobs(100);
    const second = worker();
    await second.said(/takes part/);
    await expectWhole(driver);
    expect(driver.output().match(/takes part with 1 thread/g)).toHaveLength(2);
    for (const each of [first, second]) await each.said(/no more in job/);
    const again = all.drive('load', join(source, 'd1'), all.path('next'), `--state-path=${all.path('state-2')}`);
    expect((await again.ended()).code).toBe(0);
    first.child.kill('SIGTERM');
    expect((await first.ended()).code).toBe(0);
  });

  it('are shown by the status of the load while it runs', async () => {
    const first = worker();
    const driver = load('--worker-lease=60s');
    const ended = driver.done.then(() => true);
    const file = join(all.path('state'), 'workers.json');
    const hasDone = () => existsSync(file) && /"unitsPerSecond":[1-9]/.test(readFileSync(file, 'utf8'));
    await Promise.race([until(hasDone), ended]);
    // So that it is looked at while it runs.
    driver.child.kill('SIGSTOP');
    const status = (...more: string[]) => runProgram('clfsload', ['status', all.path('state'), ...more]);
    const { workers } = JSON.parse((await status('--json')).stdout);
    const name = expect.stringMatching(new RegExp(`/${first.child.pid}$`));
    const since = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
    expect(workers).toMatchObject([{ name, threads: 1, since, slow: false }]);
    const schema = JSON.parse(readFileSync(new URL('../docs/output.schema.json', import.meta.url), 'utf8'));
    const isStatus = new Ajv2020({ strict: false })
      .addSchema(schema, 'output')
      .compile({ $ref: 'output#/$defs/StatusLine' });
    const line = JSON.parse((await status('--json')).stdout);
    expect(isStatus(line), JSON.stringify([line, isStatus.errors])).toBe(true);
    expect((await status()).stdout).toMatch(/Workers: {3}1\n.*: 1 thread since .*, \d+ tasks?, \d+ units\/s$/m);
    driver.child.kill('SIGCONT');
    await expectWhole(driver);
    expect(JSON.parse((await status('--json')).stdout).workers).toBeUndefined();
    expect(readdirSync(all.path('state'))).not.toContain('workers.json');
    // What it has done stays in the report of the session.
    const report = readFileSync(join(all.path('state'), 'report.html'), 'utf8');
    const [, json = ''] = /<script type="application\/json" id="report">(.*)<\/script>/.exec(report) ?? [];
    const [row, ...others] = (JSON.parse(json) as PageReport).model.workers.rows;
    expect([row, others]).toMatchObject([{ name, threads: 1, slow: false }, []]);
    expect(row.units).toBeGreaterThan(0);
  });

  it('may be killed: what it had is done by others', async () => {
    const first = holdingWorker();
    const driver = load();
    await first.said(HOLDS);
    first.child.kill('SIGKILL');
    worker();
    await expectWhole(driver);
    expect(driver.output()).toMatch(/has gone: it was not heard of for \d+ s; \d+ of its tasks are given to others/);
  });

  it('may be frozen for longer than its lease, and go on: nothing that it does then counts, or is left', async () => {
    const first = holdingWorker();
    const driver = load();
    await first.said(HOLDS);
    first.child.kill('SIGSTOP');
    worker();
    await driver.said(/has gone: it was not heard of for \d+ s; \d+ of its tasks are given to others/);
    first.child.kill('SIGCONT');
    all.letGo();
    await first.said(/no more in job/);
    await expectWhole(driver);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('outlive their server, ended by %s and started again', async (signal) => {
    const first = holdingWorker();
    // A lease that no start of a server on a busy machine takes.
    const driver = load('--worker-lease=60s');
    await first.said(HOLDS);
    const second = worker();
    await second.said(/takes part/);
    await all.server.stop(signal);
    await driver.said(/the server of the workers does not answer/);
    await all.server.start();
    await driver.said(/the server of the workers is there/);
    all.letGo();
    await expectWhole(driver);
    // Shorter than their lease: they go on with what they have.
    expect(driver.output()).not.toContain('has gone');
  });

  it('give up what they have when their server is away for longer than the lease, and begin anew', async () => {
    const first = worker();
    const driver = load();
    await first.said(/takes part/);
    await hasBlobs(100);
    await all.server.stop('SIGKILL');
    await first.said(/no more in job .*: the driver has not answered in time/);
    await all.server.start();
    await expectWhole(driver);
    expect(driver.output().match(/takes part with 1 thread/g)).toHaveLength(2);
  });

  it('work for a driver that was killed and goes on, on new names', async () => {
    const first = worker();
    const killed = load();
    await first.said(/takes part/);
    await hasBlobs(100);
    killed.child.kill('SIGKILL');
    await killed.ended();
    const driver = load('--new-session=false');
    await first.said(/no more in job .*: (?:the driver has not answered in time|the driver has ended)/);
    await expectWhole(driver);
    expect(driver.output()).toContain('takes part');
  });

  it('are refused with the reason, on both ends, where they see another tree', async () => {
    const other = all.path('other');
    mkdirSync(other);
    writeFileSync(join(other, 'file'), 'another one');
    const wrong = worker(`--source=${other}`);
    const driver = load();
    await wrong.said(/cannot take part in job .*: its source is another tree/);
    await driver.said(/is refused: its source is another tree/);
    const right = worker();
    await right.said(/takes part/);
    await expectWhole(driver);
    expect(wrong.output()).not.toMatch(/takes part/);
  });

  it('are refused with the reason, on both ends, where they speak another protocol', async () => {
    const driver = load();
    await driver.said(/Transfer/);
    const client = await connect({ servers: all.server.url.slice('nats://'.length) });
    const candidate = {
      protocol: 99,
      wire: 15,
      version: '9.9',
      worker: 'w',
      name: 'from the future',
      lanes: 1,
      user: 0,
    };
    const answer = await client.request('clfs.apply', JSON.stringify(candidate), { timeout: 10_000 });
    expect(answer.json()).toMatchObject({ refused: expect.stringContaining("version 99 of the workers' protocol") });
    await client.close();
    await driver.said(/from the future is refused: it speaks version 99/);
    worker();
    await expectWhole(driver);
  });

  it('do under new numbers what somebody else has found in the queue, and has not said that it took', async () => {
    const driver = load();
    await driver.said(/Transfer/);
    const client = await connect({ servers: all.server.url.slice('nats://'.length) });
    const streams: string[] = [];
    for await (const name of (await jetstreamManager(client)).streams.names()) streams.push(name);
    const stream = streams.find((name) => epochOf(name) !== undefined) ?? '';
    const consumer = await jetstream(client).consumers.get(stream, CONSUMER);
    const found = await consumer.next({ expires: 60_000 });
    expect(found?.info.deliveryCount).toBe(1);
    await client.close();
    worker();
    await driver.said(/somebody has found a task and not said that it took it/);
    await expectWhole(driver);
    expect((await run(['verify', source, container(), '--content']).ended()).stdout).toContain(' 0 different');
  });

  it('say what is wrong where there is no server, or a password in its address', async () => {
    await all.server.stop('SIGKILL');
    const driver = load();
    expect((await driver.ended()).code).toBe(1);
    expect(driver.output()).toContain('Cannot reach the server of the workers');
    const told = all.start('worker', '--join=nats://me:secret@127.0.0.1:1');
    expect((await told.ended()).code).toBe(2);
    expect(told.output()).toContain('has a user or a password in it');
    expect(told.output()).not.toContain('secret');
  });
});

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { expectFaithful } from './support/check.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { startPoisonProxy } from './support/poison-proxy.js';
import { type Running, run } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const POISON = 'this brings every worker down';

describe.skipIf(!HAS_NATS)('workers with a service', () => {
  const base = makeBase('workers-service');
  let azurite: Azurite;
  let server: NatsServer;
  const started: Running[] = [];

  beforeAll(async () => {
    [azurite, server] = await Promise.all([startAzurite(), startNats()]);
  });
  afterAll(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.map(({ done }) => done));
    await Promise.all([azurite.stop(), server.close()]);
    removeTree(base);
  });

  it('that a task brings down, each that takes it, end the job with its name; secrets go nowhere', async () => {
    const source = join(base, 'source');
    mkdirSync(source);
    for (let f = 0; f < 300; f++) writeFileSync(join(source, `f${f}`), f === 123 ? POISON : `file ${f}`);
    const url = new URL(await azurite.createContainer('poison'));
    const signature = url.searchParams.get('sig') ?? '';
    let poison: string | undefined = POISON;
    const workers = new Map<string, Running>();
    let killed = 0;
    const proxy = await startPoisonProxy(
      azurite.port,
      () => poison,
      (id) => {
        if (workers.get(id)?.child.kill('SIGKILL')) killed++;
      },
    );
    url.port = String(proxy.port);

    const client = await connect({ servers: server.url.slice('nats://'.length) });
    let heard = 0;
    let leaked = 0;
    client.subscribe('>', {
      callback: (_error, { data }) => {
        heard++;
        if ([signature, encodeURIComponent(signature)].some((text) => Buffer.from(data).includes(text))) leaked++;
      },
    });

    const startWorker = () => {
      const id = `w${workers.size}`;
      const env = { CONTAINER: `${url.href}&worker=${id}` };
      const worker = run(['worker', `--join=${server.url}`, '--threads=1', '--container=env:CONTAINER'], env);
      started.push(worker);
      workers.set(id, worker);
      void worker.done.then(() => {
        if (poison !== undefined) startWorker();
      });
      return worker;
    };
    const load = (...more: string[]) => {
      const state = `--state-path=${join(base, 'state')}`;
      const flags = ['--threads=0', '--worker-lease=2s', '--late-arrival=2s', '--compression-type=DISABLED'];
      const driver = run(['load', source, 'env:CONTAINER', state, `--workers=${server.url}`, ...flags, ...more], {
        CONTAINER: url.href,
      });
      started.push(driver);
      return driver;
    };
    const first = startWorker();
    await first.said(/waiting for a job/);
    expect(readFileSync(`/proc/${first.child.pid}/cmdline`, 'latin1')).not.toContain('sig=');
    const driver = load();
    expect((await driver.ended()).code).toBe(1);
    expect(driver.output()).toContain(
      '3 workers in a row have gone while they worked on "f123" (a task of kind files)',
    );
    expect(killed).toBeGreaterThanOrEqual(3);

    poison = undefined;
    const worker = startWorker();
    const resumed = load('--new-session=false');
    expect((await resumed.ended()).stdout).toContain('Final Job Status: Completed\n');
    await worker.said(/no more in job/);
    const { place, query } = parseContainer(url.href);
    const traffic = new Traffic(1);
    const container = await openContainer(place, { query, bearer: '' }, { retryWindowMs: 5000, traffic });
    await expectFaithful(source, container);
    await container.close();

    expect(heard).toBeGreaterThan(100);
    expect(leaked).toBe(0);
    const said = started.map(({ output }) => output()).join('\n');
    expect(said).not.toContain(encodeURIComponent(signature));
    expect(readFileSync(join(base, 'state', 'clfsload.log'), 'latin1')).not.toContain(encodeURIComponent(signature));
    await client.close();
    await proxy.close();
  });
});

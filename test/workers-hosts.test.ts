import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Container } from '../src/container/container.js';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { expectFaithful } from './support/check.js';
import { type HoldingProxy, startHoldingProxy } from './support/holding-proxy.js';
import { type Hosts, makeHosts, whyNoHosts } from './support/hosts.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { type Running, run, until } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const WORKERS = ['first', 'second', 'third'] as const;
const DIRECTORIES = 12;
const FILES = 60;

const reason = HAS_NATS ? whyNoHosts() : 'nats-server is missing';
if (reason !== undefined) console.warn(`Workers on hosts of their own are not tested: ${reason}.`);

describe.skipIf(reason !== undefined)('workers on hosts of their own', () => {
  const base = makeBase('workers-hosts');
  const source = join(base, 'source');
  const started: Running[] = [];
  let hosts: Hosts;
  let server: NatsServer;
  let azurite: Azurite;
  let proxy: HoldingProxy;
  let url: URL;
  let container: Container;

  beforeAll(async () => {
    for (let d = 0; d < DIRECTORIES; d++) {
      mkdirSync(join(source, `d${d}`), { recursive: true });
      for (let f = 0; f < FILES; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d}/${f} `.repeat(f));
    }
    hosts = makeHosts([...WORKERS, 'server']);
    azurite = await startAzurite();
    server = await startNats('', { address: hosts.address('server'), on: hosts.on('server') });
    proxy = await startHoldingProxy(hosts.here, azurite.port);
    url = new URL(await azurite.createContainer('hosts'));
    const { place, query } = parseContainer(url.href);
    container = await openContainer(place, { query, bearer: '' }, { retryWindowMs: 5000, traffic: new Traffic(1) });
    url.hostname = hosts.here;
    url.port = String(proxy.port);
  });
  afterAll(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.map(({ done }) => done));
    await container?.close();
    await Promise.all([proxy?.close(), server?.close(), azurite?.stop()]);
    hosts?.close();
    removeTree(base);
  });

  const start = (args: readonly string[], host?: string) => {
    const running = run(args, { CONTAINER: url.href }, host === undefined ? [] : hosts.on(host));
    started.push(running);
    return running;
  };

  it('do a load though one is cut off in the middle of puts, which arrive when others have its tasks', async () => {
    const workers = WORKERS.map((host) =>
      start(['worker', `--join=${server.url}`, '--threads=1', '--container=env:CONTAINER'], host),
    );
    const flags = ['--threads=0', '--worker-lease=4s', '--late-arrival=15s', `--workers=${server.url}`];
    const driver = start(['load', source, 'env:CONTAINER', `--state-path=${join(base, 'state')}`, ...flags]);
    for (const worker of workers) await worker.said(/takes part/);
    // Each has something to do.
    await until(() => proxy.puts > 30);
    const [first] = workers;
    proxy.hold(hosts.address('first'));
    await until(() => proxy.held.length > 0);
    hosts.setConnected('first', false);
    await driver.said(
      new RegExp(`/${first.child.pid} has gone: it was not heard of for \\d+ s; \\d+ of its tasks are given`),
    );
    const late = await proxy.release();
    expect(late.length).toBeGreaterThan(0);
    await first.said(/no more in job .*: the driver has not answered in time/);
    hosts.setConnected('first', true);
    const { stdout, stderr } = await driver.ended();
    expect(`${stdout}${stderr}`).toContain('Final Job Status: Completed\n');
    await expectFaithful(source, container);
    const there = new Set<string>();
    for await (const page of container.list('')) for (const { name } of page) there.add(name);
    // It was not their names that others used: what came late has been removed.
    expect(late.filter((name) => there.has(name))).toEqual([]);
    const check = await start(['fsck', '--content', 'env:CONTAINER']).ended();
    expect(check.stdout).toContain(': 0 errors, 0 warnings');
  });
});

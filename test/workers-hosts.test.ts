import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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
const DRIVERS = ['head', 'spare'] as const;
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
  let count = 0;

  beforeAll(async () => {
    for (let d = 0; d < DIRECTORIES; d++) {
      mkdirSync(join(source, `d${d}`), { recursive: true });
      for (let f = 0; f < FILES; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d}/${f} `.repeat(f));
    }
    hosts = makeHosts([...WORKERS, ...DRIVERS, 'server']);
    azurite = await startAzurite();
    server = await startNats('', { address: hosts.address('server'), on: hosts.on('server') });
  });
  beforeEach(async () => {
    proxy = await startHoldingProxy(hosts.here, azurite.port);
    url = new URL(await azurite.createContainer(`hosts-${count++}`));
    const { place, query } = parseContainer(url.href);
    container = await openContainer(place, { query, bearer: '' }, { retryWindowMs: 5000, traffic: new Traffic(1) });
    url.hostname = hosts.here;
    url.port = String(proxy.port);
  });
  afterEach(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.splice(0).map(({ done }) => done));
    await Promise.all([container?.close(), proxy?.close()]);
  });
  afterAll(async () => {
    await Promise.all([server?.close(), azurite?.stop()]);
    hosts?.close();
    removeTree(base);
  });

  const startOn = (prefix: readonly string[], args: readonly string[]) => {
    const running = run(args, { CONTAINER: url.href }, prefix);
    started.push(running);
    return running;
  };
  const worker = (host: (typeof WORKERS)[number]) =>
    startOn(hosts.on(host), ['worker', `--join=${server.url}`, '--threads=1', '--container=env:CONTAINER']);
  const FLAGS = ['--threads=0', '--worker-lease=4s', '--late-arrival=15s'];
  const state = () => join(base, `state-${count}`);
  const loadArgs = () => [
    ...['load', source, 'env:CONTAINER', `--state-path=${state()}`, ...FLAGS, `--workers=${server.url}`],
  ];
  /** On a machine with a name of its own. */
  const driveOn = (host: (typeof DRIVERS)[number], args: readonly string[]) =>
    startOn([...hosts.on(host), 'unshare', '--uts', 'sh', '-c', 'hostname "$0" && exec "$@"', host], args);

  /** The load has come to its end, and the container is the source and nothing else. */
  const expectWhole = async (driver: Running) => {
    const { stdout, stderr } = await driver.ended();
    expect(`${stdout}${stderr}`).toContain('Final Job Status: Completed\n');
    await expectFaithful(source, container);
    const check = await startOn([], ['fsck', '--content', 'env:CONTAINER']).ended();
    expect(check.stdout).toContain(': 0 errors, 0 warnings');
  };
  /** Those of some blobs that are in the container. */
  const thereOf = async (names: readonly string[]) => {
    const there = new Set<string>();
    for await (const page of container.list('')) for (const { name } of page) there.add(name);
    return names.filter((name) => there.has(name));
  };

  it('do a load though one is cut off in the middle of puts, which arrive when others have its tasks', async () => {
    const workers = WORKERS.map(worker);
    const driver = startOn([], loadArgs());
    for (const each of workers) await each.said(/takes part/);
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
    await expectWhole(driver);
    // It was not their names that others used: what came late has been removed.
    expect(await thereOf(late)).toEqual([]);
  });

  it('take part again when they were cut off and are not any more, and do some of the work', async () => {
    const first = worker('first');
    const driver = startOn([], loadArgs());
    await until(() => proxy.putsOf(hosts.address('first')) > 30);
    hosts.setConnected('first', false);
    await driver.said(new RegExp(`/${first.child.pid} has gone: it was not heard of`));
    await first.said(/no more in job .*: the driver has not answered in time/);
    // The other one keeps all that it takes, and is killed: what it had is left for the one that comes back.
    proxy.hold(hosts.address('second'));
    const second = worker('second');
    await until(() => proxy.held.length > 0);
    const before = proxy.putsOf(hosts.address('first'));
    hosts.setConnected('first', true);
    await first.said(/takes part[\s\S]*no more in job[\s\S]*takes part/);
    second.child.kill('SIGKILL');
    await until(() => proxy.putsOf(hosts.address('first')) > before);
    const late = await proxy.release();
    await expectWhole(driver);
    expect(await thereOf(late)).toEqual([]);
  });

  it('do a load whose driver is killed on one machine and goes on on another, of another name', async () => {
    const workers = [worker('first'), worker('second')];
    const killed = driveOn('head', loadArgs());
    for (const each of workers) await each.said(/takes part/);
    await until(() => proxy.puts > 30);
    proxy.hold(hosts.address('first'));
    await until(() => proxy.held.length > 0);
    // It is in the middle of the work: these puts have no answer yet.
    killed.child.kill('SIGKILL');
    await killed.ended();
    expect(killed.output()).not.toContain('Final Job Status');
    const resumed = driveOn('spare', ['resume', state(), 'env:CONTAINER', '--late-arrival=15s']);
    for (const each of workers) await each.said(/no more in job[\s\S]*takes part/);
    await until(() => proxy.putsOf(hosts.address('second')) > 0);
    const late = await proxy.release();
    expect(late.length).toBeGreaterThan(0);
    await expectWhole(resumed);
    expect(resumed.output()).toContain('takes part with 1 thread');
    expect(await thereOf(late)).toEqual([]);
    const verified = await startOn([], ['verify', '--content', source, 'env:CONTAINER']).ended();
    expect(verified.stdout).toContain(' 0 different, 0 only in the source, 0 only in the container');
  });
});

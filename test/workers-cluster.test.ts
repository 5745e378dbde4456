import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DriverLink } from '../src/remote/link.js';
import { openNatsDriver } from '../src/remote/nats-driver.js';
import { natsOptions } from '../src/remote/nats-options.js';
import { openNatsWorker } from '../src/remote/nats-worker.js';
import { freePort } from './support/azurite.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { until } from './support/run-workers.js';

const SERVERS = ['one', 'two', 'three'];

describe.skipIf(!HAS_NATS)('a cluster of servers of workers', () => {
  let servers: readonly NatsServer[] = [];

  beforeAll(async () => {
    const ports = await Promise.all(SERVERS.map(() => freePort()));
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(', ');
    const configuration = (at: number) => (port: number, directory: string) =>
      `host: 127.0.0.1
port: ${port}
server_name: ${SERVERS[at]}
jetstream { store_dir: "${directory}", max_mem: 64MB }
cluster { name: all, listen: "127.0.0.1:${ports[at]}", routes: [${routes}] }
`;
    servers = await Promise.all(SERVERS.map((_, at) => startNats(configuration(at))));
  });
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  const urls = () => servers.map(({ url }) => url);

  /** One that has just been started has no leader. */
  const openDriver = async () => {
    let driver: DriverLink | undefined;
    await until(async () => {
      driver = await openNatsDriver(natsOptions(urls().join(','), {}), { job: 'a', epoch: 'a' }).catch(() => undefined);
      return driver !== undefined;
    });
    return driver as DriverLink;
  };

  it('gives out what the one had that is gone for good', async () => {
    const driver = await openDriver();
    const patience = { signal: new AbortController().signal, report: () => undefined };
    const worker = await openNatsWorker(natsOptions(urls().join(','), {}), 'worker', patience);
    const observer = await connect({ servers: urls() });
    try {
      driver.offer(1);
      const { streams } = await jetstreamManager(observer);
      await until(async () => (await streams.info(driver.queue)).state.messages === 1);
      const { cluster } = await streams.info(driver.queue);
      const former = driver.queue;
      await servers[SERVERS.indexOf(cluster?.leader ?? '')].stop('SIGKILL');
      const found: number[] = [];
      await until(async () => {
        await worker?.pull(driver.queue, 1, 1000, ({ ticket, accept }) => {
          found.push(ticket);
          accept();
        });
        return found.length > 0;
      });
      expect(found).toEqual([1]);
      expect(driver.queue).not.toBe(former);
    } finally {
      await observer.close();
      await worker?.close();
      await driver.close();
    }
  });
});

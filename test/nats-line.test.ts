import { type JetStreamManager, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openNatsDriver } from '../src/remote/nats-driver.js';
import { NatsLine } from '../src/remote/nats-line.js';
import { natsOptions } from '../src/remote/nats-options.js';
import { openNatsWorker } from '../src/remote/nats-worker.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { until } from './support/run-workers.js';

vi.mock('@nats-io/transport-node', async (importOriginal) => {
  const client = await importOriginal<typeof import('@nats-io/transport-node')>();
  return { ...client, connect: vi.fn(client.connect) };
});

vi.mock('@nats-io/jetstream', async (importOriginal) => {
  const client = await importOriginal<typeof import('@nats-io/jetstream')>();
  return { ...client, jetstreamManager: vi.fn(client.jetstreamManager) };
});

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();
/** A driver may ask its server for two seconds before it asks again. */
const SOON_MS = 1500;

describe.skipIf(!HAS_NATS)('a line to the server of workers', () => {
  let server: NatsServer;
  let closed: (() => Promise<void>)[] = [];
  const heard: { connections: boolean[]; refused: string[] } = { connections: [], refused: [] };

  beforeEach(async () => {
    server = await startNats();
    heard.connections = [];
    heard.refused = [];
    vi.mocked(connect).mockClear();
    vi.mocked(jetstreamManager).mockClear();
  });
  afterEach(async () => {
    for (const close of closed) await close();
    closed = [];
    await server.close();
  });

  const openDriver = async (env: NodeJS.ProcessEnv = {}) => {
    const driver = await openNatsDriver(natsOptions(server.url, env), { job: 'a', epoch: 'a' });
    closed.push(() => driver.close());
    driver.listen({
      candidate: () => undefined,
      question: (bytes, answer) => answer(bytes),
      refused: (reason) => void heard.refused.push(reason),
      connected: (open) => void heard.connections.push(open),
    });
    return driver;
  };
  const openWorker = async () => {
    const patience = { signal: new AbortController().signal, report: () => undefined };
    const worker = await openNatsWorker(natsOptions(server.url, {}), 'worker', patience);
    if (!worker) throw new Error('nobody has ended the waiting');
    closed.push(() => worker.close());
    return worker;
  };
  const connectionOf = async (at: number): Promise<NatsConnection> => {
    const made = vi.mocked(connect).mock.results[at];
    return made.value;
  };
  const untilAnswered = (ask: () => Promise<Uint8Array | undefined>) =>
    until(async () => text(await ask()) === 'still there?');

  it('looks for its queue as soon as the server is back, whatever it has asked before', async () => {
    const driver = await openDriver();
    const former = driver.queue;
    await server.stop('SIGKILL');
    await until(() => heard.connections.includes(false));
    // What is published now is thrown away; after that it is asked, in vain too, whether there is a queue.
    driver.offer(1);
    await new Promise((resolve) => setTimeout(resolve, 2700));
    await server.start();
    await until(() => heard.connections.at(-1) === true);
    const backMs = performance.now();
    await until(() => driver.queue !== former);
    expect(performance.now() - backMs).toBeLessThan(SOON_MS);
  });

  it('of a driver whose server is full says so, and goes on when there is room', async () => {
    const driver = await openDriver();
    const worker = await openWorker();
    const other = await connect({ servers: server.url });
    closed.push(() => other.close());
    const manager = await jetstreamManager(other);
    const storage = StorageType.Memory;
    await manager.streams.add({ name: 'OTHER', subjects: ['other'], storage });
    const client = jetstream(other);
    const fill = async () => {
      for (;;) await client.publish('other', Buffer.alloc(1_000_000));
    };
    await expect(fill()).rejects.toThrow('insufficient resources');
    driver.offer(3);
    await until(() => heard.refused.includes('insufficient resources'));
    await manager.streams.delete('OTHER');
    await until(async () => {
      const found: number[] = [];
      await worker.pull(driver.queue, 1, 1000, ({ ticket, accept }) => {
        found.push(ticket);
        accept();
      });
      return found.includes(3);
    });
  });

  it('of a driver that has ended for good is there again, and says so', async () => {
    const driver = await openDriver();
    const worker = await openWorker();
    await untilAnswered(() => worker.ask('a', Buffer.from('still there?'), 500));
    await (await connectionOf(0)).close();
    driver.offer(7);
    await untilAnswered(() => worker.ask('a', Buffer.from('still there?'), 500));
    expect(heard.connections).toEqual([false, true]);
    const found: number[] = [];
    await until(async () => {
      await worker.pull(driver.queue, 1, 1000, ({ ticket, accept }) => {
        found.push(ticket);
        accept();
      });
      return found.includes(7);
    });
  });

  it('of a driver that has ended for good leaves no queue behind that was about to be made', async () => {
    const driver = await openDriver();
    const former = driver.queue;
    const observer = await connect({ servers: server.url });
    closed.push(() => observer.close());
    const { streams } = await jetstreamManager(observer);
    const manager: JetStreamManager = await vi.mocked(jetstreamManager).mock.results[0].value;
    let goOn: () => void = () => undefined;
    const add = manager.consumers.add.bind(manager.consumers);
    const adding = vi.spyOn(manager.consumers, 'add').mockImplementation(async (...all) => {
      const added = await add(...all);
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      return added;
    });
    await streams.delete(former);
    driver.offer(1);
    await until(() => adding.mock.calls.length > 0);
    await (await connectionOf(0)).close();
    await until(() => driver.queue !== former);
    const names = async () => {
      const found: string[] = [];
      for await (const name of streams.names()) found.push(name);
      return found;
    };
    expect(await names()).toHaveLength(2);
    goOn();
    await vi.waitFor(async () => expect(await names()).toEqual([driver.queue]), { timeout: 5000, interval: 100 });
  });

  it('that is closed while it is made again ends what it has made', async () => {
    const open = async () => {
      const connection = await connect({ servers: server.url });
      closed.push(() => connection.close());
      return connection;
    };
    const [first, second] = [await open(), await open()];
    let made: (connection: NatsConnection) => void = () => undefined;
    const making = vi.fn(
      () =>
        new Promise<NatsConnection>((resolve) => {
          made = resolve;
        }),
    );
    const told: string[] = [];
    const line = new NatsLine(first, making);
    line.follow({
      renewed: () => void told.push('renewed'),
      connected: (isOpen) => void told.push(isOpen ? 'there' : 'away'),
      refused: (reason) => void told.push(reason),
    });
    await first.close();
    await until(() => making.mock.calls.length > 0);
    await line.close();
    made(second);
    await until(() => second.isClosed());
    expect(told).toEqual(['away']);
    expect(making).toHaveBeenCalledTimes(1);
  });

  it('of a worker that has ended for good is there again', async () => {
    const driver = await openDriver();
    const worker = await openWorker();
    await (await connectionOf(1)).close();
    await untilAnswered(() => worker.ask('a', Buffer.from('still there?'), 500));
    driver.offer(8);
    const found: number[] = [];
    await until(async () => {
      await worker.pull(driver.queue, 1, 1000, ({ ticket }) => void found.push(ticket));
      return found.includes(8);
    });
  });

  it('of a driver that is not known to its server any more says why, once it is lost, and goes on when it is', async () => {
    await server.close();
    const users = (...names: string[]) =>
      `authorization { users: [ ${names.map((name) => `{ user: ${name}, password: p }`).join(', ')} ] }`;
    server = await startNats(users('driver', 'other'));
    const driver = await openDriver({ CLFSLOAD_NATS_USER: 'driver', CLFSLOAD_NATS_PASSWORD: 'p' });
    server.reload(users('other'));
    await until(() => heard.refused.some((reason) => /authorization/i.test(reason)));
    // It is refused again and again.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(heard.connections).toEqual([false]);
    server.reload(users('driver', 'other'));
    await until(() => heard.connections.at(-1) === true);
    driver.offer(1);
    expect(heard.connections).toEqual([false, true]);
  });

  it('of a driver that may not hear its workers for a while hears them after that', async () => {
    await server.close();
    const driverMay = (what: string) =>
      `authorization { users: [ { user: driver, password: p, permissions: { publish: ">", subscribe: [${what}] } }
        { user: worker, password: p } ] }`;
    server = await startNats(driverMay('">"'));
    await openDriver({ CLFSLOAD_NATS_USER: 'driver', CLFSLOAD_NATS_PASSWORD: 'p' });
    const options = natsOptions(server.url, { CLFSLOAD_NATS_USER: 'worker', CLFSLOAD_NATS_PASSWORD: 'p' });
    const worker = await openNatsWorker(options, 'worker', {
      signal: new AbortController().signal,
      report: () => undefined,
    });
    closed.push(async () => worker?.close());
    const ask = async () => worker?.ask('a', Buffer.from('still there?'), 500);
    await untilAnswered(ask);
    server.reload(driverMay('"_INBOX.>"'));
    await until(() => heard.refused.some((reason) => reason.includes('clfs.ask')));
    expect(await ask()).toBeUndefined();
    // Nor does it give up when it cannot even try.
    const trying = vi.spyOn(await connectionOf(0), 'subscribe').mockImplementationOnce(() => {
      throw new Error('The connection is about to end.');
    });
    await until(() => trying.mock.calls.length > 1);
    server.reload(driverMay('">"'));
    await untilAnswered(ask);
  });
});

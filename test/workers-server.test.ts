import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JetStreamManager, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import type { DriverLink, WorkerLink } from '../src/remote/link.js';
import { openNatsDriver } from '../src/remote/nats-driver.js';
import { natsOptions } from '../src/remote/nats-options.js';
import { openNatsWorker } from '../src/remote/nats-worker.js';
import { expectFaithful } from './support/check.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { type Running, run, until } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

describe.skipIf(!HAS_NATS)('the server of workers', () => {
  const base = makeBase('workers-server');
  const source = join(base, 'source');
  let server: NatsServer;
  let started: Running[] = [];
  let count = 0;

  beforeAll(async () => {
    mkdirSync(source);
    for (let d = 0; d < 3; d++) {
      mkdirSync(join(source, `d${d}`));
      for (let f = 0; f < 300; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d}/${f} `.repeat(f % 50));
    }
    server = await startNats();
  });
  afterEach(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.map(({ done }) => done));
    started = [];
  });
  afterAll(async () => {
    await server.close();
    removeTree(base);
  });

  const start = (...args: string[]) => {
    const running = run(args);
    started.push(running);
    return running;
  };
  const worker = (...more: string[]) => start('worker', `--join=${server.url}`, '--threads=1', ...more);
  const job = () => ({ container: join(base, `container-${++count}`), state: join(base, `state-${count}`) });
  const load = ({ container, state }: ReturnType<typeof job>, ...more: string[]) =>
    start('load', source, container, `--state-path=${state}`, `--workers=${server.url}`, '--threads=0', ...more);
  const client = () => connect({ servers: server.url.slice('nats://'.length) });
  const expectWhole = async (driver: Running, container: string) => {
    const { code, stdout, stderr } = await driver.ended();
    expect(`${stdout}${stderr}`).toContain('Final Job Status: Completed\n');
    expect(code).toBe(0);
    const opened = await openLocalContainer(container);
    await expectFaithful(source, opened);
    await opened.close();
  };

  it('may bring a driver and its workers anything: both leave it out, and hear the next word', async () => {
    const own = job();
    const other = await client();
    const epochs = new Set<string>();
    other.subscribe('clfs.ask.*', { callback: (_error, { subject }) => void epochs.add(subject) });
    // What a worker hears first is not of a driver.
    const wrong = other.subscribe('clfs.apply', { callback: (_error, message) => void message.respond('{"epoch":7}') });
    const first = worker();
    await first.said(/waiting for a job/);
    await until(() => wrong.getReceived() > 1);
    wrong.unsubscribe();
    const driver = load(own, '--worker-lease=4s', '--late-arrival=2s');
    await first.said(/takes part/);
    for (const bytes of ['', 'what?', '{"protocol":1}', Buffer.alloc(2000, 0xff)])
      for (const subject of ['clfs.apply', ...epochs]) other.publish(subject, bytes);
    await driver.said(/something came by the server of the workers that is not of a worker/);
    await expectWhole(driver, own.container);
    expect(epochs.size).toBeGreaterThan(0);
    expect(driver.output()).not.toMatch(/reader closed|has gone/);
    await other.close();
  });

  it('is waited for by a worker, which says so, and ends when it is told to', async () => {
    await server.stop('SIGKILL');
    const waiting = worker();
    await waiting.said(/Cannot reach the server of the workers .* It is tried again and again/);
    const late = worker();
    await late.said(/Cannot reach the server of the workers/);
    waiting.child.kill('SIGTERM');
    expect((await waiting.ended()).code).toBe(0);
    await server.start();
    const own = job();
    const driver = load(own);
    await late.said(/takes part/);
    await expectWhole(driver, own.container);
  });

  it('is known to be away before a worker is blamed for it, though it has not closed its connections', async () => {
    const own = job();
    worker();
    const driver = load(own, '--worker-lease=6s', '--late-arrival=1s');
    await driver.said(/takes part/);
    server.freeze(true);
    await driver.said(/the server of the workers does not answer|has gone/);
    await driver.said(/has gone/);
    server.freeze(false);
    await expectWhole(driver, own.container);
    expect(driver.output()).toMatch(/the server of the workers does not answer.*has gone/s);
  });

  it('that takes short messages only is refused before anything begins: an answer that it does not take ended a driver', async () => {
    const short = await startNats('max_payload: 65536');
    const own = job();
    const { code, stdout } = await start(
      ...['load', source, own.container, `--state-path=${own.state}`, `--workers=${short.url}`],
    ).ended();
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/its messages have 65536 bytes at most.* a max_payload of 131072 or more/);
    expect(existsSync(own.state)).toBe(false);
    await short.close();
  });

  it('that does not know a worker ends it, with its reason', async () => {
    const locked = await startNats('authorization { users: [ { user: me, password: right } ] }');
    const args = ['worker', `--join=${locked.url}`, '--threads=1'];
    const stranger = run(args, { CLFSLOAD_NATS_USER: 'me', CLFSLOAD_NATS_PASSWORD: 'the wrong one' });
    started.push(stranger);
    expect((await stranger.ended()).code).toBe(2);
    expect(stranger.output()).toMatch(/Cannot reach the server of the workers .*authorization/i);
    expect(stranger.output()).not.toContain('the wrong one');
    await locked.close();
  });

  it('that lets a worker hear of jobs, and not of tasks, is told of by both', async () => {
    const locked = await startNats(`authorization { users: [
      { user: driver, password: d }
      { user: worker, password: w, permissions: {
        publish: ["clfs.apply", "clfs.ask.>", "$JS.API.CONSUMER.INFO.>", "$JS.ACK.>"], subscribe: ["_INBOX.>"] } } ] }`);
    const as = (user: string, args: readonly string[]) => {
      const running = run(args, { CLFSLOAD_NATS_USER: user, CLFSLOAD_NATS_PASSWORD: user[0] });
      started.push(running);
      return running;
    };
    const own = job();
    const args = [`--state-path=${own.state}`, `--workers=${locked.url}`, '--threads=0'];
    const driver = as('driver', ['load', source, own.container, ...args]);
    const idle = as('worker', ['worker', `--join=${locked.url}`, '--threads=1']);
    await idle.said(/refuses something .*Permissions Violation for Publish to "\$JS\.API\.CONSUMER\.MSG\.NEXT/);
    await driver.said(/has gone: it cannot take tasks: Permissions Violation/);
    idle.child.kill('SIGKILL');
    as('driver', ['worker', `--join=${locked.url}`, '--threads=1']);
    await expectWhole(driver, own.container);
    // It took long, and not because of anything that the driver has seen.
    expect(driver.output()).not.toContain('Limited by');
    await locked.close();
  });

  it('that does not know a worker any more, for a while, is told of by both; what it had is done when it is known again', async () => {
    const users = (...names: string[]) =>
      `authorization { users: [ ${names.map((name) => `{ user: ${name}, password: p }`).join(', ')} ] }`;
    const own = job();
    const strict = await startNats(users('driver', 'worker'));
    const as = (user: string, args: readonly string[]) => {
      const running = run(args, { CLFSLOAD_NATS_USER: user, CLFSLOAD_NATS_PASSWORD: 'p' });
      started.push(running);
      return running;
    };
    const args = [`--state-path=${own.state}`, `--workers=${strict.url}`, '--threads=0'];
    const driver = as('driver', ['load', source, own.container, ...args, '--worker-lease=2s', '--late-arrival=1s']);
    const first = as('worker', ['worker', `--join=${strict.url}`, '--threads=1']);
    await first.said(/takes part/);
    await until(() => existsSync(own.container) && readdirSync(own.container).length > 20);
    strict.reload(users('driver'));
    await first.said(/refuses something .*uthorization Violation/);
    await driver.said(/has gone: it was not heard of for/);
    strict.reload(users('driver', 'worker'));
    await expectWhole(driver, own.container);
    expect(driver.output().match(/takes part with/g)).toHaveLength(2);
    await strict.close();
  });

  it('has no worker: a driver without threads says so, is stopped, and goes on without any', async () => {
    const own = job();
    const driver = load(own);
    await driver.said(/no worker takes part: the job waits for one/);
    driver.child.kill('SIGINT');
    expect((await driver.ended()).stdout).toContain('Final Job Status: Cancelled\n');
    await server.stop('SIGKILL');
    const cutOff = start('resume', own.state);
    expect((await cutOff.ended()).code).toBe(1);
    expect(cutOff.output()).toMatch(/Cannot reach the server of the workers.* without workers by --workers= \(empty\)/);
    await server.start();
    const alone = start('resume', own.state, '--workers=', '--threads=1');
    await expectWhole(alone, own.container);
  });

  it('that cannot be reached leaves a job as if it had not been started', async () => {
    await server.stop('SIGKILL');
    const own = job();
    const refused = load(own);
    expect((await refused.ended()).code).toBe(1);
    expect(refused.output()).toMatch(/Cannot reach the server of the workers/);
    expect(refused.output()).not.toContain('--workers=');
    expect([own.container, own.state].filter((path) => existsSync(path))).toEqual([]);
    await server.start();
    worker();
    await expectWhole(load(own), own.container);
  });

  describe('whose stream', () => {
    let driver: DriverLink;
    let joined: WorkerLink | undefined;
    const found: number[] = [];

    const untilFound = async (ticket: number) => {
      const had = found.length;
      while (!found.slice(had).includes(ticket))
        await joined?.pull(driver.queue, 10, 1000, (delivery) => {
          found.push(delivery.ticket);
          delivery.accept();
        });
    };

    beforeAll(async () => {
      const options = natsOptions(server.url, {});
      driver = await openNatsDriver(options, { job: 'streams', epoch: 'epoch' });
      const patience = { signal: new AbortController().signal, report: () => undefined };
      joined = await openNatsWorker(options, 'worker', patience);
    });
    afterAll(async () => {
      await driver.close();
      await joined?.close();
    });

    it.each(['delete', 'purge'] as const)('is hit by a %s has what was offered again', async (how) => {
      driver.offer(7);
      const other = await client();
      const manager = await jetstreamManager(other);
      const { queue } = driver;
      const messages = async () => (await manager.streams.info(queue)).state.messages;
      await until(async () => (await messages()) > 0);
      await manager.streams[how](queue);
      await untilFound(7);
      expect(driver.queue === queue).toBe(how === 'purge');
      driver.withdraw(7);
      await other.close();
    });

    it('is gone when its driver has ended, with those of sessions before', async () => {
      const other = await client();
      const manager = await jetstreamManager(other);
      const before = 'CLFS_12345678_12345678-0123456789ab_3';
      await addTickets(manager, before);
      await driver.close();
      const open = (job: string, epoch: string) => openNatsDriver(natsOptions(server.url, {}), { job, epoch });
      const another = await open('another', 'another-1');
      const next = await open('12345678', 'next');
      const names: string[] = [];
      for await (const name of manager.streams.names()) names.push(name);
      expect(names.sort()).toEqual(['CLFS_12345678_next_1', 'CLFS_another_another-1_1']);
      await next.close();
      expect(await manager.streams.names().next()).toEqual(['CLFS_another_another-1_1']);
      await another.close();
      await other.close();
    });

    it('goes with the next driver of whatever job when its own was killed, and no other', async () => {
      const other = await client();
      const manager = await jetstreamManager(other);
      const left = 'CLFS_12345678_12345678-0123456789ab_3';
      await addTickets(manager, left);
      const open = (job: string) => openNatsDriver(natsOptions(server.url, {}), { job, epoch: `${job}-000000000001` });
      const living = await open('0123abcd');
      const next = await open('fedc9876');
      const names = async () => (await manager.streams.names().next()).sort();
      await until(async () => !(await names()).includes(left));
      expect(await names()).toEqual([living.queue, next.queue]);
      for (const each of [living, next]) await each.close();
      await other.close();
    });

    it('of somebody else stays, whatever its name is', async () => {
      const other = await client();
      const manager = await jetstreamManager(other);
      const ours = 'CLFS_12345678_12345678-0123456789ab';
      const foreign = [
        { name: 'CLFS', subjects: ['clfs.task.CLFS'] },
        { name: 'CLFS_sensor_data_7', subjects: ['sensor.data'] },
        { name: `${ours}_4`, subjects: ['sensor.of.4'], storage: StorageType.Memory },
        { name: `${ours}_5`, subjects: [`clfs.task.${ours}_5`, 'sensor.of.5'], storage: StorageType.Memory },
        { name: `${ours}_6`, subjects: [`clfs.task.${ours}_6`], storage: StorageType.File },
        { name: 'CLFS_12345678_data_8', subjects: ['clfs.task.CLFS_12345678_data_8'], storage: StorageType.Memory },
      ];
      for (const stream of foreign) await manager.streams.add(stream);
      const left = 'CLFS_ffffffff_ffffffff-0123456789ab_9';
      await addTickets(manager, left);
      const names = async () => (await manager.streams.names().next()).sort();
      // The session after that of the same job, and one of another job, which looks for what was left last of all.
      for (const job of ['12345678', 'next']) {
        const next = await openNatsDriver(natsOptions(server.url, {}), { job, epoch: `${job}-1` });
        await until(async () => !(await names()).includes(left));
        await next.close();
        await addTickets(manager, left);
      }
      await manager.streams.delete(left);
      for (const { name } of foreign) {
        expect(await names()).toContain(name);
        await manager.streams.delete(name);
      }
      await other.close();
    });
  });
});

/** Makes a stream as a driver does. */
async function addTickets(manager: JetStreamManager, name: string): Promise<void> {
  await manager.streams.add({ name, subjects: [`clfs.task.${name}`], storage: StorageType.Memory });
}

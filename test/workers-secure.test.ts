import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { freePort } from './support/azurite.js';
import { makeCertificate } from './support/certificate.js';
import { expectFaithful } from './support/check.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { type Running, run, until } from './support/run-workers.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const DOCUMENT = new URL('../docs/several-machines.md', import.meta.url);
const HASH = '"$2a$11$…"';
const PASSWORDS = { driver: 'the password of drivers', worker: 'the password of workers' };

/** The configuration as the document prints it, with places and passwords of this machine. */
function documented(
  { port, watchPort }: { readonly port: number; readonly watchPort: number },
  directory: string,
  files: { certFile: string; keyFile: string },
): string {
  const [, printed] = /^```\n(listen: [\s\S]*?)^```$/m.exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
  if (printed === undefined) throw new Error('The document has no configuration of a server.');
  let text = printed;
  const put = (what: string, by: string) => {
    if (!text.includes(what)) throw new Error(`The configuration has no ${what}.`);
    text = text.replace(what, by);
  };
  put('listen: 0.0.0.0:4222', `listen: 127.0.0.1:${port}`);
  put('http: 127.0.0.1:8222', `http: 127.0.0.1:${watchPort}`);
  put('"/var/lib/nats"', `"${directory}"`);
  put('"server.crt"', `"${files.certFile}"`);
  put('"server.key"', `"${files.keyFile}"`);
  put('"ca.crt"', `"${files.certFile}"`);
  for (const [user, password] of Object.entries(PASSWORDS))
    put(`{ user: ${user}, password: ${HASH}`, `{ user: ${user}, password: "${password}"`);
  return text;
}

/** What the server tells of itself. */
type Figures = Readonly<Record<string, number>>;

describe.skipIf(!HAS_NATS)('workers at a server as the document configures it', () => {
  const base = makeBase('workers-secure');
  const source = join(base, 'source');
  const started: Running[] = [];
  let server: NatsServer;
  let files: Awaited<ReturnType<typeof makeCertificate>>;
  let url = '';
  let watchPort = 0;

  beforeAll(async () => {
    mkdirSync(source);
    for (let f = 0; f < 300; f++) writeFileSync(join(source, `f${f}`), `file ${f}`);
    files = await makeCertificate(base);
    watchPort = await freePort();
    server = await startNats((port, directory) => documented({ port, watchPort }, directory, files));
    url = server.url.replace('nats://', 'tls://');
  });
  afterEach(async () => {
    for (const { child } of started) child.kill('SIGKILL');
    await Promise.all(started.splice(0).map(({ done }) => done));
  });
  afterAll(async () => {
    await server?.close();
    removeTree(base);
  });

  const client = () => ({
    CLFSLOAD_NATS_CA: files.certFile,
    CLFSLOAD_NATS_CERT: files.certFile,
    CLFSLOAD_NATS_KEY: files.keyFile,
  });
  const as = (user: 'driver' | 'worker') => ({
    ...client(),
    CLFSLOAD_NATS_USER: user,
    CLFSLOAD_NATS_PASSWORD: PASSWORDS[user],
    ...(user === 'worker' ? { CLFSLOAD_NATS_INBOX: '_INBOX_worker' } : {}),
  });
  const start = (args: readonly string[], env: NodeJS.ProcessEnv) => {
    const running = run(args, env);
    started.push(running);
    return running;
  };
  const worker = (env: NodeJS.ProcessEnv = as('worker')) =>
    start(['worker', `--join=${url}`, '--threads=1', '--source', source], env);
  const load = (name: string) =>
    start(
      [
        'load',
        source,
        join(base, name),
        `--state-path=${join(base, `${name}-state`)}`,
        `--workers=${url}`,
        '--threads=0',
      ],
      as('driver'),
    );

  it('do a load, each with its own certificate and password, and nothing of them is on a command line', async () => {
    const first = worker();
    const driver = load('container');
    expect((await driver.ended()).stdout).toContain('Final Job Status: Completed\n');
    expect(driver.output()).toContain('takes part with 1 thread');
    const container = await openLocalContainer(join(base, 'container'));
    await expectFaithful(source, container);
    await container.close();
    await first.said(/no more in job/);
    expect(readFileSync(`/proc/${first.child.pid}/cmdline`, 'latin1')).not.toContain('password of');
    for (const running of started) expect(running.output()).not.toContain('password of');
  });

  it('are watched by the figures that the document names, which are as it says', async () => {
    const figuresOf = async (path: string): Promise<Figures> =>
      (await fetch(`http://127.0.0.1:${watchPort}/${path}`)).json() as Promise<Figures>;
    const before = await figuresOf('varz');
    const waiting = [worker(), worker()];
    for (const each of waiting) await each.said(/waiting for a job/);
    await until(async () => (await figuresOf('varz')).connections === 2);
    expect((await figuresOf('jsz')).streams).toBe(0);
    const driver = load('watched');
    await driver.said(/takes part/);
    const during = await figuresOf('jsz');
    expect((await driver.ended()).code).toBe(0);
    const after = await figuresOf('varz');
    expect(during.streams).toBeLessThanOrEqual(1);
    expect(after.slow_consumers).toBe(0);
    expect(after.in_bytes).toBeGreaterThan(before.in_bytes);
    await until(async () => (await figuresOf('jsz')).streams === 0);
    const [, table] = /^### What to watch$([\s\S]*?)^## /m.exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
    const named = [...(table ?? '').matchAll(/^\| `\/(varz|jsz)`: ((?:`\w+`(?:, )?)+)/gm)];
    expect(named.length).toBeGreaterThan(5);
    for (const [, path, names] of named)
      for (const [, name] of names.matchAll(/`(\w+)`/g))
        expect(await figuresOf(path), path).toHaveProperty(name, expect.any(Number));
  });

  it('are refused without a certificate, with a wrong password, and without TLS', async () => {
    const { CLFSLOAD_NATS_CERT: _, CLFSLOAD_NATS_KEY: __, ...anonymous } = as('worker');
    const attempts = [
      start(['worker', `--join=${url}`], { ...as('worker'), CLFSLOAD_NATS_PASSWORD: 'a wrong one' }),
      start(['worker', `--join=${url}`], anonymous),
      start(['worker', `--join=${server.url}`], {
        CLFSLOAD_NATS_USER: 'worker',
        CLFSLOAD_NATS_PASSWORD: PASSWORDS.worker,
      }),
    ];
    for (const attempt of attempts) await attempt.said(/Cannot reach the server of the workers/);
    for (const attempt of attempts) expect(attempt.output()).not.toContain('takes part');
  });

  it('are told what the server does not let them do', async () => {
    // Its answers would come to an inbox that it may not read.
    const { CLFSLOAD_NATS_INBOX: _, ...wrong } = as('worker');
    const without = worker(wrong);
    await without.said(/ermission/);
    // What is to be permitted, once, and not each subject that it tries.
    await without.said(/Subscription to "_INBOX\.>"/);
    // Who may only do what workers may is no driver.
    const driver = start(
      ['load', source, join(base, 'none'), `--state-path=${join(base, 'none-state')}`, `--workers=${url}`],
      as('worker'),
    );
    expect((await driver.ended()).code).toBe(1);
    expect(driver.output()).toMatch(/The server of the workers at .* does not do what is needed/);
  });

  it('may neither give tasks nor read what others are told', async () => {
    const tls = { caFile: files.certFile, certFile: files.certFile, keyFile: files.keyFile };
    const servers = url.slice('tls://'.length);
    const connection = await connect({ servers, tls, user: 'worker', pass: PASSWORDS.worker });
    const refused: string[] = [];
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') refused.push(status.error.message);
    })();
    connection.publish('clfs.task.CLFS_any_1', '1');
    connection.publish('$JS.API.STREAM.CREATE.CLFS_any_1', '{}');
    for (const subject of ['clfs.apply', 'clfs.ask.>', 'clfs.task.>', '_INBOX.>'])
      connection.subscribe(subject, { callback: () => undefined });
    await connection.flush();
    for (let tries = 0; refused.length < 6 && tries < 500; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await connection.close();
    expect(new Set(refused.map((text) => /"([^"]*)"/.exec(text)?.[1]))).toEqual(
      new Set([
        'clfs.task.CLFS_any_1',
        '$JS.API.STREAM.CREATE.CLFS_any_1',
        'clfs.apply',
        'clfs.ask.>',
        'clfs.task.>',
        '_INBOX.>',
      ]),
    );
  });
});

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { connectNats } from '../src/remote/nats-connection.js';
import { natsOptions } from '../src/remote/nats-options.js';
import { makeCertificate, type TestCertificate } from './support/certificate.js';
import { HAS_NATS, type NatsServer, startNats } from './support/nats.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const ADDRESS = { type: 7, ip: '127.0.0.1' } as const;
const NAME = { type: 2, value: 'localhost' } as const;

describe.skipIf(!HAS_NATS)('a server of workers with TLS', () => {
  const base = makeBase('workers-tls');
  const servers: NatsServer[] = [];
  afterAll(async () => {
    for (const server of servers) await server.close();
    removeTree(base);
  });

  const certificateOf = (name: string, ...whose: (typeof ADDRESS | typeof NAME)[]) => {
    mkdirSync(join(base, name));
    return makeCertificate(join(base, name), whose);
  };
  /** @param clients who signs the certificates of clients; undefined: they need none */
  const start = async ({ certFile, keyFile }: TestCertificate, clients?: TestCertificate) => {
    const verify = clients ? `ca_file: "${clients.certFile}", verify: true` : '';
    const server = await startNats(`tls { cert_file: "${certFile}", key_file: "${keyFile}", ${verify} }`);
    servers.push(server);
    return server.url.replace('nats:', 'tls:');
  };
  const reach = async (url: string, env: NodeJS.ProcessEnv) => {
    const connection = await connectNats(natsOptions(url, env), 'test');
    await connection.close();
  };

  it('is who its certificate names by the address at which it is called, and nobody else', async () => {
    const byAddress = await certificateOf('address', ADDRESS);
    await reach(await start(byAddress), { CLFSLOAD_NATS_CA: byAddress.certFile });
    const byName = await certificateOf('name', NAME);
    const url = await start(byName);
    const env = { CLFSLOAD_NATS_CA: byName.certFile };
    await expect(reach(url, env)).rejects.toThrow(/127\.0\.0\.1 .*must be for the name by which it is called/);
    await reach(url.replace('127.0.0.1', 'localhost'), env);
  });

  it('that is not known by who has signed for it is told of with what to do', async () => {
    const url = await start(await certificateOf('unknown', ADDRESS));
    await expect(reach(url, {})).rejects.toThrow(/self-signed certificate.* CLFSLOAD_NATS_CA names a file/);
  });

  it('that does not take the certificate of a client says nothing: where to look is told', async () => {
    const own = await certificateOf('own', ADDRESS);
    const url = await start(own, own);
    const stranger = await certificateOf('stranger', NAME);
    const env = {
      CLFSLOAD_NATS_CA: own.certFile,
      CLFSLOAD_NATS_CERT: stranger.certFile,
      CLFSLOAD_NATS_KEY: stranger.keyFile,
    };
    await expect(reach(url, env)).rejects.toThrow(/timeout.* says so in its own log alone/);
  });

  it('is waited for by nobody any more who has been told to end', async () => {
    const silent = await startNats();
    servers.push(silent);
    silent.freeze(true);
    const waiting = new AbortController();
    const patience = { signal: waiting.signal, report: () => undefined };
    const connecting = connectNats(natsOptions(silent.url, {}), 'test', patience);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const begun = performance.now();
    waiting.abort();
    expect(await connecting).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(1000);
    silent.freeze(false);
  });
});

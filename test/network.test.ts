import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, startAzurite } from './support/azurite.js';
import { makeCertificate, type TestCertificate } from './support/certificate.js';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-network-'));
const source = join(base, 'source');
let certificate: TestCertificate;
beforeAll(async () => {
  certificate = await makeCertificate(base);
  mkdirSync(source);
  for (let file = 0; file < 50; file++) writeFileSync(join(source, `file-${file}`), `${file}`);
});
afterAll(() => removeTree(base));

async function loads(url: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
  const name = url.split('?')[0].split('/').at(-1);
  const run = await runProgram('clfsload', ['load', source, url, `--state-path=${join(base, `state-${name}`)}`], env);
  expect(run.stdout).toContain('Final Job Status: Completed\n');
  expect((await runProgram('clfsload', ['verify', source, url, '--content'], env)).code).toBe(0);
}

/** A proxy that opens tunnels and counts them. */
async function startProxy() {
  const tunnels: string[] = [];
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, client, head) => {
    tunnels.push(request.url ?? '');
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { tunnels, url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

describe('networks', () => {
  it('IPv6', async () => {
    const azurite = await startAzurite(undefined, '::');
    try {
      await loads((await azurite.createContainer('ipv6')).replace('127.0.0.1', '[::1]'));
    } finally {
      await azurite.stop();
    }
  });

  describe('over https', () => {
    let azurite: Azurite;
    beforeAll(async () => {
      azurite = await startAzurite(certificate);
    });
    afterAll(() => azurite.stop());

    it('a certificate authority of its own, by NODE_EXTRA_CA_CERTS', async () => {
      await loads(await azurite.createContainer('authority'), { NODE_EXTRA_CA_CERTS: certificate.certFile });
    });

    it('HTTPS_PROXY is used, and NO_PROXY keeps to itself', async () => {
      const proxy = await startProxy();
      const env = { NODE_EXTRA_CA_CERTS: certificate.certFile, HTTPS_PROXY: proxy.url };
      await loads(await azurite.createContainer('proxied'), env);
      const used = proxy.tunnels.length;
      expect(used).toBeGreaterThan(0);
      expect(new Set(proxy.tunnels)).toEqual(new Set([`127.0.0.1:${azurite.port}`]));
      await loads(await azurite.createContainer('direct'), { ...env, NO_PROXY: '127.0.0.1' });
      expect(proxy.tunnels.length).toBe(used);
      proxy.close();
    });
  });

  it('AZCOPY_CONCURRENCY_VALUE takes a number or AUTO', async () => {
    const attempt = (value: string, name: string) =>
      runProgram('clfsload', ['load', source, join(base, name), `--state-path=${join(base, `${name}-state`)}`], {
        AZCOPY_CONCURRENCY_VALUE: value,
      });
    expect((await attempt('auto', 'automatic')).code).toBe(0);
    expect((await attempt('4', 'four')).code).toBe(0);
    expect((await attempt('many', 'many')).stderr).toContain(
      'AZCOPY_CONCURRENCY_VALUE takes a whole number or AUTO, not "many"',
    );
  });
});

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';
import { Pool } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeCertificate } from '../../../test/support/certificate.js';
import { createResettingConnector } from './connect.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-connect-'));
let files: Awaited<ReturnType<typeof makeCertificate>>;
beforeAll(async () => {
  files = await makeCertificate(base);
});
afterAll(() => rmSync(base, { recursive: true }));

/** @returns how the first connection to a server that never answers ends for it, when its request is given up */
async function endOfGivenUp(protocol: 'http' | 'https'): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const end = once(server, 'connection').then(([accepted]: Socket[]) => {
    const socket = protocol === 'http' ? accepted : serveTls(accepted);
    socket.resume();
    return new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      socket.on('end', () => resolve('closed'));
    });
  });
  const origin = `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = new Pool(origin, { connect: createResettingConnector(2000) });
  try {
    const answer = pool.request({ path: '/', method: 'PUT', body: 'x'.repeat(10_000), headersTimeout: 200 });
    await expect(answer).rejects.toThrow('Headers Timeout');
    return await end;
  } finally {
    await pool.destroy();
    server.close();
  }
}

function serveTls(socket: Socket): TLSSocket {
  const secureContext = createSecureContext({ cert: files.certificate, key: files.key });
  return new TLSSocket(socket, { isServer: true, secureContext });
}

it('resets the connection of a request that is given up', async () => {
  expect(await endOfGivenUp('http')).toBe('ECONNRESET');
});

it('resets what is beneath an encrypted one', async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    expect(await endOfGivenUp('https')).toBe('ECONNRESET');
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

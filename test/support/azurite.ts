import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import {
  ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import type { TestCertificate } from './certificate.js';

export const ACCOUNT = 'devstoreaccount1';
/** The emulator's published key. */
export const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** A running emulator of the Blob service. */
export interface Azurite {
  readonly port: number;
  /** Makes a container. @returns its URL with a SAS */
  createContainer(name: string): Promise<string>;
  /** A SAS URL with other permissions or times. */
  sasUrl(name: string, options?: { readonly permissions?: string; readonly expiresOn?: Date }): string;
  client(name: string): ContainerClient;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param tls serve https with this certificate, and take Entra ID tokens
 * @param host address to listen at
 */
export async function startAzurite(tls?: TestCertificate, host: '127.0.0.1' | '::' = '127.0.0.1'): Promise<Azurite> {
  const port = await freePort();
  const main = new URL('../../node_modules/azurite/dist/src/blob/main.js', import.meta.url).pathname;
  const child: ChildProcess = spawn(
    process.execPath,
    [
      main,
      '--blobHost',
      host,
      '--blobPort',
      String(port),
      '--inMemoryPersistence',
      '--skipApiVersionCheck',
      '--disableTelemetry',
      '--silent',
      ...(tls ? ['--oauth', 'basic', '--cert', tls.certFile, '--key', tls.keyFile] : []),
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const credential = new StorageSharedKeyCredential(ACCOUNT, KEY);
  const base = `${tls ? 'https' : 'http'}://127.0.0.1:${port}/${ACCOUNT}`;
  // The SDK hands these on to its transport, and does not declare them.
  const options: object = tls ? { tlsOptions: { ca: tls.certificate } } : {};
  const client = (name: string) => new ContainerClient(`${base}/${name}`, credential, options);
  await untilReady(host, port, child);
  const sasUrl: Azurite['sasUrl'] = (name, options = {}) => {
    const sas = generateBlobSASQueryParameters(
      {
        containerName: name,
        permissions: ContainerSASPermissions.parse(options.permissions ?? 'racwdl'),
        expiresOn: options.expiresOn ?? new Date(Date.now() + 86_400_000),
        startsOn: new Date(Date.now() - 86_400_000),
        protocol: SASProtocol.HttpsAndHttp,
      },
      credential,
    );
    return `${base}/${name}?${sas.toString()}`;
  };
  return {
    port,
    async createContainer(name) {
      await client(name).create();
      return sasUrl(name);
    },
    sasUrl,
    client,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function untilReady(host: string, port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`Azurite ended with ${child.exitCode}.`);
    if (await answers(host, port)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('Azurite did not come up.');
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

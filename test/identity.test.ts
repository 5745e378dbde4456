import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type Azurite, KEY, startAzurite } from './support/azurite.js';
import { makeCertificate, type TestCertificate } from './support/certificate.js';
import { runProgram } from './support/program.js';
import { makeTree, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-identity-'));
const TENANT = '11111111-2222-3333-4444-555555555555';
const APPLICATION = '66666666-7777-8888-9999-000000000000';
const SECRET = 'a-very-secret-client-secret';
let azurite: Azurite;
let certificate: TestCertificate;
let authority: Authority;

beforeAll(async () => {
  certificate = await makeCertificate(base);
  azurite = await startAzurite(certificate);
  authority = await startAuthority(certificate);
});
afterAll(async () => {
  await azurite.stop();
  authority.server.close();
  removeTree(base);
});

/** Gives out tokens as Entra ID does, as far as the emulator looks at them. */
interface Authority {
  readonly server: Server;
  readonly url: string;
  /** Life of the tokens that are given out. */
  lifeSeconds: number;
  readonly asked: string[];
}

async function startAuthority({ certificate: cert, key }: TestCertificate): Promise<Authority> {
  const asked: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => {
      body += bytes.toString();
    });
    request.on('end', () => {
      const path = new URL(request.url ?? '', 'https://localhost').pathname;
      response.setHeader('content-type', 'application/json');
      if (path.endsWith('/.well-known/openid-configuration')) {
        const at = `${started.url}/${TENANT}`;
        response.end(
          JSON.stringify({
            token_endpoint: `${at}/oauth2/v2.0/token`,
            authorization_endpoint: `${at}/oauth2/v2.0/authorize`,
            issuer: `${at}/v2.0`,
            jwks_uri: `${at}/keys`,
          }),
        );
        return;
      }
      asked.push(body);
      const good = new URLSearchParams(body).get('client_secret') === SECRET;
      response.statusCode = good ? 200 : 401;
      response.end(
        JSON.stringify(
          good
            ? { token_type: 'Bearer', expires_in: started.lifeSeconds, access_token: token(started.lifeSeconds) }
            : { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' },
        ),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const started: Authority = { server, url: `https://localhost:${port}`, lifeSeconds: 3600, asked };
  return started;
}

function token(lifeSeconds: number): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    aud: 'https://storage.azure.com',
    iss: `https://sts.windows.net/${TENANT}/`,
    iat: now - 60,
    nbf: now - 60,
    exp: now + lifeSeconds,
    tid: TENANT,
    oid: APPLICATION,
    ver: '1.0',
  };
  return `${part({ typ: 'JWT', alg: 'RS256', kid: 'test' })}.${part(claims)}.${Buffer.from('no real signature').toString('base64url')}`;
}

const environment = (): NodeJS.ProcessEnv => ({
  AZCOPY_AUTO_LOGIN_TYPE: 'spn',
  AZCOPY_TENANT_ID: TENANT,
  AZCOPY_SPA_APPLICATION_ID: APPLICATION,
  AZCOPY_SPA_CLIENT_SECRET: SECRET,
  AZCOPY_ACTIVE_DIRECTORY_ENDPOINT: authority.url,
  NODE_EXTRA_CA_CERTS: certificate.certFile,
});
const TRUSTED = '--trusted-microsoft-suffixes=127.0.0.1';
const containerUrl = (name: string) => `https://127.0.0.1:${azurite.port}/${ACCOUNT}/${name}`;
async function newContainer(name: string): Promise<string> {
  await azurite.client(name).create();
  return containerUrl(name);
}

describe('Entra ID', () => {
  it('a service principal loads, verifies and lists over https', async () => {
    const source = join(base, 'source');
    await makeTree(source, { bulk: 100, sizes: [0, 100, 20_000] });
    const url = await newContainer('principal');
    const state = join(base, 'principal-state');
    const run = await runProgram(
      'azcopy',
      ['load', 'clfs', source, url, `--state-path=${state}`, TRUSTED],
      environment(),
    );
    expect(run.stdout).toContain('Final Job Status: Completed\n');
    expect(run.code).toBe(0);
    const verified = await runProgram('clfsload', ['verify', source, url, '--content', TRUSTED], environment());
    expect(verified.stdout).toMatch(
      / 0 different, 0 only in the source, 0 only in the container, 0 could not be checked/,
    );
    expect((await runProgram('clfsload', ['ls', url, TRUSTED], environment())).stdout).toContain('bulk0\n');
    for (const text of [run.stdout, run.stderr, readFileSync(join(state, 'clfsload.log'), 'utf8')]) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain('eyJ');
    }
  });

  it('tokens that expire are renewed while the load runs, in every thread', async () => {
    const source = join(base, 'long');
    mkdirSync(source);
    for (let file = 0; file < 60; file++) writeFileSync(join(source, `file-${file}`), someBytes(200_000, file));
    const url = await newContainer('renewed');
    authority.lifeSeconds = 4;
    const before = authority.asked.length;
    const run = await runProgram(
      'clfsload',
      [
        'load',
        source,
        url,
        `--state-path=${join(base, 'renewed-state')}`,
        TRUSTED,
        '--cap-mbps=8',
        '--compression-type=DISABLED',
        '--output-level=essential',
      ],
      environment(),
    );
    authority.lifeSeconds = 3600;
    expect(run.stdout).toContain('Final Job Status: Completed\n');
    expect(Number(/Elapsed Time \(Minutes\): ([\d.]+)/.exec(run.stdout)?.[1]) * 60).toBeGreaterThan(8);
    expect(authority.asked.length - before).toBeGreaterThan(3);
    const verified = await runProgram('clfsload', ['verify', source, url, '--content', TRUSTED], environment());
    expect(verified.code).toBe(0);
  });

  it('no token goes to a host that is not trusted, nor over http', async () => {
    const asked = authority.asked.length;
    const attempt = (url: string) =>
      runProgram('clfsload', ['load', base, url, `--state-path=${join(base, '..', 'never')}`], environment()).then(
        ({ stdout, code }) => ({ stdout, code }),
      );
    const untrusted = await attempt(containerUrl('principal'));
    expect(untrusted.stdout).toContain('Cannot start job due to error: A token is not sent to "127.0.0.1"');
    expect(untrusted.code).toBe(1);
    const plain = await attempt('http://account.blob.core.windows.net/container');
    expect(plain.stdout).toContain('A token is sent over https only');
    expect(authority.asked.length).toBe(asked);
  });

  it('what is wrong with the login is told, without the secret', async () => {
    const load = (env: NodeJS.ProcessEnv) =>
      runProgram(
        'clfsload',
        ['load', base, containerUrl('principal'), `--state-path=${join(base, '..', 'never')}`, TRUSTED],
        { ...environment(), ...env },
      );
    const unknown = await load({ AZCOPY_AUTO_LOGIN_TYPE: 'PASSWORD' });
    expect(unknown.stdout).toContain(
      'AZCOPY_AUTO_LOGIN_TYPE takes DEVICE, SPN, MSI, AZCLI, PSCRED, WORKLOAD, not "PASSWORD"',
    );
    const missing = await load({ AZCOPY_SPA_APPLICATION_ID: '' });
    expect(missing.stdout).toContain('AZCOPY_AUTO_LOGIN_TYPE=SPN needs AZCOPY_SPA_APPLICATION_ID');
    const wrong = await load({ AZCOPY_SPA_CLIENT_SECRET: 'not-the-secret' });
    expect(wrong.stdout).toMatch(/Cannot log in \(AZCOPY_AUTO_LOGIN_TYPE=SPN\): .*invalid_client/s);
    expect(wrong.stdout + wrong.stderr).not.toContain('not-the-secret');
    const pfx = await load({ AZCOPY_SPA_CERT_PATH: '/some/where.pfx' });
    expect(pfx.stdout).toContain('must name a PEM file');
    const nothing = await load({ AZCOPY_AUTO_LOGIN_TYPE: '' });
    expect(nothing.stdout).toBe(
      'Cannot start job due to error: The container URL has no SAS: put one behind it, as URL?SAS, or log in by an identity that AZCOPY_AUTO_LOGIN_TYPE names.\n',
    );
  });
});

describe('a shared key', () => {
  it('loads and reads; a key of another account is refused', async () => {
    const source = join(base, 'keyed');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'content');
    const url = await newContainer('keyed');
    const env = { ACCOUNT_NAME: ACCOUNT, ACCOUNT_KEY: KEY, NODE_EXTRA_CA_CERTS: certificate.certFile };
    const run = await runProgram('clfsload', ['load', source, url, `--state-path=${join(base, 'keyed-state')}`], env);
    expect(run.stdout).toContain('Final Job Status: Completed\n');
    expect(readFileSync(join(base, 'keyed-state', 'clfsload.log'), 'utf8')).not.toContain(KEY);
    expect((await runProgram('clfsload', ['cat', url, 'file'], env)).stdout).toBe('content');
    const other = await runProgram('clfsload', ['ls', url], { ...env, ACCOUNT_NAME: 'another' });
    expect(other.stderr).toContain('ACCOUNT_NAME is "another"');
    expect(other.code).toBe(2);
  });
});

describe('https', () => {
  it('a certificate that nobody vouches for is refused at once', async () => {
    const run = await runProgram('clfsload', ['ls', azurite.sasUrl('principal')]);
    expect(run.stderr).toMatch(/Cannot reach https:\/\/127\.0\.0\.1.*self-signed certificate/);
    expect(run.code).toBe(2);
  });
});

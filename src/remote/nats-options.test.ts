import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from '../../test/support/certificate.js';
import { natsOptions } from './nats-options.js';

describe('the server of workers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-nats-options-'));
  const place = (name: string, content: string) => {
    const file = join(directory, name);
    writeFileSync(file, content);
    return file;
  };
  const file = place('file', 'what is in it\n');
  const credentials = (jwt: string) => `-----BEGIN NATS USER JWT-----\n${jwt}\n-----BEGIN USER NKEY SEED-----\nSU\n`;
  let certificate = '';
  let key = '';
  beforeAll(async () => {
    ({ certFile: certificate, keyFile: key } = await makeCertificate(directory));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is one address or several, with a port when none is given', () => {
    expect(natsOptions('nats://head', {})).toMatchObject({ servers: 'head:4222', tls: undefined });
    expect(natsOptions('tls://a:1, tls://b:2', {})).toMatchObject({ servers: 'a:1,b:2', tls: {} });
  });

  it('is told who connects by the environment, or by files that it names', () => {
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_USER: 'me', CLFSLOAD_NATS_PASSWORD: 'p' })).toMatchObject({
      user: 'me',
    });
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_PASSWORD: 'p' }).pass?.()).toBe('p');
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_TOKEN: 't' }).token).toBe('t');
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_CA: certificate }).tls).toEqual({ caFile: certificate });
  });

  it('is told what a file holds when it connects again, since that may be new', () => {
    const { pass } = natsOptions('nats://head', { CLFSLOAD_NATS_PASSWORD_FILE: place('pass', 'first\n') });
    expect(pass?.()).toBe('first');
    place('pass', 'second\n');
    expect(pass?.()).toBe('second');
    rmSync(join(directory, 'pass'));
    expect(pass?.()).toBe('second');
    const options = natsOptions('nats://head', { CLFSLOAD_NATS_CREDS: place('creds', credentials('first')) });
    expect(String(options.credentials?.())).toContain('first');
    place('creds', credentials('second'));
    expect(String(options.credentials?.())).toContain('second');
  });

  it('is not told who connects by files that do not say it', () => {
    const refused = (env: NodeJS.ProcessEnv, why: string) => expect(() => natsOptions('tls://head', env)).toThrow(why);
    refused({ CLFSLOAD_NATS_CREDS: file }, 'There are no credentials');
    refused({ CLFSLOAD_NATS_CA: file }, 'There is no certificate');
    refused({ CLFSLOAD_NATS_CERT: certificate }, 'name both, or none');
    refused({ CLFSLOAD_NATS_KEY: key }, 'name both, or none');
    refused({ CLFSLOAD_NATS_CERT: certificate, CLFSLOAD_NATS_KEY: file }, 'There is no private key');
    refused({ CLFSLOAD_NATS_CERT: certificate, CLFSLOAD_NATS_KEY: certificate }, 'There is no private key');
    const both = { CLFSLOAD_NATS_CERT: certificate, CLFSLOAD_NATS_KEY: key };
    expect(natsOptions('tls://head', both).tls).toMatchObject({ certFile: certificate, keyFile: key });
  });

  it.each([
    ['nats://me:secret@head', 'a user or a password in it'],
    ['nats://head:4222?auth_token=secret', 'something behind its host'],
    ['nats://head/secret', 'something behind its host'],
    ['nats://me:se,cret@head', 'Cannot understand'],
    ['http://head', 'Cannot use "http://head"'],
    ['head', 'Cannot understand'],
  ])('is not %s', (url, why) => {
    expect(() => natsOptions(url, {})).toThrow(why);
    expect(() => natsOptions(url, {})).not.toThrow(/secret/);
  });

  it('needs the files that are named', () => {
    expect(() => natsOptions('nats://head', { CLFSLOAD_NATS_CREDS: join(directory, 'none') })).toThrow('Cannot read');
    expect(() => natsOptions('tls://head', { CLFSLOAD_NATS_KEY: join(directory, 'none') })).toThrow('Cannot read');
  });
});

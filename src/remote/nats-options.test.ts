import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { natsOptions } from './nats-options.js';

describe('the server of workers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-nats-options-'));
  const file = join(directory, 'file');
  writeFileSync(file, 'what is in it\n');
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is one address or several, with a port when none is given', () => {
    expect(natsOptions('nats://head', {})).toMatchObject({ servers: 'head:4222', tls: undefined });
    expect(natsOptions('tls://a:1, tls://b:2', {})).toMatchObject({ servers: 'a:1,b:2', tls: {} });
  });

  it('is told who connects by the environment, or by files that it names', () => {
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_USER: 'me', CLFSLOAD_NATS_PASSWORD: 'p' })).toMatchObject({
      user: 'me',
      pass: 'p',
    });
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_PASSWORD_FILE: file }).pass).toBe('what is in it');
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_TOKEN: 't' }).token).toBe('t');
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_CREDS: file }).credentials?.toString()).toBe('what is in it\n');
    expect(natsOptions('nats://head', { CLFSLOAD_NATS_CA: file }).tls).toEqual({ caFile: file });
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

import { describe, expect, it } from 'vitest';
import { parseContainerUrl, redact } from './container-url.js';

describe('container URLs', () => {
  it.each([
    [
      'https://account.blob.core.windows.net/container?sv=1&sig=x',
      'https://account.blob.core.windows.net',
      '/container',
      'account',
      'container',
      'sv=1&sig=x',
    ],
    [
      'https://account.blob.core.chinacloudapi.cn/container/',
      'https://account.blob.core.chinacloudapi.cn',
      '/container',
      'account',
      'container',
      '',
    ],
    [
      'https://account.blob.core.usgovcloudapi.net/$root',
      'https://account.blob.core.usgovcloudapi.net',
      '/$root',
      'account',
      '$root',
      '',
    ],
    [
      'https://account.privatelink.blob.core.windows.net/c-1',
      'https://account.privatelink.blob.core.windows.net',
      '/c-1',
      'account',
      'c-1',
      '',
    ],
    [
      'http://127.0.0.1:10000/devstoreaccount1/container',
      'http://127.0.0.1:10000',
      '/devstoreaccount1/container',
      'devstoreaccount1',
      'container',
      '',
    ],
    [
      'http://[::1]:10000/devstoreaccount1/container',
      'http://[::1]:10000',
      '/devstoreaccount1/container',
      'devstoreaccount1',
      'container',
      '',
    ],
    ['http://localhost:10000/other/container', 'http://localhost:10000', '/other/container', 'other', 'container', ''],
    ['http://azurite:10000/other/container', 'http://azurite:10000', '/other/container', 'other', 'container', ''],
    [
      'https://emulator.example.com/devstoreaccount1/container',
      'https://emulator.example.com',
      '/devstoreaccount1/container',
      'devstoreaccount1',
      'container',
      '',
    ],
  ])('%s', (text, origin, path, account, container, query) => {
    expect(parseContainerUrl(text)).toEqual({ address: { origin, path, account, container }, query });
  });

  it.each([
    ['https://account.dfs.core.windows.net/container', /write "\.blob\." in place of "\.dfs\."/],
    ['https://account.blob.core.windows.net', /names no container/],
    ['https://account.blob.core.windows.net/container/blob', /names a blob/],
    ['https://account.blob.core.windows.net/Container', /no container name/],
    ['https://account.blob.core.windows.net/a--b', /no container name/],
    ['https://account.blob.core.windows.net/ab', /no container name/],
    [`https://account.blob.core.windows.net/${'a'.repeat(64)}`, /no container name/],
    ['http://127.0.0.1:10000/container', /no account and container/],
    ['https://user:secret@account.blob.core.windows.net/container', /user name or password/],
    ['https://', /not a URL/],
  ])('not %s', (text, message) => {
    expect(() => parseContainerUrl(text)).toThrow(message);
    expect(() => parseContainerUrl(text)).not.toThrow(/secret/);
  });
});

describe('redact', () => {
  it.each([
    ['https://a/b?sv=1&sig=abc%2Bd%3D&se=2', 'https://a/b?sv=1&sig=-REDACTED-&se=2'],
    ['sig=abc', 'sig=-REDACTED-'],
    ['x SIG=abc y', 'x SIG=-REDACTED- y'],
    ['sv%3D1%26sig%3Dabc', 'sv%3D1%26sig%3D-REDACTED-'],
    ['authorization: Bearer eyJ0.x.y', 'authorization: Bearer -REDACTED-'],
    ['SharedKey account:abc=', 'SharedKey -REDACTED-'],
    ['AccountKey=abc==;x', 'AccountKey=-REDACTED-;x'],
    ['client_secret=abc&x', 'client_secret=-REDACTED-&x'],
    ['at https://user:p-w@host/x', 'at https://-REDACTED-@host/x'],
    ['https://host/a@b', 'https://host/a@b'],
    ['design=1', 'design=1'],
  ])('%s', (text, redacted) => {
    expect(redact(text)).toBe(redacted);
  });
});

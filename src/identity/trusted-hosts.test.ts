import { describe, expect, it } from 'vitest';
import { requireTrustedHost } from './trusted-hosts.js';

describe('hosts that a token may be sent to', () => {
  it.each([
    ['https://account.blob.core.windows.net', ''],
    ['https://ACCOUNT.Blob.Core.Windows.Net', ''],
    ['https://account.blob.core.windows.net.', ''],
    ['https://account.blob.core.windows.net:443', ''],
    ['https://account.blob.core.chinacloudapi.cn', ''],
    ['https://account.blob.core.usgovcloudapi.net', ''],
    ['https://account.blob.core.cloudapi.de', ''],
    ['https://account.z01.blob.storage.azure.net', ''],
    ['https://account.blob.local.azurestack.external', '*.azurestack.external'],
    ['https://account.blob.local.azurestack.external', 'example.com; azurestack.external'],
    ['https://localhost:10000', 'localhost'],
    ['https://127.0.0.1:10000', '127.0.0.1'],
    ['https://[::1]:10000', '::1'],
  ])('%s with %j', (origin, further) => {
    expect(() => requireTrustedHost(origin, further)).not.toThrow();
  });

  it.each([
    ['http://account.blob.core.windows.net', '', /over https only/],
    ['https://account.blob.core.windows.net.evil.example', '', /not under a trusted domain/],
    ['https://evil-core.windows.net', '', /not under a trusted domain/],
    ['https://accountcore.windows.net', '', /not under a trusted domain/],
    ['https://core.windows.net', '', /not under a trusted domain/],
    ['https://windows.net', '', /not under a trusted domain/],
    ['https://account.blob.core-windows.net', '', /not under a trusted domain/],
    ['https://evil.example', ';;', /not under a trusted domain/],
    ['https://evil.example', '*', /not under a trusted domain/],
    ['https://evil.example', '*.*', /not under a trusted domain/],
    ['https://127.0.0.1', '0.0.1', /not under a trusted domain/],
    ['https://127.0.0.1', '*.0.0.1', /not under a trusted domain/],
    ['https://notazurestack.external', '*.azurestack.external', /not under a trusted domain/],
    ['https://core.windows.net@evil.example', '', /not under a trusted domain/],
  ])('not %s with %j', (origin, further, message) => {
    expect(() => requireTrustedHost(origin, further)).toThrow(message);
  });
});

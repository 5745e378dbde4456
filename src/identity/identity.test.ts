import { expect, it } from 'vitest';
import { parseContainer } from '../container/open-container.js';
import { openIdentity } from './identity.js';

const env = { ACCOUNT_NAME: 'payroll', ACCOUNT_KEY: Buffer.alloc(64, 7).toString('base64') };
const authorizationFor = async (url: string, more: Parameters<typeof openIdentity>[1]) => {
  const identity = await openIdentity(parseContainer(url), { env, ...more });
  identity.close();
  return identity.authorization;
};

it('a key signs for whatever host its user names', async () => {
  for (const url of ['http://payroll.internal.example/one', 'http://127.0.0.1:10000/payroll/one'])
    expect((await authorizationFor(url, {})).query).toContain('sig=');
});

it('a key signs for no host that others name, but for those of the service and what its user trusts', async () => {
  const isNamedElsewhere = true;
  const url = 'https://payroll.blob.core.windows.net/one';
  expect((await authorizationFor(url, { isNamedElsewhere })).query).toContain('sig=');
  const own = { isNamedElsewhere, trustedSuffixes: 'internal.example' };
  expect((await authorizationFor('https://payroll.internal.example/one', own)).query).toContain('sig=');
  for (const [evil, why] of [
    ['https://payroll.evil.example/one', /^A signature by ACCOUNT_KEY is not sent to "payroll\.evil\.example"/],
    ['http://payroll.blob.core.windows.net/one', /^A signature by ACCOUNT_KEY is sent over https only/],
    ['https://localhost/payroll/one', /--container/],
  ] as const)
    await expect(authorizationFor(evil, { isNamedElsewhere })).rejects.toThrow(why);
});

it('who has no way into a container that others name is told how to give one', async () => {
  const way = /--container=env:NAME or --container=@FILE/;
  const url = 'https://payroll.blob.core.windows.net/one';
  await expect(authorizationFor(url, { isNamedElsewhere: true, env: {} })).rejects.toThrow(way);
  await expect(authorizationFor(url, { env: {} })).rejects.toThrow('The container URL has no SAS');
  await expect(authorizationFor('https://payroll.evil.example/one', { isNamedElsewhere: true })).rejects.toThrow(way);
});

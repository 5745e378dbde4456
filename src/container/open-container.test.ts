import { expect, it } from 'vitest';
import { parseContainer } from './open-container.js';

it.each([
  'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net',
  'BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=sv=2021-12-02&si=secret',
  'accountkey=secret',
])('a connection string is no directory, and is not repeated', (text) => {
  expect(() => parseContainer(text)).toThrow(/^This is a connection string, not a container: /);
  expect(() => parseContainer(text)).not.toThrow(/secret|c2Vj/);
});

it('a directory may have any name, as a URL', () => {
  expect(parseContainer('file:///data/AccountKey=1').place).toEqual({
    kind: 'local',
    directory: '/data/AccountKey=1',
  });
});

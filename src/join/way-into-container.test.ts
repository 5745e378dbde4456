import { expect, it } from 'vitest';
import { parseContainerUrl } from '../container/azure/container-url.js';
import { parseContainer } from '../container/open-container.js';
import { wayIntoContainer } from './way-into-container.js';

const SERVICE = 'https://account.blob.core.windows.net/one';
const { place: service } = parseContainer(SERVICE);
const parseAzure = (url: string) => parseContainerUrl(url).address;
const { place: disk } = parseContainer('/data/container');

it('a worker goes where the job says, or to the same container by a way of its own', () => {
  expect(wayIntoContainer(service, undefined)).toEqual({ place: service, query: '' });
  expect(wayIntoContainer(service, `${SERVICE}?sv=1&sig=2`)).toEqual({ place: service, query: 'sv=1&sig=2' });
  expect(wayIntoContainer(disk, undefined)).toEqual({ place: disk, query: '' });
  expect(wayIntoContainer(disk, 'file:///mnt/container').place).toEqual({ kind: 'local', directory: '/mnt/container' });
});

it('a worker asks anew for its way each time: the SAS may have been renewed', () => {
  let count = 0;
  const given = () => `${SERVICE}?sig=${++count}`;
  expect([1, 2].map(() => wayIntoContainer(service, given).query)).toEqual(['sig=1', 'sig=2']);
});

it('a worker finds out by itself in what account a container is', () => {
  const told = { kind: 'azure' as const, address: { ...parseAzure('https://evil.example/one'), account: 'account' } };
  expect(wayIntoContainer(told, undefined).place).toMatchObject({ address: { account: 'evil' } });
});

it.each([
  [service, 'https://account.blob.core.windows.net/other?sig=2'],
  [service, 'http://account.blob.core.windows.net/one?sig=2'],
  [service, '/data/container'],
  // A directory of such a name is none of the service.
  [service, `/${SERVICE}`],
  [disk, SERVICE],
])('a worker does not work on another container, or one of another kind', (place, given) => {
  expect(() => wayIntoContainer(place, given)).toThrow(/^The job is for the container /);
});

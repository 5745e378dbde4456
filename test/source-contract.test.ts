import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openPosixSource } from '../src/source/posix-source.js';
import { EVERYTHING, selectFrom } from '../src/source/selection.js';
import { withAsyncSide } from './support/async-source.js';
import { sourceContract, WAYS } from './support/source-contract.js';

const openPath = (path: string) => openPosixSource(Buffer.from(path));
const SOURCES = {
  'a directory of this machine': openPath,
  'a selection of one': (path: string) => selectFrom(openPath(path), { ...EVERYTHING, excludePaths: ['no such'] }),
  'a selection of its file system': (path: string) =>
    selectFrom(openPath(path), { ...EVERYTHING, oneFileSystem: true }),
  'one whose calls take a while': (path: string) => withAsyncSide(openPath(path), () => sleep(Math.random() * 3)),
};

for (const [name, open] of Object.entries(SOURCES))
  for (const way of Object.keys(WAYS) as (keyof typeof WAYS)[])
    describe(`${name}, ${way}`, () => sourceContract(way, open));

describe('the descriptors of a source', () => {
  it('are all closed in the end, whatever was under way', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    const source = openPath('/proc/self/fdinfo');
    const looks: Promise<unknown>[] = [];
    for (let n = 0; n < 20; n++) {
      const directory = await source.async?.openDirectory(Buffer.alloc(0));
      looks.push(directory?.async?.attributesOf(Buffer.from('0')) ?? Promise.reject(new Error('no asynchronous side')));
      directory?.close();
    }
    source.close();
    await Promise.all(looks);
    for (let tries = 0; open() > before && tries < 100; tries++) await sleep(20);
    expect(open()).toBe(before);
  });
});

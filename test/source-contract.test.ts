import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Takes a lease of a file, and gives it back a while after somebody wanted to open it. */
const LEASE_HOLDER = `
const { openSync, closeSync } = require('node:fs');
const [F_SETLEASE, F_WRLCK] = [1024, 1];
const fcntl = require('koffi').load(null).func('int fcntl(int, int, int)');
const fd = openSync(process.argv[1], 'r+');
process.on('SIGIO', () => setTimeout(() => closeSync(fd), 300));
console.log(fcntl(fd, F_SETLEASE, F_WRLCK));
process.stdin.resume();
`;

/** @returns undefined where the file system has no leases */
async function holdLease(path: string): Promise<ChildProcess | undefined> {
  const holder = spawn(process.execPath, ['-e', LEASE_HOLDER, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [said] = (await once(holder.stdout, 'data')) as [Buffer];
  if (said.toString().trim() === '0') return holder;
  holder.kill();
  return undefined;
}

describe.each(Object.keys(WAYS) as (keyof typeof WAYS)[])('a file of which another process has a lease, %s,', (way) => {
  it('is opened when that has been given back', async ({ skip }) => {
    const directory = mkdtempSync(join(tmpdir(), 'clfsload-lease-'));
    writeFileSync(join(directory, 'file'), 'content');
    const holder = await holdLease(join(directory, 'file'));
    const source = openPath(directory);
    try {
      if (!holder) return skip('there are no leases here');
      const opened = await WAYS[way](source).openDirectory(Buffer.alloc(0));
      const file = await opened.openFile(Buffer.from('file'));
      expect((await file.attributes()).sizeBytes).toBe(7n);
      await file.close();
      opened.close();
    } finally {
      source.close();
      holder?.kill();
      rmSync(directory, { recursive: true });
    }
  });
});

import { linkSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it, vi } from 'vitest';
import { callsOf, withAsyncSide } from '../../test/support/async-source.js';
import { removeTree } from '../../test/support/tree.js';
import { GEOMETRY } from '../format/geometry.js';
import { PosixError } from '../posix/posix-error.js';
import { openPosixSource } from '../source/posix-source.js';
import { parseSelection, selectFrom } from '../source/selection.js';
import { entryFailure, type SourceTree } from '../source/source-tree.js';
import { sizeTree } from './size-tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-size-tree-'));
afterAll(() => removeTree(base));
const FILES = 60;
// In tests the pool has so few threads that hardly anything is in flight.
vi.stubEnv('UV_THREADPOOL_SIZE', '64');

for (let d = 0; d < 4; d++) {
  mkdirSync(join(base, `d${d}`, 'below'), { recursive: true });
  for (let f = 0; f < FILES; f++) writeFileSync(join(base, `d${d}`, `file ${f}`), 'x'.repeat(f));
  linkSync(join(base, `d${d}`, 'file 7'), join(base, `d${d}`, 'below', 'linked'));
  symlinkSync('nowhere', join(base, `d${d}`, 'below', 'symlink'));
  writeFileSync(join(base, `d${d}`, 'left-out'), '');
}
const selection = parseSelection('', 'left-*', false);
const OPTIONS = { preserveHardLinks: true, geometry: GEOMETRY, unstorable: true, audit: true, selection };

it('a tree of which calls take long is sized with many of them in flight, to the same result', async () => {
  const source = openPosixSource(Buffer.from(base));
  let inFlight = 0;
  let most = 0;
  const slow = withAsyncSide(
    source,
    async (_what, call) => {
      most = Math.max(most, ++inFlight);
      await sleep(2);
      inFlight--;
      if (call === 'readlink') throw entryFailure('entry-unreadable', 'a test refuses it');
    },
    true,
  );
  const now = await sizeTree(selectFrom(source, selection), OPTIONS);
  const later = await sizeTree(selectFrom(slow, selection), OPTIONS);
  expect(now.entries).toBe(1 + 4 * (1 + FILES + 1 + 1));
  expect(now.linkNames).toBe(8);
  // Of directories with equally many entries any may be among the largest.
  expect({ ...later, largest: undefined }).toEqual({ ...now, largest: undefined });
  expect(most).toBeGreaterThanOrEqual(8);
  source.close();
});

it('what cannot be read of a slow tree is counted and named, and a root that cannot be is an error', async () => {
  const source = openPosixSource(Buffer.from(base));
  const failing = (path: string) => ({
    ...source,
    isRemote: true,
    async: {
      async openDirectory(at: Buffer) {
        if (at.toString() === path) throw entryFailure('directory-unreadable', 'a test refuses it');
        const { async } = source;
        if (!async) throw new Error('There are no calls that leave the thread free.');
        return async.openDirectory(at);
      },
    },
  });
  const size = await sizeTree(failing('d1'), OPTIONS);
  expect(size.unreadableFirst).toEqual([{ path: Buffer.from('d1'), message: 'a test refuses it' }]);
  await expect(sizeTree(failing(''), OPTIONS)).rejects.toThrow('Cannot read the source: a test refuses it.');
  source.close();
});

it.each([false, true])(
  'a source that is away for a while is waited for (calls that leave the thread free: %s)',
  async (isRemote) => {
    const source = openPosixSource(Buffer.from(base));
    const whole = await sizeTree(selectFrom(source, selection), OPTIONS);
    const error = new PosixError('lstat', constants.errno.EIO);
    const fails = new Set(['open d1', 'look', 'list d2', 'root']);
    const failOnce = (what: string) => {
      if (fails.delete(what)) throw entryFailure('entry-unreadable', 'the server is away', error);
    };
    // Each of the calls fails once, and so does the root of the file system when it is asked whether it answers.
    const flaky: SourceTree = {
      ...source,
      openDirectory(path) {
        failOnce(`open ${path.toString()}`);
        const directory = source.openDirectory(path);
        return {
          ...callsOf(directory),
          attributes(fresh) {
            if (path.length === 0 && fresh && fails.size < 4) failOnce('root');
            return directory.attributes(fresh);
          },
          attributesOf(name) {
            failOnce('look');
            return directory.attributesOf(name);
          },
          *list() {
            failOnce(`list ${path.toString()}`);
            yield* directory.list();
          },
        };
      },
    };
    const tree = isRemote ? withAsyncSide(flaky, async () => undefined, true) : { ...flaky, async: undefined };
    const size = await sizeTree(selectFrom(tree, selection), OPTIONS);
    expect([...fails]).toEqual([]);
    expect({ ...size, largest: undefined }).toEqual({ ...whole, largest: undefined });
    source.close();
  },
);

import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { PosixError } from '../../posix/posix-error.js';
import { unlessAway } from './target-away.js';
import { type AnyCalls, SYSTEM_CALLS } from './target-calls.js';

const { EIO, ENOENT, ESTALE } = constants.errno;
const base = mkdtempSync(join(tmpdir(), 'clfs-target-away-'));
const root = openSync(base, 'r');
afterAll(() => {
  closeSync(root);
  rmSync(base, { recursive: true, force: true });
});
const NAME = Buffer.from('name');

/** Calls of which that of an entry fails, and that of the root too, at once or later. */
function failing(ofEntry: number, ofRoot: number | undefined, isLater: boolean) {
  const asked = { count: 0 };
  const raise = (call: string, errno: number) => {
    const error = new PosixError(call, errno);
    if (isLater) return Promise.reject(error);
    throw error;
  };
  const calls: AnyCalls = {
    ...SYSTEM_CALLS,
    removeAt: () => raise('remove', ofEntry),
    sync: () => raise('sync', ofEntry),
    statFd: (fd, fresh) => {
      asked.count++;
      expect(fresh).toBe(true);
      return ofRoot === undefined ? SYSTEM_CALLS.statFd(fd, fresh) : raise('stat', ofRoot);
    },
  };
  return { calls: unlessAway(calls, root), asked };
}

it.each([false, true])(
  'a call that fails while the root fails too is a failure of the target, later: %s',
  async (later) => {
    const { calls, asked } = failing(EIO, ESTALE, later);
    const remove = async () => calls.removeAt(root, NAME);
    const ended = await Promise.allSettled([remove(), remove()]);
    for (const each of ended)
      expect(each).toMatchObject({
        reason: {
          code: 'target',
          message: `The target ${JSON.stringify(base)} does not answer: remove: input/output error (EIO). When it does, repeat the export: it goes on where it stopped.`,
        },
      });
    expect(asked.count).toBe(1);
    // It is asked each time anew: it may be there again.
    await expect(remove()).rejects.toMatchObject({ code: 'target' });
    expect(asked.count).toBe(2);
  },
);

it.each([false, true])('one that fails while the root answers is a failure of its entry, later: %s', async (later) => {
  const { calls, asked } = failing(ESTALE, undefined, later);
  await expect((async () => calls.removeAt(root, NAME))()).rejects.toMatchObject({ errno: 'ESTALE' });
  expect(asked.count).toBe(1);
});

it('asks for the root only after what a server that is away is known by, and never for a sync', async () => {
  const gone = failing(ENOENT, EIO, false);
  await expect((async () => gone.calls.removeAt(root, NAME))()).rejects.toMatchObject({ errno: 'ENOENT' });
  const sync = failing(EIO, EIO, false);
  await expect((async () => sync.calls.sync(root))()).rejects.toMatchObject({ errno: 'EIO' });
  expect(gone.asked.count + sync.asked.count).toBe(0);
});

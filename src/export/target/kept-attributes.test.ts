import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { PosixError } from '../../posix/posix-error.js';
import { KEPT_WHOLE, lostAttributes, probeKept } from './kept-attributes.js';
import { SYSTEM_CALLS, type TargetCalls } from './target-calls.js';

const directory = mkdtempSync(join(tmpdir(), 'clfs-kept-'));
const fd = openSync(directory, 'r');
afterAll(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

function keptBy(calls: Partial<TargetCalls>) {
  return probeKept({ ...SYSTEM_CALLS, ...calls }, fd, Buffer.from('.probe'));
}

it('finds that a usual file system keeps all, and leaves nothing there', async () => {
  expect(lostAttributes((await keptBy({})) ?? KEPT_WHOLE).filter((what) => what !== 'times')).toEqual([]);
  // Of a session that was killed.
  writeFileSync(join(directory, '.probe'), '');
  expect(await keptBy({})).toMatchObject({ mode: true, owner: true, earliest: 0 });
  expect(readdirSync(directory)).toEqual([]);
});

it('finds what is dropped without a word, and not what is refused', async () => {
  const nothing = () => undefined;
  const refuse = () => {
    throw new PosixError('chown', constants.errno.EPERM);
  };
  expect(await keptBy({ setModeFd: nothing, setOwnerFd: refuse })).toMatchObject({ mode: false, owner: true });
  expect(await keptBy({ setOwnerFd: nothing })).toMatchObject({ mode: true, owner: false });
  const setTimesFd: TargetCalls['setTimesFd'] = (file, atime, mtime) =>
    SYSTEM_CALLS.setTimesFd(file, atime, {
      ...mtime,
      seconds: Math.min(Math.max(mtime.seconds, 315_532_800), 2 ** 31 - 1),
    });
  const kept = await keptBy({ setTimesFd });
  expect(kept).toMatchObject({ earliest: 315_532_800, latest: 2 ** 31 - 1 });
  expect(lostAttributes(kept ?? KEPT_WHOLE)).toEqual(['times']);
  expect(await keptBy({ openAt: refuse })).toBeUndefined();
  expect(readdirSync(directory)).toEqual([]);
});

it('finds that only even seconds are kept', async () => {
  expect(await keptBy({})).not.toHaveProperty('evenSeconds');
  const even = ({ seconds }: { readonly seconds: number }) => ({ seconds: seconds - (seconds % 2), nanoseconds: 0 });
  const setTimesFd: TargetCalls['setTimesFd'] = (file, atime, mtime) =>
    SYSTEM_CALLS.setTimesFd(file, even(atime), even(mtime));
  expect(await keptBy({ setTimesFd })).toMatchObject({ evenSeconds: true });
});

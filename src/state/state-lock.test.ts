import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { refusal } from '../../test/support/samples.js';
import { claimNewState } from './state-directory.js';

/** What a lock is refused with; undefined: it is asked for. */
const lock = vi.hoisted(() => ({ errno: undefined as number | undefined }));
vi.mock('../posix/libc.js', async (original) => {
  const real = await original<typeof import('../posix/libc.js')>();
  const { PosixError } = await import('../posix/posix-error.js');
  const tryLock = (fd: number) => {
    if (lock.errno !== undefined) throw new PosixError('lock', lock.errno);
    return real.tryLock(fd);
  };
  return { ...real, tryLock };
});

const base = mkdtempSync(join(tmpdir(), 'clfs-lock-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('a state directory where there are no locks', () => {
  const text =
    /^state: Cannot lock the state directory ".*": lock: no locks available \(ENOLCK\)\. .* -o flock\), or name a --state-path on a disk of this machine\.$/;

  it('is refused with the reason, and not left behind', () => {
    const path = join(base, 'new');
    lock.errno = constants.errno.ENOLCK;
    expect(refusal(() => claimNewState(path))).toMatch(text);
    expect(existsSync(path)).toBe(false);
    lock.errno = undefined;
    claimNewState(path).release();
  });

  it('stays when it was there before', () => {
    const path = join(base, 'old');
    mkdirSync(path);
    lock.errno = constants.errno.ENOLCK;
    expect(refusal(() => claimNewState(path))).toMatch(text);
    expect(existsSync(path)).toBe(true);
  });
});

it('a lock that cannot be asked for does not pass for one that is held', async () => {
  const { tryLock } = await vi.importActual<typeof import('../posix/libc.js')>('../posix/libc.js');
  expect(() => tryLock(-1)).toThrow(/^lock: EBADF/);
});

import { describe, expect, it } from 'vitest';
import { type Mount, parseMounts } from '../posix/mounts.js';
import { describePlace, isOtherRoot, isSamePlace, withMounts } from './source-place.js';

const LINES = [
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '30 22 8:17 / /data rw shared:2 master:1 - xfs /dev/sdb1 rw',
  '31 30 0:40 / /data/a\\040b/nfs rw - nfs4 server:/export rw',
  '32 30 0:41 / /data/a\\040b/nfs rw - nfs4 server:/other rw',
  '33 30 8:17 /x /data/bound rw - xfs /dev/sdb1 rw',
  '34 22 0:50 / /mem rw - tmpfs tmpfs rw',
  '35 22 0:51 / /data-2 rw - tmpfs tmpfs rw',
];
const MOUNTS = parseMounts(`${LINES.join('\n')}\n`);
/** Only one of the file systems has an id. */
const keyOf = ({ type, source }: Mount) =>
  type === 'ext4' ? 'ext4 1234' : source.includes(':') ? `${type} ${source}` : undefined;
const place = (path: string, bornNs = 5n) => describePlace(MOUNTS, Buffer.from(path), { inode: 128n, bornNs }, keyOf);
const hex = (path: string) => Buffer.from(path).toString('hex');

describe('the place of a source', () => {
  it('is the root itself, and what is mounted below it', () => {
    const mounts = { [hex('a b/nfs')]: '/ nfs4 server:/other', [hex('bound')]: '/x xfs /dev/sdb1' };
    expect(place('/data')).toEqual({ root: 'xfs 128 5', mounts });
    expect(place('/data/a b')).toEqual({ root: 'xfs 128 5', mounts: { [hex('nfs')]: '/ nfs4 server:/other' } });
    expect(place('/data/a b/nfs')).toEqual({ root: 'nfs4 server:/other 128 5', mounts: {} });
    expect(place('/home')?.root).toBe('ext4 1234 128 5');
    expect(Object.keys(place('/')?.mounts ?? {})).toContain(hex('data/bound'));
  });

  it('is known by the device where the time of making is not known, and not at all in memory', () => {
    expect(place('/mem', 0n)).toBeUndefined();
    expect(place('/mem')?.root).toBe('tmpfs 128 5');
    expect(place('/data/bound/deep', 0n)?.root).toBe('xfs /dev/sdb1 128 0');
    expect(place('/data/a b/nfs', 0n)?.root).toBe('nfs4 server:/other 128 0');
    expect(place('/home', 0n)?.root).toBe('ext4 1234 128 0');
  });

  it('is the same only with the same file systems on the way', () => {
    const before = { root: 'x', mounts: { [hex('a/m')]: 'one' } };
    const same = (now: typeof before | undefined, path: string) => isSamePlace(before, now, Buffer.from(path));
    expect(same(before, 'a/m/d')).toBe(true);
    expect(same({ ...before, mounts: {} }, 'a/m/d')).toBe(false);
    expect(same({ ...before, mounts: {} }, 'a/m')).toBe(false);
    expect(same({ ...before, mounts: {} }, 'a/mm')).toBe(true);
    expect(same({ ...before, mounts: { ...before.mounts, [hex('b')]: 'new' } }, 'b/d')).toBe(false);
    expect(same({ ...before, root: 'y' }, 'c')).toBe(false);
    expect(same(undefined, 'c')).toBe(false);
    expect(isSamePlace(undefined, before, Buffer.from('c'))).toBe(false);
  });

  it('is certainly another one only where both are known', () => {
    const one = { root: 'x', mounts: {} };
    expect(isOtherRoot(one, { root: 'y', mounts: {} })).toBe(true);
    expect(isOtherRoot(one, { root: 'x', mounts: { a: 'b' } })).toBe(false);
    expect(isOtherRoot(one, undefined)).toBe(false);
    expect(isOtherRoot(undefined, one)).toBe(false);
  });

  it('takes in what is mounted later, and keeps what was recorded', () => {
    const before = { root: 'x', mounts: { a: 'one' } };
    expect(withMounts(before, { root: 'x', mounts: { a: 'two', b: 'new' } })).toEqual({
      root: 'x',
      mounts: { a: 'one', b: 'new' },
    });
    expect(withMounts(before, { root: 'y', mounts: { b: 'new' } })).toBe(before);
    expect(withMounts(undefined, before)).toBeUndefined();
  });
});

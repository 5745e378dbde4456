import { describe, expect, it } from 'vitest';
import { parseMounts } from '../posix/mounts.js';
import { describePlace, isSamePlace, withMounts } from './source-place.js';

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
const place = (path: string, born = 5n) => describePlace(MOUNTS, Buffer.from(path), 128n, born);
const hex = (path: string) => Buffer.from(path).toString('hex');

describe('the place of a source', () => {
  it('is the file system that it is on, and what is mounted below it', () => {
    expect(place('/data')).toEqual({
      identity: '/ xfs /dev/sdb1 128 5',
      mounts: { [hex('a b/nfs')]: '/ nfs4 server:/other', [hex('bound')]: '/x xfs /dev/sdb1' },
    });
    expect(place('/data/a b')).toEqual({
      identity: '/ xfs /dev/sdb1 128 5',
      mounts: { [hex('nfs')]: '/ nfs4 server:/other' },
    });
    expect(place('/data/bound/deep')?.identity).toBe('/x xfs /dev/sdb1 128 5');
    expect(Object.keys(place('/')?.mounts ?? {})).toContain(hex('data/bound'));
  });

  it('cannot be told in memory where the time of its making is not known', () => {
    expect(place('/mem', 0n)).toBeUndefined();
    expect(place('/mem')?.identity).toBe('/ tmpfs tmpfs 128 5');
    expect(place('/data/a b/nfs', 0n)?.identity).toBe('/ nfs4 server:/other 128 0');
  });

  it('is the same only with the same file systems on the way', () => {
    const before = { identity: 'x', mounts: { [hex('a/m')]: 'one' } };
    const same = (now: typeof before | undefined, path: string) => isSamePlace(before, now, Buffer.from(path));
    expect(same(before, 'a/m/d')).toBe(true);
    expect(same({ ...before, mounts: {} }, 'a/m/d')).toBe(false);
    expect(same({ ...before, mounts: {} }, 'a/m')).toBe(false);
    expect(same({ ...before, mounts: {} }, 'a/mm')).toBe(true);
    expect(same({ ...before, mounts: { ...before.mounts, [hex('b')]: 'new' } }, 'b/d')).toBe(false);
    expect(same({ ...before, identity: 'y' }, 'c')).toBe(false);
    expect(same(undefined, 'c')).toBe(false);
    expect(isSamePlace(undefined, before, Buffer.from('c'))).toBe(false);
  });

  it('takes in what is mounted later, and keeps what was recorded', () => {
    const before = { identity: 'x', mounts: { a: 'one' } };
    expect(withMounts(before, { identity: 'x', mounts: { a: 'two', b: 'new' } })).toEqual({
      identity: 'x',
      mounts: { a: 'one', b: 'new' },
    });
    expect(withMounts(before, { identity: 'y', mounts: { b: 'new' } })).toBe(before);
    expect(withMounts(undefined, before)).toBeUndefined();
  });
});

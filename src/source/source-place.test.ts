import { describe, expect, it } from 'vitest';
import { type Mount, parseMounts } from '../posix/mounts.js';
import {
  describePlace,
  isOtherRoot,
  isSamePlace,
  isSameRoot,
  type RootPlace,
  type SourcePlace,
  WHEN_WANTED,
  withMounts,
} from './source-place.js';

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
const looks = {
  id: ({ type }: Mount) => (type === 'ext4' ? 'ext4 1234' : undefined),
  key: ({ root, type, source }: Mount) => `${root} ${type} ${source}`,
};
const place = (path: string, bornNs = 5n) => describePlace(MOUNTS, Buffer.from(path), { inode: 128n, bornNs }, looks);
const hex = (path: string) => Buffer.from(path).toString('hex');

describe('the place of a source', () => {
  it('is the root itself, and what is mounted below it', () => {
    const mounts = { [hex('a b/nfs')]: '/ nfs4 server:/other', [hex('bound')]: '/x xfs /dev/sdb1' };
    const root = { inode: '128', bornNs: '5', source: 'xfs /dev/sdb1' };
    expect(place('/data')).toEqual({ root, mounts });
    expect(place('/data/a b')).toEqual({ root, mounts: { [hex('nfs')]: '/ nfs4 server:/other' } });
    expect(place('/data/a b/nfs')?.root.source).toBe('nfs4 server:/other');
    expect(place('/home')?.root.id).toBe('ext4 1234');
    expect(Object.keys(place('/')?.mounts ?? {})).toContain(hex('data/bound'));
  });

  it('has where something is mounted when it is wanted, which is no file system of the root itself', () => {
    const lines = [
      ...LINES,
      '40 30 0:60 / /data/auto rw - autofs /etc/auto.x rw',
      '41 30 0:61 / /data/used rw - autofs systemd-1 rw',
      '42 41 0:62 / /data/used rw - nfs4 server:/used rw',
    ];
    const at = (path: string) =>
      describePlace(parseMounts(lines.join('\n'), true), Buffer.from(path), { inode: 128n, bornNs: 5n }, looks);
    expect(at('/data')?.mounts).toMatchObject({ [hex('auto')]: WHEN_WANTED, [hex('used')]: '/ nfs4 server:/used' });
    expect(at('/data/auto/x')?.root.source).toBe('xfs /dev/sdb1');
  });

  it('is the same when what is mounted when it is wanted has been mounted, and another one when that is no more', () => {
    const before: SourcePlace = { root: { source: 'x' }, mounts: { [hex('a')]: WHEN_WANTED } };
    const at = (mounts: SourcePlace['mounts']) => isSamePlace(before, { ...before, mounts }, Buffer.from('a/b'));
    expect([at({ [hex('a')]: 'one' }), at(before.mounts), at({})]).toEqual([true, true, false]);
    const later = { ...before, mounts: { [hex('a')]: 'one' } };
    expect(withMounts(before, later, () => 'same')).toEqual(later);
    expect(withMounts(before, later, () => 'nothing')).toEqual(before);
    expect(withMounts(later, before, () => 'same')).toEqual(later);
    expect(isSamePlace(later, before, Buffer.from('a'))).toBe(false);
  });

  it('cannot be told in memory where the time of making is not known', () => {
    expect(place('/mem', 0n)).toBeUndefined();
    expect(place('/mem')?.root).toEqual({ inode: '128', bornNs: '5', source: 'tmpfs tmpfs' });
    expect(place('/data/bound/deep', 0n)?.root).toEqual({ inode: '128', source: 'xfs /dev/sdb1' });
    expect(place('/home', 0n)?.root).toEqual({ inode: '128', id: 'ext4 1234', source: 'ext4 /dev/sda1' });
  });

  it('has no inode number on FUSE, and no time of making on an overlay', () => {
    const mounts = parseMounts('1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /f rw - fuse.sshfs host:/x rw\n');
    const at = (path: string) => describePlace(mounts, Buffer.from(path), { inode: 7n, bornNs: 5n }, looks);
    expect(at('/f/x')?.root).toEqual({ bornNs: '5', source: 'fuse.sshfs host:/x' });
    expect(at('/x')).toBeUndefined();
  });

  it('is the same only with the same file systems on the way', () => {
    const before: SourcePlace = { root: { source: 'x' }, mounts: { [hex('a/m')]: 'one' } };
    const same = (now: SourcePlace | undefined, path: string) => isSamePlace(before, now, Buffer.from(path));
    expect(same(before, 'a/m/d')).toBe(true);
    expect(same({ ...before, mounts: {} }, 'a/m/d')).toBe(false);
    expect(same({ ...before, mounts: {} }, 'a/m')).toBe(false);
    expect(same({ ...before, mounts: {} }, 'a/mm')).toBe(true);
    expect(same({ ...before, mounts: { ...before.mounts, [hex('b')]: 'new' } }, 'b/d')).toBe(false);
    expect(same({ ...before, root: { source: 'y' } }, 'c')).toBe(false);
    expect(same(undefined, 'c')).toBe(false);
    expect(isSamePlace(undefined, before, Buffer.from('c'))).toBe(false);
  });

  const root = { inode: '2', bornNs: '5', id: 'ext4 1', source: 'ext4 /dev/sda1' };
  it.each<[string, Partial<RootPlace>, 'same' | 'other' | 'unknown']>([
    ['nothing', {}, 'same'],
    ['the name of its device', { source: 'ext4 /dev/sdb1' }, 'same'],
    ['its inode number', { inode: '3' }, 'other'],
    ['when it was made', { bornNs: '6' }, 'other'],
    ['the id of its file system', { id: 'ext4 2' }, 'other'],
    ['that its time of making is not known any more', { bornNs: undefined }, 'same'],
    ['that nothing is known but another device', { bornNs: undefined, id: undefined, source: 'xfs /dev/x' }, 'unknown'],
  ])('of which differs: %s', (_, change, expected) => {
    const before = { root, mounts: {} };
    const now = { root: { ...root, ...change }, mounts: {} };
    expect(isOtherRoot(before, now)).toBe(expected === 'other');
    expect(isSameRoot(before, now)).toBe(expected === 'same');
    expect(isOtherRoot(before, undefined)).toBe(false);
    expect(isOtherRoot(undefined, now)).toBe(false);
  });

  it('has what is mounted when it can be looked at, and not before', () => {
    const root = Buffer.from('/data');
    const key = ({ source, ...mount }: Mount) => (source === '/dev/sdb1' ? undefined : looks.key({ source, ...mount }));
    const before = describePlace(MOUNTS, root, { inode: 128n, bornNs: 5n }, { ...looks, key });
    expect(Object.keys(before?.mounts ?? {})).toEqual([hex('a b/nfs')]);
    expect(withMounts(before, place('/data'), () => 'nothing')).toEqual(place('/data'));
  });

  it('takes in what is mounted later, but not over something, and keeps what was recorded', () => {
    const before = { root: { source: 'x' }, mounts: { aa: 'one' } };
    const now = { root: { source: 'x' }, mounts: { aa: 'two', bb: 'new', cc: 'over' } };
    expect(withMounts(before, { ...now, mounts: { aa: 'two' } }, () => 'same')).toEqual(before);
    expect(withMounts(before, { ...now, mounts: { aa: 'two' } }, () => 'certain')?.mounts).toEqual({ aa: 'two' });
    const recorded = (path: Buffer) => (path.toString('hex') === 'cc' ? 'other' : 'nothing');
    expect(withMounts(before, now, recorded)).toEqual({ root: before.root, mounts: { aa: 'one', bb: 'new' } });
    expect(withMounts(before, { root: { source: 'y' }, mounts: { bb: 'new' } }, recorded)).toBe(before);
    expect(withMounts(undefined, before, recorded)).toBe(before);
    expect(withMounts(before, undefined, recorded)).toBe(before);
  });
});

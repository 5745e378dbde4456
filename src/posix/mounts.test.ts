import { describe, expect, it } from 'vitest';
import { describeMountsBelow, mountKey, parseMounts, tellsApart } from './mounts.js';

const TEXT = [
  '20 1 0:1 / / rw - ext4 /dev/sda rw',
  '21 20 0:2 / /data rw shared:1 - nfs4 head:/export rw',
  '22 21 0:3 / /data/a\\040b rw - nfs4 head:/export/a\\040b rw',
  '23 21 0:4 / /data/scratch rw - nfs4 other:/scratch rw',
  '24 21 0:5 / /data/disk rw - tmpfs none rw',
  '25 21 0:6 / /data/home rw - autofs map rw',
  '26 25 0:7 / /data/home/x rw - nfs4 head:/home/x rw',
  '27 20 0:8 / /auto rw - autofs map rw',
  '28 24 0:9 / /data/disk rw - xfs /dev/sdb rw',
].join('\n');
const below = (path: string) => describeMountsBelow(parseMounts(TEXT, true), Buffer.from(path));
const namesOf = (path: string) =>
  below(path)
    .map((mount) => mount.path.toString())
    .sort();

describe('what is mounted below a directory', () => {
  it('is told by path and number, the uppermost at each path', () => {
    expect(namesOf('/data')).toEqual(['a b', 'disk', 'home', 'home/x', 'scratch']);
    expect(below('/data').find((mount) => mount.path.toString() === 'disk')?.id).toBe('28');
    expect(namesOf('/')).toContain('data/home/x');
    expect(namesOf('/dat')).toEqual([]);
  });

  it('is what a path leads to, and not what is in something that is covered', () => {
    const text = [
      '1 0 0:1 / / rw - ext4 /dev/sda rw',
      '2 1 0:2 / /data rw - ext4 /dev/sdb rw',
      '3 2 0:3 / /data/below rw - tmpfs none rw',
      '4 2 0:4 / /data/below/more rw - tmpfs none rw',
      '5 2 0:5 / /data rw - xfs /dev/sdc rw',
      '6 5 0:6 / /data/below/more/new rw - tmpfs none rw',
      '7 6 0:7 / /data/below/more/new/x rw - tmpfs none rw',
      '8 7 0:8 / /data/below/more/new/x rw - tmpfs none rw',
    ].join('\n');
    const shown = describeMountsBelow(parseMounts(text, true), Buffer.from('/data'));
    expect(shown.map((mount) => [mount.path.toString(), mount.id])).toEqual([
      ['below/more/new', '6'],
      ['below/more/new/x', '8'],
    ]);
  });

  it('is nothing else where a directory is mounted on itself, as for other flags, with what is mounted in that', () => {
    const text = [
      '1 0 8:1 / / rw - ext4 /dev/sda rw',
      '2 1 8:17 /top /data rw - xfs /dev/sdb rw',
      '3 2 8:17 /top/a\\040b /data/a\\040b ro - xfs /dev/sdb rw',
      '4 3 0:50 / /data/a\\040b/scratch rw - tmpfs none rw',
      '5 2 8:17 /top/other /data/moved ro - xfs /dev/sdb rw',
      '6 2 8:1 /top/foreign /data/foreign ro - ext4 /dev/sda rw',
      '7 1 8:1 /home /home ro - ext4 /dev/sda rw',
    ].join('\n');
    const shown = (path: string) =>
      describeMountsBelow(parseMounts(text, true), Buffer.from(path)).map((mount) => mount.path.toString());
    expect(shown('/data').sort()).toEqual(['a b/scratch', 'foreign', 'moved']);
    expect(shown('/').sort()).toEqual(['data', 'data/a b/scratch', 'data/foreign', 'data/moved']);
  });

  it('is to come where it is mounted when it is wanted, be it below the directory itself', () => {
    const later = (path: string) => below(path).filter(({ isLater }) => isLater);
    expect(later('/data').map((mount) => mount.path.toString())).toEqual(['home']);
    expect(later('/auto').map((mount) => mount.path.toString())).toEqual(['']);
  });

  it('is there by itself where a server goes from one file system to another', () => {
    const automatic = below('/data').filter(({ isAutomatic }) => isAutomatic);
    expect(automatic.map((mount) => mount.path.toString())).toEqual(['a b']);
  });
});

describe('what tells a mounted file system from another one', () => {
  const keyAt = (point: string, type: string) =>
    mountKey({ point: Buffer.from(point), root: '/', type, source: 'from', id: '2', parent: '1', device: '0:9' });

  it('is not what its device is called while it cannot be looked at', () => {
    for (const type of ['ext4', 'xfs', 'tmpfs']) expect(keyAt('/no such place', type)).toBeUndefined();
    // Of another machine's nothing else is ever known.
    expect(keyAt('/no such place', 'nfs4')).toBe('/ nfs4 from');
    expect(keyAt('/', 'ext4')).toMatch(/^\/ ext4 [0-9a-f]{16}$/);
  });

  it('is more than a name where it is an id, or the number of the root and when it was made', () => {
    const keys = [
      '/ nfs4 nas1:/x',
      '/ vfat /dev/sdb1',
      '/ xfs /dev/sdb1',
      '/ xfs 128 1700000000',
      '/x ext4 0123456789abcdef',
    ];
    expect(keys.map(tellsApart)).toEqual([false, false, false, true, true]);
  });
});

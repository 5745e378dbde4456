import { describe, expect, it } from 'vitest';
import type { MountBelow } from '../posix/mounts.js';
import { KeptMounts } from './kept-mounts.js';

const paths = (...names: string[]) => names.map((name) => Buffer.from(name));
const mounts = (...names: string[]): MountBelow[] =>
  names.map((name) => ({ path: Buffer.from(name), id: name, isLater: false, isAutomatic: false }));

describe('KeptMounts', () => {
  it('says what is mounted no more, and what has been mounted since', () => {
    let there = mounts('data');
    const parts = { wanted: paths('data'), now: () => there, reach: () => undefined };
    const source = new KeptMounts({ ...parts, what: 'source', mayCome: ({ path }) => path.toString() === 'more' });
    const target = new KeptMounts({ ...parts, what: 'target', mayCome: () => false });
    there = mounts('data', 'more');
    expect(source.lacking()).toBeUndefined();
    expect(target.lacking()).toMatchObject({
      code: 'target',
      message: 'something has been mounted at "more" of the target',
    });
    there = mounts('data', 'other');
    expect(source.lacking()?.message).toBe('something has been mounted at "other" of the source');
    there = mounts('data');
    expect(target.lacking()).toBeUndefined();
    there = mounts('more');
    expect(source.lacking()).toMatchObject({
      code: 'source',
      message: 'what was mounted at "data" of the source is not mounted any more',
    });
    expect(target.lacking()?.message).toBe('what was mounted at "data" of the target is not mounted any more');
  });

  it('says where something else is mounted than before, and takes the same for the same', () => {
    let id = '1';
    let identity: string | undefined = 'one';
    const kept = new KeptMounts({
      what: 'source',
      wanted: paths('data'),
      now: () => [{ ...mounts('data')[0], id }],
      reach: () => identity,
      mayCome: () => true,
    });
    expect(kept.lacking()).toBeUndefined();
    id = '2';
    expect(kept.lacking()).toBeUndefined();
    [id, identity] = ['3', 'another'];
    expect(kept.lacking()?.message).toBe('something else has been mounted at "data" of the source');
    identity = undefined;
    expect(kept.lacking()?.message).toBe('something else has been mounted at "data" of the source');
  });

  it('goes to what is mounted when it is wanted', () => {
    let there: MountBelow[] = [];
    const kept = new KeptMounts({
      what: 'source',
      wanted: paths('home'),
      now: () => there,
      reach() {
        there = mounts('home');
        return 'home';
      },
      mayCome: () => false,
    });
    expect(kept.lacking()).toBeUndefined();
    there = [];
    expect(kept.lacking()).toBeUndefined();
  });

  it('keeps nothing that this machine has in one piece', () => {
    const parts = { wanted: paths('part'), now: () => [], reach: () => 'part', mayCome: () => false };
    expect(new KeptMounts({ ...parts, what: 'source' }).lacking()).toBeUndefined();
  });
});

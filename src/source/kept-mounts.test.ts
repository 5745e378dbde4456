import { describe, expect, it } from 'vitest';
import { KeptMounts } from './kept-mounts.js';

const paths = (...names: string[]) => names.map((name) => Buffer.from(name));

describe('KeptMounts', () => {
  it('says what is mounted no more, and only of a target what has been mounted since', () => {
    let there = paths('data', 'more');
    const parts = { wanted: paths('data'), now: () => there, reach: () => undefined };
    const source = new KeptMounts({ ...parts, what: 'source', only: false });
    const target = new KeptMounts({ ...parts, what: 'target', only: true });
    expect(source.lacking()).toBeUndefined();
    expect(target.lacking()).toMatchObject({
      code: 'target',
      message: 'something has been mounted at "more" of the target',
    });
    there = paths('data');
    expect(target.lacking()).toBeUndefined();
    there = paths('more');
    expect(source.lacking()).toMatchObject({
      code: 'source',
      message: 'what was mounted at "data" of the source is not mounted any more',
    });
    expect(target.lacking()?.message).toBe('what was mounted at "data" of the target is not mounted any more');
  });

  it('goes to what is mounted when it is wanted', () => {
    let there: Buffer[] = [];
    const mounts = new KeptMounts({
      what: 'source',
      wanted: paths('home'),
      now: () => there,
      reach(path) {
        there = [path];
      },
      only: false,
    });
    expect(mounts.lacking()).toBeUndefined();
  });

  it('looks at nothing where nothing was mounted', () => {
    const now = () => {
      throw new Error('It has looked.');
    };
    expect(new KeptMounts({ what: 'source', wanted: [], now, reach: now, only: false }).lacking()).toBeUndefined();
  });
});

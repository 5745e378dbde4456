import { describe, expect, it } from 'vitest';
import { JobCensus } from './job-census.js';

describe('what a job has done, by directory', () => {
  it('remembers the largest directories, however many there are', () => {
    const census = new JobCensus();
    for (let id = 1; id <= 20_000; id++) census.add(id, undefined, 1, id % 1000 === 0 ? 1_000_000 + id : 1);
    const { directories } = census.record();
    expect(directories.length).toBe(24);
    expect(directories[0]).toEqual({ id: 20_000, entries: 1, bytes: 1_020_000 });
    expect(directories.slice(0, 20).map(({ id }) => id % 1000)).toEqual(new Array(20).fill(0));
  });

  it('goes on with what was recorded', () => {
    const census = new JobCensus();
    census.add(7, { types: [0, 2], sizes: [0, 2] }, 2, 100);
    const next = new JobCensus();
    next.restore(census.record());
    next.addOne(7, 1, 50);
    const { types, sizes, directories } = next.record();
    expect([types[1], sizes[1]]).toEqual([3, 3]);
    expect(directories).toEqual([{ id: 7, entries: 3, bytes: 150 }]);
  });
});

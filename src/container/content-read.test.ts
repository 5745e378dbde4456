import { expect, it } from 'vitest';
import { sharePermille } from '../books/work-share.js';
import { storedShare } from './content-read.js';

const read = { contentStored: 0, contentData: 0, passedStored: 0, passedData: 0 };

it('what need not be read is taken off by what other content takes', () => {
  expect(storedShare(read, 1000)).toEqual({ bytes: 0, bytesTotal: 1000 });
  const half = { ...read, contentStored: 100, contentData: 200 };
  expect(storedShare({ ...half, passedData: 400, passedStored: 50 }, 1000)).toEqual({ bytes: 100, bytesTotal: 750 });
  // It is foretold, and may be too much.
  expect(storedShare({ ...half, passedData: 4000 }, 1000)).toEqual({ bytes: 100, bytesTotal: 100 });
});

it('where more is read than there is, all of it is not known; a little of it may be read twice', () => {
  expect(storedShare({ ...read, contentStored: 1005, contentData: 1005 }, 1000).bytesTotal).toBe(1005);
  expect(storedShare({ ...read, contentStored: 1500, contentData: 1500 }, 1000).bytesTotal).toBeUndefined();
});

it('a share goes by entries and bytes, and never says all', () => {
  expect(sharePermille({ done: 1, total: 2 })).toBe(500);
  expect(sharePermille({ done: 1, total: 2, bytes: 0, bytesTotal: 1e9 })).toBe(0);
  expect(sharePermille({ done: 1, total: 2, bytes: 5e8, bytesTotal: 1e9 })).toBe(500);
  expect(sharePermille({ done: 2, total: 2, bytes: 1e9, bytesTotal: 1e9 })).toBe(999);
  expect(sharePermille({ done: 0, total: 0 })).toBe(0);
});

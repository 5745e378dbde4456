import { expect, it } from 'vitest';
import { contentSince, grownTo, NOTHING } from './counters.js';

it('what a worker has read counts once, however late its messages are', () => {
  const first = grownTo(NOTHING, { ...NOTHING, contentStored: 10, contentData: 20 });
  const late = grownTo(first, { ...NOTHING, contentStored: 5, passedData: 3 });
  expect(contentSince(NOTHING, first)).toMatchObject({ contentStored: 10, contentData: 20, passedData: 0 });
  expect(contentSince(first, late)).toMatchObject({ contentStored: 0, contentData: 0, passedData: 3 });
});

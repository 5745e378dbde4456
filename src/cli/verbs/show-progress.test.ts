import { expect, it } from 'vitest';
import type { ProgressFigures } from '../progress/figures.js';
import { showEntries } from './show-progress.js';

it('no more entries are said to be done than there are', () => {
  const shown: ProgressFigures[] = [];
  const show = showEntries({ progress: (figures) => void shown.push(figures()) }, 'Comparing', 3);
  show(3);
  expect(shown.at(-1)).toMatchObject({ done: 3, total: 3, permille: 999 });
  show(4);
  expect(shown.at(-1)).toMatchObject({ done: 4, total: undefined, permille: undefined });
});

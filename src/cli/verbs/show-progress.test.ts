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

it('content moves the share between two entries, and is asked for each time that it is shown', () => {
  const shown: (() => ProgressFigures)[] = [];
  let content: { bytes: number; bytesTotal: number | undefined } = { bytes: 0, bytesTotal: 1e9 };
  const show = showEntries({ progress: (figures) => void shown.push(figures) }, 'Checking', 4, {
    content: () => content,
  });
  show(1);
  expect(shown[0]()).toMatchObject({ done: 1, total: 4, bytes: 0, bytesTotal: 1e9, permille: 0, stored: true });
  content = { bytes: 5e8, bytesTotal: 1e9 };
  expect(shown[0]()).toMatchObject({ done: 1, bytes: 5e8, permille: 499 });
  content = { bytes: 2e9, bytesTotal: undefined };
  expect(shown[0]()).toMatchObject({ done: 1, total: 4, bytes: 2e9, bytesTotal: undefined, permille: undefined });
});

import { expect, it } from 'vitest';
import { stoppedText } from './stopped-text.js';

it('says what is known of how far a verb has come', () => {
  expect(stoppedText(undefined, 0)).toBe('Stopped.');
  expect(stoppedText({ label: 'Listing', unit: 'blobs', done: 1 }, 0)).toBe('Stopped. Listing: 1 blob.');
  const figures = { label: 'Comparing', unit: 'entries', done: 1234, total: 9999 };
  expect(stoppedText(figures, 1)).toBe('Stopped. Comparing: 1234 of 9999 entries. 1 finding so far.');
  expect(stoppedText({ ...figures, bytes: 1_500_000, bytesTotal: 3_000_000, stored: true }, 3)).toBe(
    'Stopped. Comparing: 1234 of 9999 entries, 1.4M of 2.9M stored. 3 findings so far.',
  );
});

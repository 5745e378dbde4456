import { expect, it } from 'vitest';
import { LargeBuffers } from './large-buffers.js';

it('gives memory that came back, as often as it came back, and never to two at once', () => {
  const buffers = new LargeBuffers();
  const first = buffers.take(3_000_000);
  expect(first.length).toBe(3_000_000);
  buffers.giveBack(first.subarray(100, 200));
  buffers.giveBack(first);
  const again = buffers.take(2_000_000);
  expect(again.buffer).toBe(first.buffer);
  expect(again.length).toBe(2_000_000);
  expect(buffers.take(2_000_000).buffer).not.toBe(first.buffer);
  buffers.giveBack(again);
  expect(buffers.take(9_000_000).buffer).not.toBe(first.buffer);
});

it('keeps only a few', () => {
  const buffers = new LargeBuffers();
  const all = Array.from({ length: 20 }, () => buffers.take(1_000_000));
  for (const each of all) buffers.giveBack(each);
  const known = new Set(all.map(({ buffer }) => buffer));
  const kept = Array.from({ length: 20 }, () => buffers.take(1)).filter(({ buffer }) => known.has(buffer));
  expect(kept.length).toBeLessThanOrEqual(6);
});

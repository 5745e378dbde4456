import { expect, it } from 'vitest';
import { Slowness } from './slowness.js';

/** What is found at last when so many things take so long. */
function tookAll(slowness: Slowness, count: number, ms: number, calls = 1) {
  let found: ReturnType<Slowness['took']>;
  for (let at = 0; at < count; at++) found = slowness.took(ms, calls);
  return found;
}

it('is slow when the quickest of three took long, and quick when the quickest of 64 did not', () => {
  const slowness = new Slowness(false, false);
  expect(tookAll(slowness, 2, 3)).toBe(undefined);
  expect(slowness.isSlow).toBe(false);
  const slow = tookAll(slowness, 1, 2);
  expect(slowness.isSlow).toBe(true);
  expect(slow?.callMs).toBe(2);
  expect(slow?.changeText('target', 32)).toBe(
    'The quickest of the latest calls of the target took 2.00 ms: up to 32 are in flight.',
  );
  expect(tookAll(slowness, 63, 0.1)).toBe(undefined);
  expect(slowness.isSlow).toBe(true);
  const quick = tookAll(slowness, 1, 0.1);
  expect(slowness.isSlow).toBe(false);
  expect(quick?.changeText('target', 8)).toBe(
    'The quickest of the latest calls of the target took 0.10 ms: one is made at a time.',
  );
});

it('stays as it is between the two bounds, and says so only once', () => {
  const slow = new Slowness(true, false);
  const found = tookAll(slow, 64, 0.3);
  expect(slow.isSlow).toBe(true);
  expect(found?.changeText('container', 8)).toBe(undefined);
  const quick = new Slowness(false, false);
  expect(tookAll(quick, 3, 0.3)).toBe(undefined);
  expect(quick.isSlow).toBe(false);
});

it('is told by the quickest, and by the latest', () => {
  const slowness = new Slowness(false, false);
  for (const ms of [9, 0.1, 9, 9, 9, 0.1]) slowness.took(ms, 1);
  expect(slowness.isSlow).toBe(false);
  for (const ms of [9, 9, 9]) slowness.took(ms, 1);
  expect(slowness.isSlow).toBe(true);
});

it('is found from what several calls take together, and tells what one does', () => {
  const slowness = new Slowness(false, false);
  expect(tookAll(slowness, 3, 0.8, 4)?.callMs).toBeCloseTo(0.2);
  expect(slowness.isSlow).toBe(true);
});

it('is slow for good only where it is so from the start', () => {
  const forGood = new Slowness(true, true);
  expect(tookAll(forGood, 64, 0.01)?.callMs).toBe(0.01);
  expect(forGood.isSlow).toBe(true);
  const never = new Slowness(false, true);
  tookAll(never, 3, 0.01);
  expect(never.isSlow).toBe(false);
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LanePolicy } from './lane-policy.js';

describe('lanes that get work', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('are the main thread at first, and threads alone when the load lasts', () => {
    const lanes = new LanePolicy(5, false);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    vi.advanceTimersByTime(2900);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    vi.advanceTimersByTime(200);
    expect(lanes.active).toEqual({ first: 1, end: 2 });
  });

  it('are never more than there are threads', () => {
    const lanes = new LanePolicy(5, true);
    expect(lanes.active).toEqual({ first: 0, end: 4 });
    vi.advanceTimersByTime(3100);
    expect(lanes.active).toEqual({ first: 1, end: 5 });
    expect(lanes.grow(1)).toBeUndefined();
  });

  it('are all of them at once when much is to be sent', () => {
    const lanes = new LanePolicy(3, false);
    expect(lanes.grow(1e6)).toBeGreaterThan(0);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    expect(lanes.grow(1e11)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 2 });
  });

  it('is the one there is', () => {
    const lanes = new LanePolicy(1, false);
    vi.advanceTimersByTime(60_000);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    expect(lanes.grow(1e11)).toBeUndefined();
  });
});

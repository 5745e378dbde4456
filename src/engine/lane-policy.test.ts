import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LanePolicy } from './lane-policy.js';

/** Milliseconds that each of four processors was idle and busy since the machine began. */
const processors = vi.hoisted(() => ({ idle: 0, busy: 0 }));
vi.mock('node:os', () => ({
  cpus: () => new Array(4).fill({ times: { idle: processors.idle, user: processors.busy, sys: 0, nice: 0, irq: 0 } }),
}));

/** Lets time pass, of which each processor is idle for a share. */
function pass(ms: number, idle: number): void {
  processors.idle += ms * idle;
  processors.busy += ms * (1 - idle);
  vi.advanceTimersByTime(ms);
}

describe('lanes that get work', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it('are the main thread at first, and threads alone when the load lasts', () => {
    const lanes = new LanePolicy({ lanes: 5, all: false });
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    vi.advanceTimersByTime(2900);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    vi.advanceTimersByTime(200);
    expect(lanes.active).toEqual({ first: 1, end: 2 });
  });

  it('are one fewer when the main thread leaves: whether another one is worth its start is looked at anew', () => {
    const lanes = new LanePolicy({ lanes: 9, all: false });
    pass(400, 1);
    expect(lanes.grow(0)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 3 });
    pass(3000, 0.1);
    expect(lanes.active).toEqual({ first: 1, end: 3 });
    expect(lanes.grow(0)).toBeGreaterThan(0);
    expect(lanes.active).toEqual({ first: 1, end: 3 });
  });

  it('are the main thread alone where nothing holds it up, as long as it waits most of the time', () => {
    const busy = vi.spyOn(performance, 'eventLoopUtilization');
    const lanes = new LanePolicy({ lanes: 5, all: false, firstNeverBlocks: true });
    const works = (utilization: number) => busy.mockReturnValue({ idle: 0, active: 0, utilization });
    works(0.6);
    pass(10_000, 1);
    expect(lanes.grow(0)).toBe(400);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    works(0.8);
    pass(400, 1);
    expect(lanes.grow(0)).toBe(0);
    expect(lanes.active).toEqual({ first: 1, end: 2 });
    works(0);
    pass(400, 1);
    expect(lanes.grow(0)).toBe(0);
    expect(lanes.active).toEqual({ first: 1, end: 4 });
  });

  it('are a thread in its place once it is busy, where there is but one', () => {
    const busy = vi.spyOn(performance, 'eventLoopUtilization');
    const works = (utilization: number) => busy.mockReturnValue({ idle: 0, active: 0, utilization });
    const lanes = new LanePolicy({ lanes: 2, all: false, firstNeverBlocks: true });
    works(0.9);
    pass(400, 0);
    expect(lanes.grow(0)).toBeGreaterThan(0);
    works(0.1);
    pass(3000, 1);
    expect(lanes.grow(0)).toBeGreaterThan(0);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    works(0.9);
    pass(400, 0);
    expect(lanes.grow(0)).toBe(0);
    expect(lanes.active).toEqual({ first: 1, end: 2 });
    expect(lanes.grow(1e11)).toBeUndefined();
  });

  it('are threads where somebody asks for them, and where much is to be sent, whatever the main thread waits for', () => {
    vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 0, active: 0, utilization: 0 });
    const asked = new LanePolicy({ lanes: 2, all: true, firstNeverBlocks: true });
    const large = new LanePolicy({ lanes: 2, all: false, firstNeverBlocks: true });
    pass(3100, 1);
    expect(asked.active).toEqual({ first: 1, end: 2 });
    expect(large.active).toEqual({ first: 0, end: 1 });
    expect(large.grow(1e11)).toBe(0);
    expect(large.active).toEqual({ first: 1, end: 2 });
  });

  it('are more beside a main thread that waits, where large files are to be sent', () => {
    vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ idle: 0, active: 0, utilization: 0 });
    const lanes = new LanePolicy({ lanes: 5, all: false, firstNeverBlocks: true });
    pass(60, 1);
    expect(lanes.grow(1)).toBe(0);
    expect(lanes.active.end).toBeGreaterThan(1);
  });

  it('are never more than there are threads', () => {
    const lanes = new LanePolicy({ lanes: 5, all: true });
    expect(lanes.active).toEqual({ first: 0, end: 4 });
    vi.advanceTimersByTime(3100);
    expect(lanes.active).toEqual({ first: 1, end: 5 });
    expect(lanes.grow(1)).toBeUndefined();
  });

  it('are all of them at once when much is to be sent', () => {
    const lanes = new LanePolicy({ lanes: 3, all: false });
    expect(lanes.grow(1e6)).toBeGreaterThan(0);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    expect(lanes.grow(1e11)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 2 });
  });

  it('is the one there is', () => {
    const lanes = new LanePolicy({ lanes: 1, all: false });
    vi.advanceTimersByTime(60_000);
    expect(lanes.active).toEqual({ first: 0, end: 1 });
    expect(lanes.grow(1e11)).toBeUndefined();
  });

  it('grow while processors idle: of small files after a while, by half of those', () => {
    const lanes = new LanePolicy({ lanes: 9, all: false });
    expect(lanes.grow(0)).toBe(400);
    pass(399, 1);
    expect(lanes.grow(0)).toBe(1);
    pass(1, 1);
    expect(lanes.grow(0)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 3 });
    // The next look is at the time since the last one.
    pass(400, 0.25);
    expect(lanes.grow(0)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 4 });
    pass(400, 0.1);
    expect(lanes.grow(0)).toBe(400);
    expect(lanes.active).toEqual({ first: 0, end: 4 });
  });

  it('grow sooner for large files, by all that idle, and never beyond what there is', () => {
    const lanes = new LanePolicy({ lanes: 6, all: false });
    expect(lanes.grow(1)).toBe(60);
    pass(60, 0.8);
    expect(lanes.grow(1)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 4 });
    pass(60, 0.14);
    expect(lanes.grow(1)).toBe(60);
    pass(60, 1);
    expect(lanes.grow(1)).toBe(0);
    expect(lanes.active).toEqual({ first: 0, end: 5 });
    expect(lanes.grow(1)).toBeUndefined();
  });
});

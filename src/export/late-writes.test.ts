import { describe, expect, it } from 'vitest';
import type { Clock } from '../time/clock.js';
import { LateWrites } from './late-writes.js';

function lateWrites(ofBeforeMs: number) {
  const time = { ms: 1000 };
  const timers: { readonly ms: number; readonly call: () => void; cancelled: boolean }[] = [];
  const clock = {
    monotonic: () => time.ms,
    after(ms: number, call: () => void) {
      const timer = { ms, call, cancelled: false };
      timers.push(timer);
      return {
        cancel() {
          timer.cancelled = true;
        },
      };
    },
  } as unknown as Clock;
  const lost = { untilMs: 0 };
  const told: string[] = [];
  let woken = 0;
  const late = new LateWrites({
    clock,
    ofBeforeMs,
    lostUntilMs: () => lost.untilMs,
    wake: () => woken++,
    report: (text) => told.push(text),
  });
  return { late, time, timers, lost, told, woken: () => woken };
}

describe('what workers that were given up may still write', () => {
  it('is nothing where none was', () => {
    const { late, timers, told } = lateWrites(0);
    expect(late.mustWait()).toBe(false);
    expect(late.isOfBefore).toBe(false);
    expect(timers).toEqual([]);
    expect(told).toEqual([]);
  });

  it('is waited for, said once, and the engine is woken then', () => {
    const { late, time, timers, lost, told, woken } = lateWrites(0);
    lost.untilMs = 4500;
    expect(late.untilMs).toBe(4500);
    expect(late.mustWait()).toBe(true);
    expect(late.mustWait()).toBe(true);
    expect(told).toEqual(['Waiting for 4 s: until then a worker that has gone may still write something.']);
    expect(timers.map(({ ms, cancelled }) => [ms, cancelled])).toEqual([
      [3500, true],
      [3500, false],
    ]);
    time.ms = 4500;
    timers[1].call();
    expect(woken()).toBe(1);
    expect(late.mustWait()).toBe(false);
    expect(late.hasPassed(4500)).toBe(true);
  });

  it('is that of sessions before, too', () => {
    const { late, time, timers } = lateWrites(3000);
    expect(late.isOfBefore).toBe(true);
    expect(late.mustWait()).toBe(true);
    late.close();
    expect(timers[0].cancelled).toBe(true);
    time.ms = 3000;
    expect(late.isOfBefore).toBe(false);
    expect(late.mustWait()).toBe(false);
  });
});

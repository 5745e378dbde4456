import { describe, expect, it } from 'vitest';
import type { Clock } from '../time/clock.js';
import { TakePace } from './take-pace.js';

const LANE_UNITS = 1000;

function paceAt() {
  const time = { ms: 0 };
  const clock = { monotonic: () => time.ms, now: () => time.ms } as Clock;
  return { time, pace: new TakePace(clock, LANE_UNITS) };
}

describe('the pace of a worker', () => {
  it('begins with as much as one lane has, of whatever size that is', () => {
    const { pace } = paceAt();
    expect(pace.tickets([0, 0], 0)).toBe(2);
    expect(pace.tickets([0, 0], 1)).toBe(1);
    expect(pace.tickets([1000], 0)).toBe(0);
    for (let at = 0; at < 16; at++) pace.took(10);
    expect(pace.tickets([0, 0], 0)).toBe(100);
    expect(pace.tickets([300, 200], 20)).toBe(30);
  });

  it('is what is done in five seconds', () => {
    const { time, pace } = paceAt();
    pace.took(250);
    time.ms = 1000;
    pace.did(500);
    pace.did(500);
    const lanes = [0, 0, 0, 0, 0, 0];
    expect(pace.tickets(lanes, 0)).toBe(20);
    time.ms = 4000;
    pace.did(3000);
    expect(pace.tickets([750, 750, 750, 750, 750, 0], 0)).toBe(5);
  });

  it('forgets what is long ago, and never falls below what one lane has', () => {
    const { time, pace } = paceAt();
    pace.took(100);
    pace.did(1_000_000);
    time.ms = 20_000;
    expect(pace.tickets([0, 0], 0)).toBe(10);
  });

  it('fills lanes when one of them is half empty, or has no other ticket waiting', () => {
    const { time, pace } = paceAt();
    const fast = () => {
      time.ms += 1000;
      pace.did(100_000);
    };
    for (let at = 0; at < 16; at++) pace.took(100);
    fast();
    expect(pace.tickets([500, 900], 0)).toBe(0);
    expect(pace.tickets([400, 900], 0)).toBe(7);
    for (let at = 0; at < 16; at++) pace.took(700);
    fast();
    expect(pace.tickets([1400, 1400], 0)).toBe(0);
    expect(pace.tickets([700, 1400], 0)).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';
import { Lease } from './lease.js';

describe('a lease', () => {
  it('holds for all who share its memory, until it ends on either clock', () => {
    const lease = new Lease(2);
    const shared = new Lease(lease.memory);
    expect(shared.leftMs({ monotonicMs: 0, nowMs: 0 })).toBeLessThanOrEqual(0);
    lease.extend({ monotonicMs: 1000, nowMs: 50_000 }, 300);
    expect(shared.leftMs({ monotonicMs: 1100, nowMs: 50_100 })).toBe(200);
    // A machine that was suspended: one of its clocks has stood still.
    expect(shared.leftMs({ monotonicMs: 1100, nowMs: 60_000 })).toBeLessThanOrEqual(0);
    expect(shared.leftMs({ monotonicMs: 1300, nowMs: 50_000 })).toBeLessThanOrEqual(0);
    lease.end();
    expect(shared.leftMs({ monotonicMs: 1100, nowMs: 50_100 })).toBeLessThanOrEqual(0);
  });

  it('has ended for good once somebody was refused: what was left out must not pass for done', () => {
    const lease = new Lease(1);
    const shared = new Lease(lease.memory);
    lease.extend({ monotonicMs: 1000, nowMs: 1000 }, 300);
    expect(shared.holds({ monotonicMs: 1200, nowMs: 1200 })).toBe(true);
    expect(shared.holds({ monotonicMs: 1300, nowMs: 1300 })).toBe(false);
    lease.extend({ monotonicMs: 1250, nowMs: 1250 }, 300);
    expect(shared.holds({ monotonicMs: 1301, nowMs: 1301 })).toBe(false);
    expect(lease.leftMs({ monotonicMs: 1301, nowMs: 1301 })).toBe(0);
  });

  it('knows how long a lane that has begun is silent', () => {
    const lease = new Lease(2);
    expect(lease.silentMs(5000)).toBe(0);
    new Lease(lease.memory).showAlive(1, 4000);
    expect(lease.silentMs(5000)).toBe(1000);
    lease.end();
    expect(lease.silentMs(5000)).toBe(0);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { settledLook, unsettledMs } from './settled.js';
import type { SourceAttributes } from './source-tree.js';

const ctime = (ms: number, nanoseconds = (ms % 1000) * 1e6 + 1) => ({
  ctimeSeconds: Math.floor(ms / 1000),
  ctimeNanoseconds: nanoseconds,
});
const seen = (ms: number, nanoseconds?: number) => ctime(ms, nanoseconds) as SourceAttributes;
/** Steps of clocks, in milliseconds, and whether they are those of another machine. */
const CLOCKS = [
  { stepMs: 1, remote: false },
  { stepMs: 10, remote: false },
  { stepMs: 1000, remote: false },
  { stepMs: 2000, remote: false },
  { stepMs: 10, remote: true },
  { stepMs: 1000, remote: true },
];

describe('unsettledMs', () => {
  it('is 0 only when each later change has another time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CLOCKS),
        fc.nat(10_000_000),
        fc.nat(6000),
        fc.nat(6000),
        fc.integer({ min: -400, max: 400 }),
        ({ stepMs, remote }, changedMs, laterMs, changeMs, skewMs) => {
          const stampOf = (ms: number) => Math.floor(ms / stepMs) * stepMs;
          const stamp = stampOf(changedMs);
          const lookedMs = changedMs + laterMs;
          const look = ctime(stamp, stepMs >= 1000 ? 0 : (stamp % 1000) * 1e6 + 1);
          if (unsettledMs(look, lookedMs + (remote ? skewMs : 0), remote) > 0) return;
          expect(stampOf(lookedMs + changeMs)).toBeGreaterThan(stamp);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('is how long until it is 0', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), fc.boolean(), fc.nat(5000), (nanoseconds, remote, ageMs) => {
        const look = ctime(1_000_000, nanoseconds);
        const ms = unsettledMs(look, 1_000_000 + ageMs, remote);
        expect(unsettledMs(look, 1_000_000 + ageMs + ms, remote)).toBe(0);
        if (ms > 1) expect(unsettledMs(look, 1_000_000 + ageMs + ms - 1, remote)).toBeGreaterThan(0);
      }),
    );
  });

  it('waits for nothing that changed long ago, or is to come', () => {
    for (const nowMs of [5_000_000, 500_000]) expect(unsettledMs(ctime(1_000_000, 0), nowMs, true)).toBe(0);
  });
});

describe('settledLook', () => {
  it('looks again after the pause that it takes', async () => {
    let now = 1_000_005;
    const slept: number[] = [];
    const sleep = async (ms: number) => {
      slept.push(ms);
      now += ms;
    };
    const looks = [seen(1_000_000), seen(1_000_010), seen(1_000_010)];
    const found = await settledLook(() => looks.shift() as SourceAttributes, {
      isRemote: false,
      now: () => now,
      sleep,
    });
    expect(found).toEqual({ seen: seen(1_000_010), isSettled: true });
    expect(slept).toEqual([16, 10]);
  });

  it('gives up what changes all the time', async () => {
    for (const nanoseconds of [0, undefined]) {
      let now = 1_000_000;
      const look = () => seen(now, nanoseconds);
      const sleep = async (ms: number) => {
        now += ms;
      };
      expect(await settledLook(look, { isRemote: true, now: () => now, sleep })).toMatchObject({ isSettled: false });
      expect(now - 1_000_000).toBeLessThan(10_000);
    }
  });
});

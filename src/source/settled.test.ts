import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLongPast, settledLook } from './settled.js';
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

/** A file on a file system whose clock moves in steps and differs from ours, changed now and then. */
class Changing {
  nowMs = 1_000_000_000;
  readonly #stepMs: number;
  readonly #skewMs: number;
  /** Times of our clock at which it changes. */
  readonly #changesMs: readonly number[];

  constructor(stepMs: number, skewMs: number, pausesMs: readonly number[]) {
    this.#stepMs = stepMs;
    this.#skewMs = skewMs;
    let at = this.nowMs - 3000;
    this.#changesMs = pausesMs.map((ms) => (at += ms));
  }

  /** How often it has changed until now. */
  get changes(): number {
    return this.#changesMs.filter((ms) => ms <= this.nowMs).length;
  }

  look(): SourceAttributes {
    const changedMs = this.#changesMs.filter((ms) => ms <= this.nowMs).at(-1) ?? this.nowMs - 100_000;
    const stamp = Math.floor((changedMs + this.#skewMs) / this.#stepMs) * this.#stepMs;
    return seen(stamp, this.#stepMs >= 1000 ? 0 : undefined);
  }
}

const parts = (file: Changing, isRemote: boolean) => ({
  isRemote,
  now: () => file.nowMs,
  sleep: async (ms: number) => {
    file.nowMs += ms;
  },
});

describe('isLongPast', () => {
  it('is so only when each later change has another time', () => {
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
          if (!isLongPast(look, lookedMs + (remote ? skewMs : 0), remote)) return;
          expect(stampOf(lookedMs + changeMs)).toBeGreaterThan(stamp);
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('is so of what changed long ago, or is to come by hours', () => {
    for (const nowMs of [5_000_000, 1_000_000 - 3_700_000])
      expect(isLongPast(ctime(1_000_000, 0), nowMs, true)).toBe(true);
    expect(isLongPast(ctime(1_000_000, 0), 1_000_000 - 3_500_000, true)).toBe(false);
  });
});

describe('settledLook', () => {
  it('tells each later change by its time, though a clock is ahead by minutes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CLOCKS),
        fc.integer({ min: -400, max: 600_000 }),
        fc.array(fc.oneof(fc.nat(15), fc.nat(3000)), { maxLength: 12 }),
        fc.nat(3000),
        async ({ stepMs, remote }, skewMs, pausesMs, laterMs) => {
          const file = new Changing(stepMs, remote ? skewMs : 0, pausesMs);
          const found = await settledLook(() => file.look(), parts(file, remote));
          if (!found.isSettled) return;
          expect(found.seen).toEqual(file.look());
          const changes = file.changes;
          file.nowMs += laterMs;
          if (file.changes > changes) expect(file.look()).not.toEqual(found.seen);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('waits for one step of the clock where the file stands still', async () => {
    for (const [stepMs, waitMs] of [
      [10, 50],
      [1000, 2000],
    ]) {
      const file = new Changing(stepMs, 300, [3000]);
      expect(await settledLook(() => file.look(), parts(file, true))).toEqual({ seen: file.look(), isSettled: true });
      expect(file.nowMs).toBe(1_000_000_000 + waitMs);
    }
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

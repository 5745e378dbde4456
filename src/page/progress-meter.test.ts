import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProgressMeter, type ProgressSample } from './progress-meter.js';

/** What has to be done: entries of these sizes, one after another. */
interface Work {
  readonly sizes: readonly number[];
  /** Milliseconds for an entry of that size. */
  readonly cost: (size: number) => number;
}

/** Goes through some work as it is looked at once a second. @returns estimate against truth, in seconds, at each look */
function foretold({ sizes, cost }: Work): { share: number; left: number; truth: number }[] {
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0);
  const allMs = sizes.reduce((sum, size) => sum + cost(size), 0);
  const meter = new ProgressMeter();
  const looks: { share: number; left: number; truth: number }[] = [];
  let [ms, bytes, nextLook] = [0, 0, 0];
  sizes.forEach((size, done) => {
    for (; nextLook <= ms; nextLook += 1000) {
      const sample: ProgressSample = { ms: nextLook, done, total: sizes.length, bytes, bytesTotal };
      const { secondsLeft } = meter.take(sample);
      if (secondsLeft !== undefined)
        looks.push({ share: ms / allMs, left: secondsLeft, truth: (allMs - nextLook) / 1000 });
    }
    ms += cost(size);
    bytes += size;
  });
  return looks;
}

function expectRight(work: Work, within = 0.2): void {
  const looks = foretold(work).filter(({ share, truth }) => share >= 0.1 && truth >= 2);
  expect(looks.length).toBeGreaterThan(20);
  for (const { left, truth, share } of looks)
    expect(Math.abs(left - truth) / truth, `at ${share}: ${left} s, in truth ${truth} s`).toBeLessThan(within);
}

/** Sizes that look random, the same in each run. */
function sizesOf(count: number, size: (random: number) => number): number[] {
  let seed = 1;
  return Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor(size(seed / 0x7fffffff));
  });
}

describe('the time that is left', () => {
  const skewed = (random: number) => 4096 * (1 / (random + 0.001));

  it('at a constant rate of requests, whatever the sizes', () => {
    expectRight({ sizes: sizesOf(200_000, skewed), cost: () => 1 });
    expectRight({ sizes: sizesOf(200_000, () => 4096), cost: () => 0.7 });
  });

  it('at a constant rate of bytes', () => {
    expectRight({ sizes: sizesOf(100_000, (random) => random * 2e6), cost: (size) => size / 500_000 });
  });

  it('where requests limit, and the mix of sizes changes in the middle', () => {
    const small = sizesOf(60_000, (random) => 2000 + random * 60_000);
    const large = sizesOf(60_000, (random) => 100_000 + random * 400_000);
    // The mean rate of bytes, or of both together, would be wrong several times over.
    expectRight({ sizes: [...small, ...large], cost: () => 1.5 }, 0.4);
  });

  it('is not said before there is something to go by, nor while the service is away', () => {
    const meter = new ProgressMeter();
    const at = (seconds: number, done: number, waiting = false) =>
      meter.take({ ms: seconds * 1000, done, total: 1000, waiting }).secondsLeft;
    expect(at(0, 0)).toBeUndefined();
    expect(at(5, 50)).toBeUndefined();
    expect(at(11, 110)).toBeCloseTo(89, 0);
    expect(at(12, 110, true)).toBeUndefined();
    at(500, 110, true);
    // The outage is not counted as slowness.
    at(501, 110);
    expect(at(502, 120)).toBeCloseTo(88, 0);
  });

  it('is that of the work, however long was waited before it began', () => {
    const meter = new ProgressMeter();
    for (let second = 0; second < 240; second++)
      expect(meter.take({ ms: second * 1000, done: 400, total: 1000 })).toMatchObject({ entriesPerSecond: 0 });
    let left: number | undefined;
    for (let second = 1; second <= 15; second++)
      ({ secondsLeft: left } = meter.take({ ms: (239 + second) * 1000, done: 400 + 10 * second, total: 1000 }));
    expect(left).toBeCloseTo(45, 0);
  });

  it('has what comes after the last entry in it', () => {
    const meter = new ProgressMeter();
    for (let second = 0; second < 20; second++) meter.take({ ms: second * 1000, done: 5 * second, total: 200 });
    expect(meter.take({ ms: 20_000, done: 100, total: 200, listingMs: 7000 }).secondsLeft).toBeCloseTo(27, 0);
  });

  it('is not said when all is done: what comes then is no entry', () => {
    const meter = new ProgressMeter();
    for (let second = 0; second < 20; second++) meter.take({ ms: second * 1000, done: 5 * second, total: 100 });
    expect(meter.take({ ms: 20_000, done: 99, total: 100 }).secondsLeft).toBeGreaterThan(0);
    expect(meter.take({ ms: 21_000, done: 100, total: 100 }).secondsLeft).toBeUndefined();
  });

  it('never fails, whatever is counted', () => {
    const sample = fc.record({ step: fc.nat(100_000), done: fc.nat(), bytes: fc.maxSafeNat(), waiting: fc.boolean() });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 30 }), (samples) => {
        const meter = new ProgressMeter();
        let ms = 0;
        for (const { step, ...rest } of samples) {
          ms += step;
          const rates = meter.take({ ...rest, ms, total: 2 ** 31, bytesTotal: Number.MAX_SAFE_INTEGER });
          for (const value of [rates.entriesPerSecond, rates.bytesPerSecond, rates.secondsLeft ?? 0]) {
            expect(Number.isFinite(value)).toBe(true);
            expect(value).toBeGreaterThanOrEqual(0);
          }
        }
      }),
    );
  });
});

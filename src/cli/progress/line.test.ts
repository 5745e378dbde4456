import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProgressRates } from '../../index.js';
import { counted } from '../../text/counted.js';
import type { ProgressFigures } from './figures.js';
import { progressLine } from './line.js';
import { durationText, shortBytes, shortCount, shortDuration } from './quantities.js';

const figures: ProgressFigures = {
  label: 'Transfer',
  unit: 'entries',
  done: 12_345,
  total: 200_000,
  bytes: 1.2 * 2 ** 30,
  bytesTotal: 3.4 * 2 ** 30,
  permille: 423,
};
const rates: ProgressRates = { entriesPerSecond: 340, bytesPerSecond: 12 * 2 ** 20, secondsLeft: 12_000 };
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

describe('a line of progress', () => {
  it('at some widths', () => {
    expect(progressLine(figures, rates, 200)).toBe(
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left',
    );
    expect(progressLine(figures, rates, 80)).toBe(
      'Transfer  42.3 %  12k/200k entries  1.2G/3.4G  340/s  12M/s  3h20m left',
    );
    expect(progressLine(figures, rates, 40)).toBe('42% 12k/200k 1.2/3.4G 340/s 12M/s 3h20m');
    const bad = { ...figures, failed: 2, retries: 1 };
    expect(progressLine(bad, rates, 40)).toBe('42% 12k/200k 1.2/3.4G 340/s 3h20m 2fail');
    expect(progressLine(bad, rates)).toBe(
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left  2 failed  1 retry',
    );
    expect(progressLine({ ...bad, waitingSeconds: 75 }, { ...rates, secondsLeft: undefined }, 85)).toBe(
      'Transfer  42.3 %  12k/200k entries  1.2G/3.4G  no answer 75s  2 failed  1 retry',
    );
    const listing = { label: 'Listing', unit: 'blobs', done: 31_000 };
    const some = { entriesPerSecond: 5000, bytesPerSecond: 0, secondsLeft: undefined };
    expect(progressLine(listing, some, 80)).toBe('Listing  31000 blobs  5.0k/s');
    expect(progressLine(listing, some, 20)).toBe('31k 5.0k/s');
  });

  it('is coloured only where that is wanted, and colours take no room', () => {
    const bad = { ...figures, failed: 2, retries: 5 };
    for (const columns of [40, 80, 200]) {
      const plain = progressLine(bad, rates, columns);
      const coloured = progressLine(bad, rates, columns, true);
      expect(coloured).not.toBe(plain);
      expect(coloured.replace(ESCAPES, '')).toBe(plain);
    }
  });

  const anyFigures = fc.record({
    label: fc.constantFrom('Init', 'Transfer', 'Reconcile', 'Finalize', 'Listing'),
    unit: fc.constantFrom('entries', 'blobs', 'inodes'),
    done: fc.nat(2 ** 40),
    total: fc.option(fc.nat(2 ** 40), { nil: undefined }),
    bytes: fc.option(fc.maxSafeNat(), { nil: undefined }),
    bytesTotal: fc.option(fc.maxSafeNat(), { nil: undefined }),
    permille: fc.option(fc.nat(999), { nil: undefined }),
    failed: fc.nat(2 ** 31),
    retries: fc.nat(2 ** 31),
    waitingSeconds: fc.option(fc.nat(1_000_000), { nil: undefined }),
  });
  const anyRates = fc.record({
    entriesPerSecond: fc.double({ min: 0, max: 1e7, noNaN: true }),
    bytesPerSecond: fc.double({ min: 0, max: 1e11, noNaN: true }),
    secondsLeft: fc.option(fc.double({ min: 0, max: 1e8, noNaN: true }), { nil: undefined }),
  });

  it('fits every terminal from 40 columns on, and says there what matters', () => {
    fc.assert(
      fc.property(anyFigures, anyRates, fc.integer({ min: 40, max: 200 }), (some, speed, columns) => {
        const line = progressLine(some, speed, columns);
        expect(line.length).toBeLessThan(columns);
        expect(line).not.toMatch(/[\r\n]|NaN|Infinity|undefined/);
        expect(line.startsWith(' ') || line.endsWith(' ')).toBe(false);
        if (some.permille === undefined) expect(line).not.toContain('%');
        else expect(line).toMatch(new RegExp(`(^|\\s)${Math.floor(some.permille / 10)}(\\.\\d )?%`));
        if (some.total !== undefined) expect(line).toMatch(/\d\w?\/\d| of \d/);
        const wider = progressLine(some, speed, columns + 40);
        expect(wider.length).toBeGreaterThanOrEqual(line.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('quantities', () => {
  it('are short', () => {
    expect([0, 1023, 1024, 10_188, 10_239, 2 ** 20 - 1, 2 ** 40].map(shortBytes)).toEqual([
      '0',
      '1023',
      '1.0K',
      '9.9K',
      '10K',
      '1.0M',
      '1.0T',
    ]);
    expect([0, 999, 1000, 9949, 9950, 999_499, 999_500].map(shortCount)).toEqual([
      '0',
      '999',
      '1.0k',
      '9.9k',
      '10k',
      '999k',
      '1.0M',
    ]);
    expect([0, 89, 90, 5400, 172_800, 190_000].map(durationText)).toEqual([
      '0 s',
      '89 s',
      '1 min 30 s',
      '1 h 30 min',
      '2 d 0 h',
      '2 d 4 h',
    ]);
    expect([45, 127, 720, 12_000, 190_000].map(shortDuration)).toEqual(['45s', '2m10s', '12m', '3h20m', '2d4h']);
    expect([counted(1, 'entries'), counted(0, 'entries'), counted(1, 'blobs'), counted(1, 'directories')]).toEqual([
      '1 entry',
      '0 entries',
      '1 blob',
      '1 directory',
    ]);
  });

  it('are short, whatever they are', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (amount) => {
        expect(shortBytes(amount)).toMatch(/^(\d{1,4}|\d{1,4}[KMGTP]|\d\.\d[KMGTP])$/);
        expect(shortBytes(amount).length).toBeLessThanOrEqual(5);
        expect(shortCount(amount % 1e15)).toMatch(/^(\d{1,3}|\d{1,3}[kMGT]|\d\.\d[kMGT]|1000T)$/);
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProgressRates } from '../../index.js';
import { counted } from '../../text/counted.js';
import type { ProgressFigures } from './figures.js';
import { ProgressLine } from './line.js';
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

const progressLine = (
  some: ProgressFigures,
  speed: ProgressRates,
  columns = Number.POSITIVE_INFINITY,
  colour = false,
) => new ProgressLine().write(some, speed, columns, colour).text;

describe('a line of progress', () => {
  const WIDTHS = [40, 60, 80, 100, 120, 200];
  const recorded = (some: ProgressFigures, speed: ProgressRates) =>
    WIDTHS.map((columns) => progressLine(some, speed, columns));

  it('at some widths', () => {
    expect(recorded(figures, rates)).toEqual([
      '42% 12k/200k 1.2/3.4G 340/s 12M/s 3h20m',
      'Transfer 42% 12k/200k 1.2/3.4G 340/s 12M/s 3h20m left',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G/3.4G  340/s  12M/s  3h20m left',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left',
    ]);
    const few = { ...figures, failed: 2, retries: 1 };
    expect(recorded(few, rates)).toEqual([
      '42% 12k/200k 1.2/3.4G 340/s 3h20m 2fail',
      'Transfer 42% 12k/200k 1.2/3.4G 340/s 12M/s 3h20m 2fail 1re',
      'Transfer 42.3% 12k/200k entries 1.2/3.4G 340/s 12M/s 3h20m left 2 failed 1re',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G/3.4G  340/s  12M/s  3h20m left  2 failed  1 retry',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left  2 failed  1 retry',
      'Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s  3 h 20 min left  2 failed  1 retry',
    ]);
    const much = {
      ...figures,
      done: 1_234_567,
      total: 9_876_543,
      bytes: 1.1 * 2 ** 40,
      bytesTotal: 31 * 2 ** 40,
      failed: 12,
      retries: 345,
      workers: 3,
    };
    const fast = { entriesPerSecond: 3400, bytesPerSecond: 114 * 2 ** 20, secondsLeft: 55 * 3600 };
    expect(recorded(much, fast)).toEqual([
      '42% 1.2M/9.9M 1.1/31T 2d7h 12fail',
      '42% 1.2M/9.9M 1.1/31T 3.4k/s 114M/s 2d7h 3w 12fail 345re',
      'Transfer 42% 1.2M/9.9M entries 1.1/31T 3.4k/s 114M/s 2d7h left 3w 12fail 345re',
      'Transfer 42.3 % 1.2M/9.9M entries 1.1T/31T 3.4k/s 114M/s 2d7h left 3 workers 12 failed 345 retries',
      'Transfer  42.3 %  1234567 of 9876543 entries  1.1T/31T  3.4k/s  114M/s  2 d 7 h left  3 workers  12 failed  345 retries',
      'Transfer  42.3 %  1234567 of 9876543 entries  1.1T of 31T  3.4k/s  114M/s  2 d 7 h left  3 workers  12 failed  345 retries',
    ]);
    expect(recorded({ ...much, waitingSeconds: 75 }, { ...fast, secondsLeft: undefined })).toEqual([
      '42% 1.2M/9.9M 1.1/31T wait 75s 12fail',
      'Transfer 42% 1.2M/9.9M 1.1/31T wait 75s 3w 12fail 345re',
      'Transfer 42.3% 1.2M/9.9M entries 1.1/31T no answer 75s 3w 12 failed 345re',
      'Transfer  42.3 %  1.2M/9.9M entries  1.1T/31T  no answer 75s  3 workers  12 failed  345 retries',
      'Transfer  42.3 %  1234567 of 9876543 entries  1.1T of 31T  no answer for 75 s  3 workers  12 failed  345 retries',
      'Transfer  42.3 %  1234567 of 9876543 entries  1.1T of 31T  no answer for 75 s  3 workers  12 failed  345 retries',
    ]);
    const listing = { label: 'Listing', unit: 'blobs', done: 31_000 };
    const some = { entriesPerSecond: 5000, bytesPerSecond: 0, secondsLeft: undefined };
    expect(progressLine(listing, some, 80)).toBe('Listing  31000 blobs  5.0k/s');
    expect(progressLine(listing, some, 20)).toBe('Listing 31k 5.0k/s');
  });

  it('leaves out what matters least where not even its shortest form fits', () => {
    const bad = { ...figures, failed: 2, retries: 1 };
    expect(progressLine(bad, rates, 40)).toBe('42% 12k/200k 1.2/3.4G 340/s 3h20m 2fail');
    expect(progressLine(bad, rates, 4)).toBe('42%');
    expect(progressLine(bad, rates, 3)).toBe('42');
  });

  it('keeps the form that the widest of its parts have asked for', () => {
    const line = new ProgressLine();
    const write = (some: Partial<ProgressFigures>, secondsLeft: number | undefined) =>
      line.write({ ...figures, ...some }, { ...rates, secondsLeft }, 72, false).text;
    expect(write({}, undefined)).toBe('Transfer  42.3 %  12345 of 200000 entries  1.2G of 3.4G  340/s  12M/s');
    const short = 'Transfer  42.3 %  12k/200k entries  1.2G/3.4G  340/s  12M/s';
    expect(write({}, 12_000)).toBe(`${short}  3h20m left`);
    expect(write({}, undefined)).toBe(short);
    expect(write({}, 60)).toBe(`${short}  60s left`);
    // What stands in place of the rates has no room of its own.
    expect(write({ waitingSeconds: 5 }, 12_000)).toBe(short.replace('340/s  12M/s', 'no answer 5s  3h20m left'));
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
    workers: fc.option(fc.nat(5000), { nil: undefined }),
    waitingSeconds: fc.option(fc.nat(1_000_000), { nil: undefined }),
  });
  const anyRates = fc.record({
    entriesPerSecond: fc.double({ min: 0, max: 1e7, noNaN: true }),
    bytesPerSecond: fc.double({ min: 0, max: 1e11, noNaN: true }),
    secondsLeft: fc.option(fc.double({ min: 0, max: 1e8, noNaN: true }), { nil: undefined }),
  });

  const parts = (some: ProgressFigures, { entriesPerSecond, bytesPerSecond, secondsLeft }: ProgressRates) => {
    const bytesOf = (bytes: number) => shortBytes(bytes).replace(/(\d)$/, '$1B');
    const { done, total, bytes, bytesTotal, permille, waitingSeconds, failed = 0, retries = 0, workers } = some;
    const waits = (seconds: number) => [
      `no answer for ${durationText(seconds)}`,
      `no answer ${shortDuration(seconds)}`,
      `wait ${shortDuration(seconds)}`,
    ];
    const paced = waitingSeconds === undefined;
    return [
      permille === undefined ? [] : [`${Math.floor(permille / 10)}%`, (permille / 10).toFixed(1)],
      [String(done), shortCount(done)],
      total === undefined ? [] : [` of ${total}`, `/${shortCount(total)}`],
      bytes === undefined ? [] : [bytesOf(bytes), bytesOf(bytes).slice(0, -1)],
      bytes === undefined || bytesTotal === undefined ? [] : [` of ${bytesOf(bytesTotal)}`, `/${bytesOf(bytesTotal)}`],
      paced ? [`${shortCount(entriesPerSecond)}/s`] : waits(waitingSeconds),
      paced && bytes !== undefined ? [`${bytesOf(bytesPerSecond)}/s`] : [],
      secondsLeft === undefined ? [] : [durationText(secondsLeft), shortDuration(secondsLeft)],
      workers === undefined ? [] : [counted(workers, 'workers'), `${shortCount(workers)}w`],
      failed === 0 ? [] : [`${failed} failed`, `${shortCount(failed)} failed`, `${shortCount(failed)}fail`],
      retries === 0 ? [] : [counted(retries, 'retries'), `${shortCount(retries)} re`, `${shortCount(retries)}re`],
    ].filter((ways) => ways.length > 0);
  };

  it('fits every terminal from 40 columns on, in the longest of its forms that does', () => {
    fc.assert(
      fc.property(anyFigures, anyRates, fc.integer({ min: 40, max: 200 }), (some, speed, columns) => {
        const line = progressLine(some, speed, columns);
        expect(line.length).toBeLessThan(columns);
        expect(line).not.toMatch(/[\r\n]|NaN|Infinity|undefined/);
        expect(line.startsWith(' ') || line.endsWith(' ')).toBe(false);
        if (some.permille === undefined) expect(line).not.toContain('%');
        else expect(line).toMatch(new RegExp(`(^|\\s)${Math.floor(some.permille / 10)}(\\.\\d ?)?%`));
        if (some.total !== undefined) expect(line).toMatch(/\d\w?\/\d| of \d/);
        for (let wider = columns + 1; wider <= 200; wider += 7) {
          const longer = progressLine(some, speed, wider);
          expect(longer.length).toBeGreaterThanOrEqual(line.length);
          if (longer.length < columns) expect(longer).toBe(line);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('has every part wherever that is possible, also after other figures', () => {
    let whole = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyFigures, anyRates), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 40, max: 200 }),
        (updates, columns) => {
          const line = new ProgressLine();
          for (const [some, speed] of updates) {
            const { text, width } = line.write(some, speed, columns, false);
            expect(width).toBe(text.length);
            expect(width).toBeLessThan(columns);
            const ways = parts(some, speed);
            const least = ways.reduce((sum, each) => sum + Math.min(...each.map((way) => way.length)) + 1, 0);
            // The unit of a size is not counted where both sizes may share it.
            if (least >= columns) continue;
            whole++;
            for (const each of ways)
              expect(
                each.some((way) => text.includes(way)),
                `${text}: ${each[0]}`,
              ).toBe(true);
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(whole).toBeGreaterThan(1000);
  });

  it('has one form for figures that it has had before, however they take turns', () => {
    const form = (text: string) =>
      /^([A-Z][a-z]+ +)?\d+(\.\d)?( ?% {1,2})/
        .exec(text)
        ?.slice(1)
        .map((part) => part?.length);
    const inWords = anyFigures.map((some) => ({ ...some, label: 'Transfer', permille: (some.permille ?? 0) % 100 }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(inWords, anyRates), { minLength: 2, maxLength: 5 }),
        fc.integer({ min: 80, max: 200 }),
        (updates, columns) => {
          const line = new ProgressLine();
          const writeAll = () => updates.map(([some, speed]) => form(line.write(some, speed, columns, false).text));
          writeAll();
          const [first, ...others] = writeAll();
          expect(first).toBeDefined();
          for (const other of others) expect(other?.map((length) => length ?? 0)).toEqual(first?.map((n) => n ?? 0));
        },
      ),
      { numRuns: 1000 },
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

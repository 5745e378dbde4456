import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseMoment } from './parse-moment.js';
import { timeText } from './verbs/entry-text.js';

const NOW = Date.parse('2026-03-15T12:34:56Z');
const at = (text: string) => {
  const ns = parseMoment(text, NOW);
  return ns === undefined ? undefined : Number(BigInt(NOW) - ns / 1_000_000n) / 3_600_000;
};
const ns = (ms: number, more = 0) => BigInt(ms) * 1_000_000n + BigInt(more);

describe('a moment', () => {
  it('as people write it', () => {
    expect(at('now')).toBe(0);
    expect(at('3 days')).toBe(72);
    expect(at('1 day ago')).toBe(24);
    expect(at('2hours')).toBe(2);
    expect(at(' 2 Weeks AGO ')).toBe(336);
    expect(parseMoment('today', NOW)).toBe(ns(Date.UTC(2026, 2, 15)));
    expect(parseMoment('yesterday', NOW)).toBe(ns(Date.UTC(2026, 2, 14)));
    expect(parseMoment(`${'9'.repeat(310)} days`, NOW)).toBeLessThan(0n);
  });

  it('as a date, in UTC unless it says otherwise, whatever the zone of the machine', () => {
    const noon = ns(Date.UTC(2026, 0, 31, 12));
    const zone = process.env.TZ;
    try {
      for (const here of ['America/New_York', 'UTC', 'Asia/Kolkata']) {
        process.env.TZ = here;
        for (const text of ['2026-01-31', '2026-01-31 00:00', '2026-01-31T00:00:00Z'])
          expect(parseMoment(text, NOW), text).toBe(ns(Date.UTC(2026, 0, 31)));
        for (const text of [
          '2026-01-31 12:00',
          '2026-01-31T13:00+01:00',
          '2026-01-31 06:30:00 -0530',
          '2026-01-31t12:00utc',
        ])
          expect(parseMoment(text, NOW), text).toBe(noon);
      }
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
    expect(parseMoment('2026-02', NOW)).toBe(ns(Date.UTC(2026, 1)));
    expect(parseMoment('2024-02-29', NOW)).toBe(ns(Date.UTC(2024, 1, 29)));
    expect(parseMoment('2026-01-31 12:00:00.5', NOW)).toBe(noon + 500_000_000n);
  });

  it('as it is shown, to the nanosecond', () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(999_999_999), (seconds, nanoseconds) => {
        expect(parseMoment(timeText({ seconds, nanoseconds }), NOW)).toBe(ns(seconds * 1000, nanoseconds));
      }),
    );
  });

  it('and what is none', () => {
    for (const text of [
      ...['', 'soon', '3', '-3 days', '12', '31.1.2026', '2026-13-40', 'days', '2026', '2026-00'],
      ...[
        '2026-02-29',
        '2026-02-31',
        '2026-04-31',
        '2026-01-00',
        '2026-01-31 24:00',
        '2026-01-31 12:60',
        '2026-01-31 12',
      ],
      ...[
        '2026-01-31 12:00 -5',
        '2026-01-31 12:00 (x)',
        '2026-01-31 12:00 pm',
        '2026-01-31 12:00 CET',
        '2026-01-31 12:00+24:00',
      ],
      ...['2026-01-31Z', '2026-01-31 12:00:00.1234567890', '2026-01-31  12:00'],
    ])
      expect(parseMoment(text, NOW), text).toBeUndefined();
  });
});

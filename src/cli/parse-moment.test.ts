import { describe, expect, it } from 'vitest';
import { parseMoment } from './parse-moment.js';

const NOW = Date.parse('2026-03-15T12:34:56Z');
const at = (text: string) => {
  const ms = parseMoment(text, NOW);
  return ms === undefined ? undefined : (NOW - ms) / 3_600_000;
};

describe('a moment', () => {
  it('as people write it', () => {
    expect(at('now')).toBe(0);
    expect(at('3 days')).toBe(72);
    expect(at('1 day ago')).toBe(24);
    expect(at('2hours')).toBe(2);
    expect(at(' 2 Weeks AGO ')).toBe(336);
    expect(parseMoment('2026-01-31', NOW)).toBe(Date.UTC(2026, 0, 31));
    expect(parseMoment('2026-01-31T12:00:00+01:00', NOW)).toBe(Date.UTC(2026, 0, 31, 11));
    const midnight = new Date(NOW).setHours(0, 0, 0, 0);
    expect(parseMoment('today', NOW)).toBe(midnight);
    expect(parseMoment('yesterday', NOW)).toBeLessThanOrEqual(midnight - 23 * 3_600_000);
  });

  it('and what is none', () => {
    for (const text of ['', 'soon', '3', '-3 days', '12', '31.1.2026', '2026-13-40', 'days'])
      expect(parseMoment(text, NOW), text).toBeUndefined();
  });
});

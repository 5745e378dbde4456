const MINUTE_MS = 60_000;
const UNITS_MS = {
  second: 1000,
  minute: MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: 1440 * MINUTE_MS,
  week: 10_080 * MINUTE_MS,
} as const;

/**
 * A moment as people write it: `2026-01-31`, `2026-01-31T12:00Z`, `now`, `today`, `yesterday`, `3 days`, `2 hours ago`.
 *
 * @param nowMs milliseconds since 1970; `today` is midnight here, `yesterday` the one before
 * @returns milliseconds since 1970; undefined when it is none of these
 */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const words = text.trim().toLowerCase();
  if (words === 'now') return nowMs;
  if (words === 'today' || words === 'yesterday') {
    const midnight = new Date(nowMs);
    midnight.setHours(0, 0, 0, 0);
    if (words === 'yesterday') midnight.setDate(midnight.getDate() - 1);
    return midnight.getTime();
  }
  const ago = /^(\d+) ?(second|minute|hour|day|week)s?( ago)?$/.exec(words);
  if (ago) return nowMs - Number(ago[1]) * UNITS_MS[ago[2] as keyof typeof UNITS_MS];
  // Other forms are read differently by different programs.
  if (!/^\d{4}-\d\d(-\d\d)?([T ]\d\d:\d\d.*)?$/.test(text.trim())) return undefined;
  const ms = Date.parse(text.trim());
  return Number.isNaN(ms) ? undefined : ms;
}

const SECOND_NS = 1_000_000_000n;
const MS_NS = 1_000_000n;
const MINUTE_MS = 60_000;
const DAY_SECONDS = 86_400n;
const UNITS_SECONDS = new Map([
  ['second', 1n],
  ['minute', 60n],
  ['hour', 3600n],
  ['day', DAY_SECONDS],
  ['week', 7n * DAY_SECONDS],
]);
const AGO = /^(\d+) ?(second|minute|hour|day|week)s?( ago)?$/;
/** As `ls` and `stat` show a time, and as ISO 8601 has it; a part of it too. */
const DATE =
  /^(\d{4})-(\d\d)(?:-(\d\d)(?:[t ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ?(z|utc|[+-]\d\d:?\d\d))?)?)?$/;

/**
 * A moment as people write it: `2026-01-31`, `2026-01-31 12:00:00.123456789`, `2026-01-31T12:00+01:00`, `now`, `today`,
 * `yesterday`, `3 days`, `2 hours ago`. In UTC, as times are shown, unless it names its distance from that.
 *
 * @param nowMs milliseconds since 1970; `today` is the midnight before, `yesterday` the one before that
 * @returns nanoseconds since 1970; undefined when it is none of these
 */
export function parseMoment(text: string, nowMs: number): bigint | undefined {
  const words = text.trim().toLowerCase();
  const nowNs = BigInt(nowMs) * MS_NS;
  if (words === 'now') return nowNs;
  const midnightNs = nowNs - (nowNs % (DAY_SECONDS * SECOND_NS));
  if (words === 'today') return midnightNs;
  if (words === 'yesterday') return midnightNs - DAY_SECONDS * SECOND_NS;
  const ago = AGO.exec(words);
  if (ago) return nowNs - BigInt(ago[1]) * (UNITS_SECONDS.get(ago[2]) ?? 0n) * SECOND_NS;
  const date = DATE.exec(words);
  return date ? dateNs(date) : undefined;
}

function dateNs([
  ,
  years,
  months,
  days = '01',
  hours = '00',
  minutes = '00',
  seconds = '00',
  fraction = '',
  zone = 'z',
]: readonly string[]): bigint | undefined {
  const canonical = `${years}-${months}-${days}T${hours}:${minutes}:${seconds}.000Z`;
  const ms = Date.parse(canonical);
  // Of a day that its month has not, some days of the next one are made.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== canonical) return undefined;
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (offset && (Number(offset[2]) > 23 || Number(offset[3]) > 59)) return undefined;
  const offsetMs = offset ? Number(`${offset[1]}1`) * (Number(offset[2]) * 60 + Number(offset[3])) * MINUTE_MS : 0;
  return BigInt(ms - offsetMs) * MS_NS + BigInt(fraction.padEnd(9, '0'));
}

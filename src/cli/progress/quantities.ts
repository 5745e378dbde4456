const BYTE_UNITS = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
const COUNT_UNITS = ['', 'k', 'M', 'G', 'T'];

/** Bytes for people, in at most four characters below 1024 E: `1.5K`, `23M`. */
export function shortBytes(bytes: number): string {
  return scaled(bytes, 1024, BYTE_UNITS);
}

/** A number for people, in at most four characters below 1000 T: `999`, `1.2k`, `34M`. */
export function shortCount(count: number): string {
  return scaled(count, 1000, COUNT_UNITS);
}

/** A length of time for people, never off by more than a tenth: `45 s`, `2 min 10 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function durationText(seconds: number): string {
  return durationParts(seconds)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

/** The same in few characters: `45s`, `2m10s`, `12m`, `3h20m`, `2d4h`. */
export function shortDuration(seconds: number): string {
  return durationParts(seconds)
    .map(([amount, unit]) => `${amount}${unit[0]}`)
    .join('');
}

function durationParts(seconds: number): readonly (readonly [number, string])[] {
  const minutes = Math.round(seconds / 60);
  if (seconds < 89.5) return [[Math.round(seconds), 's']];
  // Of two minutes half a one would be a quarter.
  const tens = Math.round(seconds / 10);
  if (tens < 60) return [[Math.floor(tens / 6), 'min'], ...(tens % 6 === 0 ? [] : [[10 * (tens % 6), 's'] as const])];
  if (minutes < 90) return [[minutes, 'min']];
  if (minutes < 2880)
    return [
      [Math.floor(minutes / 60), 'h'],
      [minutes % 60, 'min'],
    ];
  return [
    [Math.floor(minutes / 1440), 'd'],
    [Math.floor((minutes % 1440) / 60), 'h'],
  ];
}

function scaled(amount: number, base: number, units: readonly string[]): string {
  let value = amount;
  let unit = 0;
  // What would be rounded up to the next unit is shown in it.
  for (; Math.round(value) >= base && unit < units.length - 1; unit++) value /= base;
  if (unit === 0) return String(Math.round(value));
  const text = value < 9.95 ? value.toFixed(1) : String(Math.round(value));
  return `${text}${units[unit]}`;
}

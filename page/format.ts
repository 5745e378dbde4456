const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A number in full: `12,345`. */
export function count(value: number): string {
  return whole.format(value);
}

/** A number and what is counted: `1 entry`, `12,345 entries`. */
export function counted(value: number, plural: string): string {
  const singular = plural.replace(/ies$/, 'y').replace(/([^s])s$/, '$1');
  return `${count(value)} ${value === 1 ? singular : plural}`;
}

/** A number in few characters: `1.2k`, `34M`. */
export function few(value: number): string {
  return scaled(value, ['', 'k', 'M', 'G', 'T']);
}

/** Bytes in units of a thousand: `1.2 GB`. */
export function bytes(value: number): string {
  const text = scaled(value, [' B', ' kB', ' MB', ' GB', ' TB', ' PB', ' EB']);
  return text;
}

/** A rate of bytes: `12 MB/s`. */
export function byteRate(perSecond: number): string {
  return `${bytes(perSecond)}/s`;
}

/** A rate: `1.2k/s`, `0.4/s`. */
export function rate(perSecond: number): string {
  return `${perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : few(perSecond)}/s`;
}

/** Per cent of thousandths: `42.3 %`. */
export function percent(permille: number): string {
  return permille >= 1000 ? '100 %' : `${(permille / 10).toFixed(1)} %`;
}

/** A length of time: `45 s`, `2 min 10 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 89.5) return `${Math.round(seconds)} s`;
  const tens = Math.round(seconds / 10);
  if (tens < 60) return `${Math.floor(tens / 6)} min${tens % 6 === 0 ? '' : ` ${10 * (tens % 6)} s`}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** A length of time on an axis, exactly: `45 s`, `1:30 min`, `5 min`, `3 h`, `3:30 h`, `2 d`, `2 d 12 h`. */
export function worked(seconds: number): string {
  const two = (part: number) => String(part).padStart(2, '0');
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  if (seconds < 60) return `${seconds} s`;
  if (hours === 0) return seconds % 60 === 0 ? `${minutes} min` : `${minutes}:${two(seconds % 60)} min`;
  if (days === 0) return minutes % 60 === 0 ? `${hours} h` : `${hours}:${two(minutes % 60)} h`;
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** A moment, as the reader's clock shows it: `2026-11-29 14:05:03`. */
export function moment(ms: number): string {
  const date = new Date(ms);
  const two = (part: number) => String(part).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** A class of sizes between two bounds, which are powers of two: `4 – 16 KiB`. */
export function sizeClass(from: number, below: number | undefined): string {
  if (below === 1) return 'empty';
  if (below === undefined) return `${binary(from)} and more`;
  if (from <= 1) return `under ${binary(below)}`;
  const [low, high] = [binary(from), binary(below)];
  const unit = high.slice(high.indexOf(' '));
  return low.endsWith(unit) ? `${low.slice(0, -unit.length)} – ${high}` : `${low} – ${high}`;
}

function binary(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let scaledTo = value;
  for (; scaledTo >= 1024 && unit < units.length - 1; unit++) scaledTo /= 1024;
  return `${scaledTo} ${units[unit]}`;
}

function scaled(value: number, units: readonly string[]): string {
  let unit = 0;
  let scaledTo = value;
  for (; Math.round(scaledTo) >= 1000 && unit < units.length - 1; unit++) scaledTo /= 1000;
  return `${unit > 0 && scaledTo < 9.95 ? scaledTo.toFixed(1) : Math.round(scaledTo)}${units[unit]}`;
}

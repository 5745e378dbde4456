import { counted, type ProgressRates } from '../../index.js';
import type { ProgressFigures } from './figures.js';
import { durationText, shortBytes, shortCount, shortDuration } from './quantities.js';

/** How a part of the line is written where there is much room, some, and little; empty: left out. */
interface Part {
  readonly texts: readonly [wide: string, middle: string, narrow: string];
  /** Where even the narrow texts do not fit, the part with the highest number goes first. */
  readonly goes: number;
  readonly style?: keyof typeof STYLES;
}

const STYLES = { bold: '\x1b[1m', red: '\x1b[31m', yellow: '\x1b[33m', cyan: '\x1b[36m' } as const;
const PLAIN = '\x1b[0m';
const LEVELS = [0, 1, 2] as const;
const SEPARATORS = ['  ', '  ', ' '] as const;

/**
 * A line of progress that fits a terminal: the longest of its forms that is narrower than `columns`.
 *
 * @param columns of the terminal; infinite where there is none. The last one stays empty, since a cursor behind it would
 *   wrap
 * @param colour whether the terminal shows colours: escape sequences take no room
 */
export function progressLine(
  figures: ProgressFigures,
  rates: ProgressRates,
  columns = Number.POSITIVE_INFINITY,
  colour = false,
): string {
  const parts = partsOf(figures, rates);
  const room = Math.max(1, columns - 1);
  for (const level of LEVELS) {
    const line = joined(parts, level, colour);
    if (line.width <= room) return line.text;
  }
  const kept = [...parts].sort((a, b) => a.goes - b.goes);
  for (; kept.length > 1; kept.pop()) {
    const line = joined(
      parts.filter((part) => kept.includes(part)),
      2,
      colour,
    );
    if (line.width <= room) return line.text;
  }
  return kept[0].texts[2].slice(0, room);
}

function joined(parts: readonly Part[], level: 0 | 1 | 2, colour: boolean): { text: string; width: number } {
  const shown = parts.filter(({ texts }) => texts[level] !== '');
  const plain = shown.map(({ texts }) => texts[level]).join(SEPARATORS[level]);
  const text = colour
    ? shown
        .map(({ texts, style }) => (style ? `${STYLES[style]}${texts[level]}${PLAIN}` : texts[level]))
        .join(SEPARATORS[level])
    : plain;
  return { text, width: plain.length };
}

function partsOf(figures: ProgressFigures, rates: ProgressRates): readonly Part[] {
  const {
    label,
    unit,
    done,
    total,
    bytes,
    bytesTotal,
    permille,
    failed = 0,
    retries = 0,
    waitingSeconds,
    workers,
  } = figures;
  const { entriesPerSecond, bytesPerSecond, secondsLeft } = rates;
  const parts: Part[] = [{ texts: [label, label, ''], goes: 9 }];
  if (permille !== undefined) {
    const percent = (permille / 10).toFixed(1);
    parts.push({ texts: [`${percent} %`, `${percent} %`, `${Math.floor(permille / 10)}%`], goes: 0, style: 'bold' });
  }
  const count = total === undefined ? shortCount(done) : `${shortCount(done)}/${shortCount(total)}`;
  const whole = total === undefined ? counted(done, unit) : `${done} of ${counted(total, unit)}`;
  parts.push({ texts: [whole, `${count} ${unit}`, count], goes: 2 });
  if (bytes !== undefined) {
    const [size, all] = [byteText(bytes), bytesTotal === undefined ? undefined : byteText(bytesTotal)];
    const texts: Part['texts'] =
      all === undefined ? [size, size, size] : [`${size} of ${all}`, `${size}/${all}`, pair(size, all)];
    parts.push({ texts, goes: 4 });
  }
  if (waitingSeconds === undefined) {
    parts.push({ texts: same(`${shortCount(entriesPerSecond)}/s`), goes: 5 });
    if (bytes !== undefined) parts.push({ texts: same(`${byteText(bytesPerSecond)}/s`), goes: 6 });
  } else {
    const waits = shortDuration(waitingSeconds);
    parts.push({
      texts: [`no answer for ${durationText(waitingSeconds)}`, `no answer ${waits}`, `wait ${waits}`],
      goes: 1,
      style: 'yellow',
    });
  }
  if (secondsLeft !== undefined) {
    const left = shortDuration(secondsLeft);
    parts.push({ texts: [`${durationText(secondsLeft)} left`, `${left} left`, left], goes: 1, style: 'cyan' });
  }
  if (workers !== undefined) {
    const count = counted(workers, 'workers');
    parts.push({
      texts: [count, count, `${shortCount(workers)}w`],
      goes: 8,
      style: workers === 0 ? 'yellow' : undefined,
    });
  }
  if (failed > 0) {
    const few = shortCount(failed);
    parts.push({ texts: [`${failed} failed`, `${few} failed`, `${few}fail`], goes: 3, style: 'red' });
  }
  if (retries > 0) {
    const few = shortCount(retries);
    parts.push({
      texts: [counted(retries, 'retries'), `${few} ${retries === 1 ? 'retry' : 'retries'}`, `${few}re`],
      goes: 7,
      style: 'yellow',
    });
  }
  return parts;
}

function same(text: string): Part['texts'] {
  return [text, text, text];
}

/** Bytes with a unit in any case, beside numbers of entries. */
function byteText(bytes: number): string {
  const text = shortBytes(bytes);
  return /\d$/.test(text) ? `${text}B` : text;
}

/** Two sizes, the unit of which is said once where it is the same: `1.2/3.4G`. */
function pair(size: string, all: string): string {
  const unit = /[A-Z]$/.exec(all)?.[0];
  return unit !== undefined && size.endsWith(unit) ? `${size.slice(0, -1)}/${all}` : `${size}/${all}`;
}

import { counted, type ProgressRates } from '../../index.js';
import type { ProgressFigures } from './figures.js';
import { durationText, shortBytes, shortCount, shortDuration } from './quantities.js';

/** What a line is made of, in this order. */
const NAMES = ['label', 'share', 'entries', 'bytes', 'pace', 'left', 'workers', 'failed', 'retries'] as const;
type PartName = (typeof NAMES)[number];

/** How a part of the line is written, from its longest way to its shortest; empty: left out. */
interface Part {
  readonly name: PartName;
  readonly texts: readonly [string, ...string[]];
  /** Where even the shortest texts do not fit, the part with the highest number goes first. */
  readonly goes: number;
  readonly style?: keyof typeof STYLES;
}

/** One way to write a whole line. */
interface Form {
  /** Which of its texts each part has: the last, when it has fewer. */
  readonly levels: Readonly<Record<PartName, number>>;
  /** What stands between two parts. */
  readonly gap: string;
}

const STYLES = { bold: '\x1b[1m', red: '\x1b[31m', yellow: '\x1b[33m', cyan: '\x1b[36m' } as const;
const PLAIN = '\x1b[0m';

/**
 * What becomes shorter in a line that does not fit, one after another, until it does: first what says the same in fewer
 * characters, then what can be guessed. The name of the phase goes last.
 */
const STEPS: readonly (PartName | 'gaps')[] = [
  'bytes',
  'left',
  'retries',
  'failed',
  'entries',
  'pace',
  'gaps',
  'bytes',
  'share',
  'retries',
  'workers',
  'failed',
  'share',
  'entries',
  'pace',
  'left',
  'label',
];
const LONGEST: Form = {
  levels: { label: 0, share: 0, entries: 0, bytes: 0, pace: 0, left: 0, workers: 0, failed: 0, retries: 0 },
  gap: '  ',
};
const FORMS = forms();

function forms(): readonly Form[] {
  const all = [LONGEST];
  for (const step of STEPS) {
    const { levels, gap } = all[all.length - 1];
    all.push(step === 'gaps' ? { levels, gap: ' ' } : { levels: { ...levels, [step]: levels[step] + 1 }, gap });
  }
  return all;
}

/**
 * Writes the lines of progress of one work, so that each fits a terminal: in the longest of all forms that is narrow
 * enough for the widest that each part has been. So a line does not change its form to and fro when a part comes and
 * goes, or is now a character longer and now shorter.
 */
export class ProgressLine {
  /** How much room each part has taken so far in each of the forms, with the gap behind it. */
  readonly #widest = new Map<PartName, readonly number[]>();

  /**
   * The line, and how many columns it takes: escape sequences take none.
   *
   * @param columns of the terminal; infinite where there is none. The last one stays empty, since a cursor behind it
   *   would wrap
   * @param colour whether the terminal shows colours
   */
  write(
    figures: ProgressFigures,
    rates: ProgressRates,
    columns: number,
    colour: boolean,
  ): { readonly text: string; readonly width: number } {
    const parts = partsOf(figures, rates);
    const room = Math.max(1, columns - 1);
    for (const name of NAMES) this.#remember(name, parts);
    const form = FORMS.find((each, at) => this.#width(at) - each.gap.length <= room) ?? FORMS[FORMS.length - 1];
    const kept = [...parts].sort((a, b) => a.goes - b.goes);
    for (; kept.length > 1; kept.pop()) {
      const shown = parts.filter((part) => kept.includes(part));
      const width = joined(shown, form, false).length;
      if (width <= room) return { text: joined(shown, form, colour), width };
    }
    const text = textOf(kept[0], form).slice(0, room);
    return { text, width: text.length };
  }

  #remember(name: PartName, parts: readonly Part[]): void {
    const own = parts.filter((part) => part.name === name);
    const before = this.#widest.get(name);
    const widths = FORMS.map((form, at) => {
      const texts = own.map((part) => textOf(part, form)).filter((text) => text !== '');
      const width = texts.reduce((sum, text) => sum + text.length + form.gap.length, 0);
      return Math.max(before?.[at] ?? 0, width);
    });
    this.#widest.set(name, widths);
  }

  #width(at: number): number {
    return NAMES.reduce((sum, name) => sum + (this.#widest.get(name)?.[at] ?? 0), 0);
  }
}

function textOf({ name, texts }: Part, { levels }: Form): string {
  return texts[Math.min(levels[name], texts.length - 1)];
}

function joined(parts: readonly Part[], form: Form, colour: boolean): string {
  return parts
    .map((part) => ({ style: part.style, text: textOf(part, form) }))
    .filter(({ text }) => text !== '')
    .map(({ style, text }) => (colour && style ? `${STYLES[style]}${text}${PLAIN}` : text))
    .join(form.gap);
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
    stored = false,
  } = figures;
  const { entriesPerSecond, bytesPerSecond, secondsLeft } = rates;
  const parts: Part[] = [{ name: 'label', texts: [label, ''], goes: 9 }];
  if (permille !== undefined) {
    const percent = (permille / 10).toFixed(1);
    const texts: Part['texts'] = [`${percent} %`, `${percent}%`, `${Math.floor(permille / 10)}%`];
    parts.push({ name: 'share', texts, goes: 0, style: 'bold' });
  }
  const count = total === undefined ? shortCount(done) : `${shortCount(done)}/${shortCount(total)}`;
  const whole = total === undefined ? counted(done, unit) : `${done} of ${counted(total, unit)}`;
  parts.push({ name: 'entries', texts: [whole, `${count} ${unit}`, count], goes: 2 });
  if (bytes !== undefined) {
    const kind = stored ? ' stored' : '';
    const [size, all] = [byteText(bytes), bytesTotal === undefined ? undefined : byteText(bytesTotal)];
    const texts: Part['texts'] =
      all === undefined ? [`${size}${kind}`, size] : [`${size} of ${all}${kind}`, `${size}/${all}`, pair(size, all)];
    parts.push({ name: 'bytes', texts, goes: 4 });
  }
  if (waitingSeconds === undefined) {
    parts.push({ name: 'pace', texts: [`${shortCount(entriesPerSecond)}/s`], goes: 5 });
    if (bytes !== undefined) parts.push({ name: 'pace', texts: [`${byteText(bytesPerSecond)}/s`], goes: 6 });
  } else {
    const waits = shortDuration(waitingSeconds);
    const texts: Part['texts'] = [
      `no answer for ${durationText(waitingSeconds)}`,
      `no answer ${waits}`,
      `wait ${waits}`,
    ];
    parts.push({ name: 'pace', texts, goes: 1, style: 'yellow' });
  }
  if (secondsLeft !== undefined) {
    const left = shortDuration(secondsLeft);
    const texts: Part['texts'] = [`${durationText(secondsLeft)} left`, `${left} left`, left];
    parts.push({ name: 'left', texts, goes: 1, style: 'cyan' });
  }
  if (workers !== undefined) {
    const texts: Part['texts'] = [counted(workers, 'workers'), `${shortCount(workers)}w`];
    parts.push({ name: 'workers', texts, goes: 8, style: workers === 0 ? 'yellow' : undefined });
  }
  if (failed > 0) {
    const few = shortCount(failed);
    parts.push({ name: 'failed', texts: [`${failed} failed`, `${few} failed`, `${few}fail`], goes: 3, style: 'red' });
  }
  if (retries > 0) {
    const few = shortCount(retries);
    const word = retries === 1 ? 'retry' : 'retries';
    parts.push({
      name: 'retries',
      texts: [counted(retries, 'retries'), `${few} ${word}`, `${few}re`],
      goes: 7,
      style: 'yellow',
    });
  }
  return parts;
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

import { ClfsError } from './error.js';

/** What a check says of a value that is not as it should be: `undefined` when it is. */
type Check = (value: unknown) => string | undefined;

/** Checks of the options that programs hand to the library: what is left out is not looked at. */
export const option = {
  text: (value) => (typeof value === 'string' ? undefined : 'a text'),
  /** A path: text, or bytes. */
  path: (value) => (typeof value === 'string' || value instanceof Uint8Array ? undefined : 'a path as text or bytes'),
  flag: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  call: (value) => (typeof value === 'function' ? undefined : 'a function'),
  signal: (value) => (value instanceof AbortSignal ? undefined : 'an AbortSignal'),
  fields: (value) => (typeof value === 'object' && value !== null ? undefined : 'an object'),
  /** A number of 0 or more. */
  amount: (value) => (typeof value === 'number' && value >= 0 ? undefined : 'a number of 0 or more'),
} as const satisfies Record<string, Check>;

/** A whole number from 0 to `most`; without a bound also infinity. */
export function countOption(most = Number.POSITIVE_INFINITY): Check {
  const isCount = (value: unknown) =>
    Number.isSafeInteger(value) || (value === most && most === Number.POSITIVE_INFINITY);
  return (value) =>
    isCount(value) && (value as number) >= 0 && (value as number) <= most
      ? undefined
      : `a whole number ${Number.isFinite(most) ? `from 0 to ${most}` : 'of 0 or more'}`;
}

/** One of some words. */
export function choiceOption(...words: readonly string[]): Check {
  return (value) =>
    words.includes(value as string) ? undefined : words.map((word) => JSON.stringify(word)).join(' or ');
}

/**
 * Refuses options of a wrong kind, by name, before anything begins: a caller without types is told what is wrong.
 *
 * @param call what was called
 * @param required options that must be there
 * @throws ClfsError `usage`
 */
export function checkOptions(
  call: string,
  options: unknown,
  checks: Readonly<Record<string, Check>>,
  required: readonly string[] = [],
): void {
  if (typeof options !== 'object' || options === null)
    throw new ClfsError('usage', `${call} takes an object of options, not ${shown(options)}.`);
  const given = options as Readonly<Record<string, unknown>>;
  for (const name of required)
    if (given[name] === undefined) throw new ClfsError('usage', `${call} needs the option ${name}.`);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(checks, name)) throw new ClfsError('usage', `${call} has no option ${name}.`);
    const wanted = checks[name](value);
    if (wanted !== undefined) throw new ClfsError('usage', `${call}: ${name} takes ${wanted}, not ${shown(value)}.`);
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

import { type Command, InvalidArgumentError } from 'commander';
import { print } from './standard-streams.js';

/** A wrong command line; the message is the whole text for the user. */
export class UsageError extends Error {}

/** Of a command that ends as verbs do, and not as a load. */
export class VerbUsageError extends UsageError {}

/**
 * Puts boolean flags into the form `--flag=true|false`, in which azcopy takes them: `--flag`, `--flag true` and `--flag
 * false` are understood as well; an argument that follows is never taken for a value.
 */
export function normalizeBooleans(argv: readonly string[], flags: readonly string[]): string[] {
  const result: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const token = argv[at];
    if (token === '--') return [...result, ...argv.slice(at)];
    if (!flags.includes(token)) result.push(token);
    else if (argv[at + 1] === 'true' || argv[at + 1] === 'false') result.push(`${token}=${argv[++at]}`);
    else result.push(`${token}=true`);
  }
  return result;
}

/** Has `--page` alone take no argument that follows: where it is served is told by `--page=HOST:PORT`. */
export function normalizePage(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((token, at) => (token === '--page' && (end < 0 || at < end) ? '--page=' : token));
}

/**
 * Has flags of a command that take no value understand `--flag=true` and `--flag=false` too, as flags of azcopy do.
 *
 * @throws UsageError when it is anything else
 */
export function plainFlags(argv: readonly string[], { options }: Command): string[] {
  const end = argv.indexOf('--');
  const names = new Set(options.filter((option) => option.isBoolean()).map(({ long }) => long));
  return argv.flatMap((token, at) => {
    const [, name, value] = ((end < 0 || at < end) && /^(--[^=]+)=(.*)$/s.exec(token)) || [];
    if (!names.has(name)) return [token];
    if (!BOOLEAN.test(value))
      throw new UsageError(`invalid argument for "${name}": it takes true or false, not ${JSON.stringify(value)}`);
    return parseBoolean(value) ? [name] : [];
  });
}

const BOOLEAN = /^(true|t|1|false|f|0)$/i;

/** Value of a boolean flag. */
export function parseBoolean(value: string): boolean {
  if (/^(true|t|1)$/i.test(value)) return true;
  if (/^(false|f|0)$/i.test(value)) return false;
  throw new InvalidArgumentError(`it takes true or false, not ${JSON.stringify(value)}`);
}

/** Value of a flag that is a whole number below 2^32. */
export function parseUint32(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 0xffffffff)
    throw new InvalidArgumentError(`it takes a whole number from 0 to 4294967295, not ${JSON.stringify(value)}`);
  return number;
}

/** Value of `--threads`. */
export function parseThreads(value: string): number {
  const number = parseUint32(value);
  if (number > 1024)
    throw new InvalidArgumentError(`it takes a whole number from 0 to 1024, not ${JSON.stringify(value)}`);
  return number;
}

/** Value of a flag that is a number of 0 or more. */
export function parsePositive(value: string): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number) || number < 0)
    throw new InvalidArgumentError(`it takes a number of 0 or more, not ${JSON.stringify(value)}`);
  return number;
}

/** Value of a flag that is a length of time, such as `90s`, `30m`, `2h`, `1d`. @returns milliseconds */
export function parseDuration(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value);
  if (!match)
    throw new InvalidArgumentError(`it takes a time such as 90s, 30m, 2h or 1d, not ${JSON.stringify(value)}`);
  return (
    Number(match[1]) *
    { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'ms' | 's' | 'm' | 'h' | 'd']
  );
}

/** A parser for a flag that takes one of some words; `canonical` decides how a given word is read. */
export function parseChoice<T extends string>(
  choices: readonly T[],
  canonical: (value: string) => string = (value) => value,
): (value: string) => T {
  return (value) => {
    const choice = choices.find((word) => word === canonical(value));
    if (!choice) throw new InvalidArgumentError(`it takes ${alternatives(choices)}, not ${JSON.stringify(value)}`);
    return choice;
  };
}

/** `a`, `a or b`, `a, b or c`. */
function alternatives(choices: readonly string[]): string {
  return choices.length < 2 ? choices.join('') : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
}

/** Has a command throw {@link UsageError} in azcopy's words, and never exit by itself. */
export function strict(command: Command): Command {
  // The longest flag leaves 39 columns of 80 for what is said of it.
  return command
    .configureHelp({ minWidthToWrap: 30 })
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => undefined });
}

/**
 * Says which flags of a command line a dry run takes no notice of, if there are any.
 *
 * @param isNoticed asked by the name under which the flag's value is kept
 */
export function dryRunNotice(command: Command, isNoticed: (name: string) => boolean): string | undefined {
  const flags = command.options
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .filter((option) => !isNoticed(option.attributeName()))
    .map(({ long }) => long);
  return flags.length === 0 ? undefined : `A dry run takes no notice of ${flags.join(', ')}.`;
}

/** What a commander error says, in azcopy's words. */
export function usageText(error: { readonly code: string; readonly message: string }): string {
  const text = error.message.replace(/^error: /, '');
  const unknown = /^unknown option '([^']*)'/.exec(text);
  if (unknown)
    return `unknown flag: ${unknown[1].replace(/=.*/s, '')}${/\(Did you mean[^)]*\)/.exec(text)?.[0].replace(/^/, ' ') ?? ''}`;
  const missing = /^option '([^']*)' argument missing/.exec(text);
  if (missing) return `flag needs an argument: ${missing[1].split(' ')[0]}`;
  const invalid = /^option '([^']*)' argument '(.*)' is invalid\. (.*)$/s.exec(text);
  if (invalid) return `invalid argument for "${invalid[1].replace(/ [<[].*$/, '')}": ${invalid[3]}`;
  const both = /^option '([^']*)' cannot be used with option '([^']*)'/.exec(text);
  if (both) return `${longName(both[1])} cannot be used with ${longName(both[2])}`;
  return text;
}

/** Of `-0, --null` and `--sample <share>`: the name that says more. */
function longName(flags: string): string {
  return /--[^ ]+/.exec(flags)?.[0] ?? flags;
}

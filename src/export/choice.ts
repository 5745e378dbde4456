import picomatch from 'picomatch';
import { parseSelection } from '../source/selection.js';

/** What of a tree is exported. */
export interface Choice {
  /**
   * Wildcards for the names of what are no directories; empty: all of them. Directories are gone through in any case.
   */
  readonly includePatterns: readonly string[];
  /** Paths below what is exported; an excluded directory takes with it what is below it. */
  readonly excludePaths: readonly string[];
  /** Wildcards for names, directories too. */
  readonly excludePatterns: readonly string[];
}

/** Everything is exported. */
export const ALL: Choice = { includePatterns: [], excludePaths: [], excludePatterns: [] };

/**
 * Reads `--include`, `--exclude-path` and `--exclude-pattern`: semicolon-separated, as a load takes them.
 *
 * @throws ClfsError `usage` on a path that does not stay below what is exported, or a pattern with a `/`
 */
export function parseExportChoice(include: string, excludePaths: string, excludePatterns: string): Choice {
  const excluded = parseSelection(excludePaths, excludePatterns, false);
  const included = parseSelection('', include, false);
  return {
    includePatterns: included.excludePatterns,
    excludePaths: excluded.excludePaths,
    excludePatterns: excluded.excludePatterns,
  };
}

/** A choice as the flags that make it; empty for everything. */
export function choiceText({ includePatterns, excludePaths, excludePatterns }: Choice): string {
  const flag = (name: string, values: readonly string[]) =>
    values.length > 0 ? [`${name}=${JSON.stringify(values.join(';'))}`] : [];
  return [
    ...flag('--include', includePatterns),
    ...flag('--exclude-path', excludePaths),
    ...flag('--exclude-pattern', excludePatterns),
  ].join(' ');
}

/** Decides what is exported. */
export interface Chooser {
  /**
   * Whether an entry may go along, whatever it is. @param prefix path of its directory with a `/` behind it, or empty;
   * one character a byte
   */
  takes(prefix: string, name: Uint8Array): boolean;
  /** Whether one that is no directory does. */
  takesFile(name: Uint8Array): boolean;
}

/** Reads a choice. */
export function chooserOf({ includePatterns, excludePaths, excludePatterns }: Choice): Chooser {
  const paths = new Set(excludePaths.map((path) => Buffer.from(path).toString('latin1')));
  const excluded = matcherOf(excludePatterns);
  const included = matcherOf(includePatterns);
  return {
    takes: (prefix, name) => !paths.has(`${prefix}${Buffer.from(name).toString('latin1')}`) && !excluded(name),
    takesFile: (name) => includePatterns.length === 0 || included(name),
  };
}

function matcherOf(patterns: readonly string[]): (name: Uint8Array) => boolean {
  if (patterns.length === 0) return () => false;
  const matches = patterns.map((pattern) =>
    picomatch(pattern, { dot: true, nobrace: true, noextglob: true, nonegate: true }),
  );
  return (name) => {
    const text = Buffer.from(name).toString('utf8');
    return matches.some((match) => match(text));
  };
}

import { exclusionFlags, exclusionOf, listFlag, namesMatching, parseSelection } from '../source/selection.js';

/** What of a tree is exported. */
export interface Choice {
  /**
   * Wildcards for the names of what are no directories; empty: all of them. Directories are gone through in any case.
   */
  readonly includePatterns: readonly string[];
  /** Paths below what is exported, as text of `decodeExactly`; an excluded directory takes with it what is below it. */
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

/** A choice as the flags that make it, for a shell; empty for everything. */
export function choiceText(choice: Choice): string {
  return [...listFlag('--include', choice.includePatterns), ...exclusionFlags(choice)].join(' ');
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
export function chooserOf(choice: Choice): Chooser {
  const isExcluded = exclusionOf(choice);
  const isIncluded = namesMatching(choice.includePatterns);
  return {
    takes: (prefix, name) => !isExcluded(prefix, Buffer.from(name)),
    takesFile: (name) => choice.includePatterns.length === 0 || isIncluded(name),
  };
}

import { ClfsError } from '../error.js';
import { escapePath, quotePath } from '../text/escape-path.js';
import { decodeExactly, encodeExactly } from '../text/exact-text.js';
import { HEX_PREFIX, parseTreePath } from '../text/parse-path.js';
import { shellWord } from '../text/shell-word.js';
import { wildcard } from '../text/wildcard.js';
import type { SourcePlace } from './source-place.js';
import type { AsyncSourceDirectory, ListedEntry, SourceDirectory, SourceTree } from './source-tree.js';

/** What of a tree is left out. */
export interface Selection {
  /**
   * Paths below the root, components joined by `/`, as text of `decodeExactly`; an excluded directory takes with it
   * what is below it.
   */
  readonly excludePaths: readonly string[];
  /**
   * Wildcards (`*`, `?`, `[a-z]`, `[!a-z]`) for the names of entries, directories too; bytes that are not UTF-8 as
   * `decodeExactly` has them.
   */
  readonly excludePatterns: readonly string[];
  /**
   * Leave out what is in directories on other devices than the root's, so not what a bind mount shows of the same file
   * system; the directories themselves stay, as mount points.
   */
  readonly oneFileSystem: boolean;
}

/** Nothing is left out. */
export const EVERYTHING: Selection = { excludePaths: [], excludePatterns: [], oneFileSystem: false };

/**
 * Reads `--exclude-path` and `--exclude-pattern`: semicolon-separated, as azcopy copy takes them. Paths are as they are
 * shown, or in hexadecimal digits.
 *
 * @throws ClfsError `usage` on a path that does not stay below the root, or a pattern with a `/`
 */
export function parseSelection(paths: string, patterns: string, oneFileSystem: boolean): Selection {
  const split = (text: string) => text.split(';').filter((part) => part !== '');
  const excludePaths = split(paths).map((given) => {
    const path = decodeExactly(parseTreePath(given));
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.length === 0 || parts.includes('..') || path.startsWith('/'))
      throw new ClfsError(
        'usage',
        `--exclude-path takes paths below the source, such as "logs;cache/old", not ${quotePath(encodeExactly(path))}.`,
      );
    return parts.join('/');
  });
  const excludePatterns = split(patterns);
  for (const pattern of excludePatterns) {
    if (pattern.includes('/'))
      throw new ClfsError(
        'usage',
        `--exclude-pattern takes patterns for names, such as "*.tmp;core.*", not ${JSON.stringify(pattern)}. See --exclude-path.`,
      );
  }
  return {
    excludePaths: [...new Set(excludePaths)].sort(),
    excludePatterns: [...new Set(excludePatterns)].sort(),
    oneFileSystem,
  };
}

/** One thing that is left out. */
export interface SelectionRule {
  /** The flag that says so, for people. */
  readonly flag: string;
  /** Whether it leaves out the entry of a name in a directory. */
  matches(directory: Uint8Array, name: Buffer): boolean;
}

/** What a selection leaves out by path or pattern, one by one. */
export function selectionRules({ excludePaths, excludePatterns }: Selection): readonly SelectionRule[] {
  return [
    ...excludePaths.map((path) => {
      const wanted = encodeExactly(path);
      return {
        flag: `--exclude-path=${shellWord(pathArgument(path))}`,
        matches: (directory: Uint8Array, name: Buffer) =>
          wanted.equals(directory.length === 0 ? name : Buffer.concat([directory, SLASH, name])),
      };
    }),
    ...excludePatterns.map((pattern) => {
      const match = wildcard(pattern);
      return {
        flag: `--exclude-pattern=${shellWord(pattern)}`,
        matches: (_directory: Uint8Array, name: Buffer) => match(decodeExactly(name)),
      };
    }),
  ];
}

const SLASH = Buffer.from('/');

/** What is left out by path and by pattern. */
type Exclusion = Pick<Selection, 'excludePaths' | 'excludePatterns'>;

/**
 * Whether the entry of a name is left out, in a directory that is given by its path with a `/` behind it (empty: the
 * root), one character a byte.
 */
export function exclusionOf({ excludePaths, excludePatterns }: Exclusion): (prefix: string, name: Buffer) => boolean {
  const paths = new Set(excludePaths.map((path) => encodeExactly(path).toString('latin1')));
  const isMatched = namesMatching(excludePatterns);
  return (prefix, name) => paths.has(`${prefix}${name.toString('latin1')}`) || isMatched(name);
}

/** Whether a name is one that any of some wildcards stand for, as those of {@link Selection.excludePatterns}. */
export function namesMatching(patterns: readonly string[]): (name: Uint8Array) => boolean {
  if (patterns.length === 0) return () => false;
  const matches = patterns.map(wildcard);
  return (name) => {
    const text = decodeExactly(name);
    return matches.some((match) => match(text));
  };
}

/** Whether something can be left out at all. */
function isSelective({ excludePaths, excludePatterns, oneFileSystem }: Selection): boolean {
  return oneFileSystem || excludePaths.length + excludePatterns.length > 0;
}

/** A view of `source` whose listings mark what `selection` leaves out. */
export function selectFrom(source: SourceTree, selection: Selection): SourceTree {
  if (!isSelective(selection)) return source;
  const isExcluded = exclusionOf(selection);
  const marked = (prefix: string, foreign: boolean, batch: readonly ListedEntry[]): readonly ListedEntry[] =>
    batch.map((entry) => (foreign || isExcluded(prefix, entry.name) ? { ...entry, excluded: true } : entry));
  const root = new RootDevice(source, selection.oneFileSystem);
  const asyncView = (prefix: string, async: AsyncSourceDirectory): AsyncSourceDirectory => ({
    async *list() {
      const foreign = await root.differsFromAsync(async);
      for await (const batch of async.list()) yield marked(prefix, foreign, batch);
    },
    attributes: (fresh) => async.attributes(fresh),
    attributesOf: (name) => async.attributesOf(name),
    readLink: (name) => async.readLink(name),
    openFile: (name) => async.openFile(name),
    unstorableOf: async (name) => async.unstorableOf?.(name),
  });
  const view = (path: Buffer, directory: SourceDirectory): SourceDirectory => {
    const prefix = path.length === 0 ? '' : `${path.toString('latin1')}/`;
    return {
      *list() {
        const foreign = root.differsFrom(directory);
        for (const batch of directory.list()) yield marked(prefix, foreign, batch);
      },
      attributes: (fresh) => directory.attributes(fresh),
      attributesOf: (name) => directory.attributesOf(name),
      readLink: (name) => directory.readLink(name),
      openFile: (name) => directory.openFile(name),
      unstorableOf: (name) => directory.unstorableOf?.(name),
      get async() {
        return directory.async && asyncView(prefix, directory.async);
      },
      close: () => directory.close(),
    };
  };
  const { async } = source;
  return {
    openDirectory: (path, expected) => view(path, source.openDirectory(path, expected)),
    root: source.root,
    place: () => placeWithout(source.place?.(), leftOutBy(selection)),
    mounts: () => source.mounts?.() ?? [],
    async: async && {
      openDirectory: async (path, expected) => view(path, await async.openDirectory(path, expected)),
    },
    isRemote: source.isRemote,
    mayHang: source.mayHang,
    close: () => source.close(),
  };
}

/** What is mounted in what is left out is no part of the source, and nobody goes there. */
function placeWithout(place: SourcePlace | undefined, isLeftOut: (path: Buffer) => boolean): SourcePlace | undefined {
  if (!place) return undefined;
  const mounts = Object.entries(place.mounts).filter(([path]) => !isLeftOut(Buffer.from(path, 'hex')));
  return { ...place, mounts: Object.fromEntries(mounts) };
}

/** Whether what is at a path below the root is left out, or in something that is: by path and pattern. */
export function leftOutBy(selection: Selection): (path: Buffer) => boolean {
  const rules = selectionRules(selection);
  return (path) => {
    for (let at = 0; at < path.length; ) {
      const slash = path.indexOf(SLASH, at);
      const end = slash < 0 ? path.length : slash;
      const name = path.subarray(at, end);
      if (rules.some(({ matches }) => matches(path.subarray(0, Math.max(0, at - 1)), name))) return true;
      at = end + 1;
    }
    return false;
  };
}

/** The device that the root of a source is on: looked up once, where it is asked for. */
class RootDevice {
  readonly #source: SourceTree;
  readonly #isWanted: boolean;
  #device: string | undefined;

  constructor(source: SourceTree, isWanted: boolean) {
    this.#source = source;
    this.#isWanted = isWanted;
  }

  differsFrom(directory: SourceDirectory): boolean {
    if (!this.#isWanted) return false;
    if (this.#device === undefined) {
      const root = this.#source.openDirectory(NO_PATH);
      this.#device = root.attributes().device;
      root.close();
    }
    return directory.attributes().device !== this.#device;
  }

  async differsFromAsync(directory: AsyncSourceDirectory): Promise<boolean> {
    if (!this.#isWanted) return false;
    const { device } = await directory.attributes();
    this.#device ??= await this.#lookUp();
    return device !== this.#device;
  }

  async #lookUp(): Promise<string> {
    const { async } = this.#source;
    const root = async ? await async.openDirectory(NO_PATH) : this.#source.openDirectory(NO_PATH);
    try {
      return (root.async ? await root.async.attributes() : root.attributes()).device;
    } finally {
      root.close();
    }
  }
}

const NO_PATH = Buffer.alloc(0);

/** A selection as the flags that make it, for a shell; empty for everything. */
export function selectionText(selection: Selection): string {
  return [...exclusionFlags(selection), ...(selection.oneFileSystem ? ['--one-file-system'] : [])].join(' ');
}

/** What is left out as the flags that say so, for a shell. */
export function exclusionFlags({ excludePaths, excludePatterns }: Exclusion): readonly string[] {
  return [
    ...listFlag('--exclude-path', excludePaths.map(pathArgument)),
    ...listFlag('--exclude-pattern', excludePatterns),
  ];
}

/** A flag that takes a list, for a shell; none when the list is empty. */
export function listFlag(name: string, values: readonly string[]): readonly string[] {
  return values.length > 0 ? [`${name}=${shellWord(values.join(';'))}`] : [];
}

/** A path as {@link parseSelection} takes it: one with a semicolon can only be given in hexadecimal digits. */
function pathArgument(path: string): string {
  const bytes = encodeExactly(path);
  return path.includes(';') ? `${HEX_PREFIX}${bytes.toString('hex')}` : escapePath(bytes);
}

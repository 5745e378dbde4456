import { ClfsError, isClfsError } from '../error.js';
import { quotePath } from '../text/escape-path.js';
import type { TreeEvidence } from './same-tree.js';
import type { SourceTree } from './source-tree.js';

/** What {@link KeptMounts} goes by. */
interface KeptMountsParts {
  /** What they are below. */
  readonly what: 'source' | 'target';
  /** Paths at which file systems must be mounted, below that. */
  readonly wanted: readonly Uint8Array[];
  /** Where they are mounted now. */
  now(): readonly Buffer[];
  /** Goes to such a path: what is mounted when it is wanted is mounted then. */
  reach(path: Buffer): void;
  /** Whether nothing else may be mounted. */
  readonly only: boolean;
}

/**
 * Looks whether what was mounted when a worker was let in is mounted now. Where it is not, an empty directory stands in
 * its place: what is found of it is no failure of entries, but the trouble of this machine.
 */
export class KeptMounts {
  readonly #parts: KeptMountsParts;
  readonly #wanted: ReadonlySet<string>;

  constructor(parts: KeptMountsParts) {
    this.#parts = parts;
    this.#wanted = new Set(parts.wanted.map(keyOf));
  }

  /** @returns what is missing, or too much, as an error of the worker; undefined: all is as it was */
  lacking(): ClfsError | undefined {
    const { what, wanted, only } = this.#parts;
    if (wanted.length === 0 && !only) return undefined;
    const there = this.#reached();
    const missing = wanted.find((path) => !there.has(keyOf(path)));
    if (missing) return this.#error(`what was mounted at ${quotePath(missing)} of the ${what} is not mounted any more`);
    const further = only ? [...there].find(([key]) => !this.#wanted.has(key)) : undefined;
    return further && this.#error(`something has been mounted at ${quotePath(further[1])} of the ${what}`);
  }

  #reached(): ReadonlyMap<string, Buffer> {
    const { wanted, now, reach } = this.#parts;
    const look = () => new Map(now().map((path) => [keyOf(path), path]));
    const there = look();
    const missing = wanted.filter((path) => !there.has(keyOf(path)));
    if (missing.length === 0) return there;
    for (const path of missing) reach(Buffer.from(path));
    return look();
  }

  #error(text: string): ClfsError {
    return new ClfsError(this.#parts.what, text);
  }
}

/** Those of a source, as the driver has them. */
export function keptMountsOf({ mounts }: Pick<TreeEvidence, 'mounts'>, source: SourceTree): KeptMounts {
  const wanted = mounts.map(({ path }) => path);
  return new KeptMounts({
    what: 'source',
    wanted,
    now: () => source.mountPoints?.() ?? [],
    reach(path) {
      try {
        source.openDirectory(path).close();
      } catch (error) {
        if (!isClfsError(error, 'entry')) throw error;
      }
    },
    only: false,
  });
}

function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString('hex');
}

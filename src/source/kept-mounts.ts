import { ClfsError } from '../error.js';
import type { MountBelow } from '../posix/mounts.js';
import { quotePath } from '../text/escape-path.js';
import { attributesAt, type MountEvidence, mayBeMounted } from './same-mounts.js';
import type { Selection } from './selection.js';
import type { SourceTree } from './source-tree.js';

/** What {@link KeptMounts} goes by. */
interface KeptMountsParts {
  readonly what: 'source' | 'target';
  /** Paths at which file systems must be mounted, below that. */
  readonly wanted: readonly Uint8Array[];
  /** What is mounted now. */
  now(): readonly MountBelow[];
  /**
   * Goes to such a path: what is mounted when it is wanted is mounted then.
   *
   * @returns what tells it from something else; undefined where that is not known
   */
  reach(path: Buffer): string | undefined;
  /** Whether something else may have been mounted there since. */
  mayCome(mount: MountBelow): boolean;
}

interface Kept {
  readonly path: Buffer;
  /** Of the mount. */
  id: string;
  readonly identity: string | undefined;
}

/**
 * Looks whether what was mounted when a worker was let in is mounted now, and nothing else. Where it is not, an empty
 * directory, or somebody else's, stands in its place: what is found of it is no failure of entries, but the trouble of
 * this machine.
 */
export class KeptMounts {
  readonly #parts: KeptMountsParts;
  /** Only what was mounted can be mounted no more: a machine may see in one piece what has two on another. */
  readonly #kept = new Map<string, Kept>();
  /** Mounts that may be there beside. */
  readonly #further = new Set<string>();

  constructor(parts: KeptMountsParts) {
    this.#parts = parts;
    const { wanted, now, reach } = parts;
    const identities = wanted.map((path) => reach(Buffer.from(path)));
    const there = byPath(now());
    for (const [at, path] of wanted.entries()) {
      const mount = there.get(keyOf(path));
      if (mount) this.#kept.set(keyOf(path), { path: mount.path, id: mount.id, identity: identities[at] });
    }
  }

  /** @returns what is missing, or too much, as an error of the worker; undefined: all is as it was */
  lacking(): ClfsError | undefined {
    const { what } = this.#parts;
    const there = this.#reached();
    for (const [key, kept] of this.#kept) {
      const mount = there.get(key);
      const where = `at ${quotePath(kept.path)} of the ${what}`;
      if (!mount) return this.#error(`what was mounted ${where} is not mounted any more`);
      if (mount.id !== kept.id && !this.#isSame(kept)) return this.#error(`something else has been mounted ${where}`);
      kept.id = mount.id;
    }
    for (const [key, mount] of there) {
      if (this.#kept.has(key) || this.#further.has(mount.id)) continue;
      if (!this.#parts.mayCome(mount))
        return this.#error(`something has been mounted at ${quotePath(mount.path)} of the ${what}`);
      this.#further.add(mount.id);
    }
    return undefined;
  }

  /** Whether it was mounted again. */
  #isSame({ path, identity }: Kept): boolean {
    return identity !== undefined && this.#parts.reach(path) === identity;
  }

  #reached(): ReadonlyMap<string, MountBelow> {
    const { now, reach } = this.#parts;
    const there = byPath(now());
    const missing = [...this.#kept].filter(([key]) => !there.has(key));
    if (missing.length === 0) return there;
    for (const [, { path }] of missing) reach(path);
    return byPath(now());
  }

  #error(text: string): ClfsError {
    return new ClfsError(this.#parts.what, text);
  }
}

/** Those of a source, as the driver has them. */
export function keptMountsOf(evidence: MountEvidence, source: SourceTree, selection: Selection): KeptMounts {
  return new KeptMounts({
    what: 'source',
    wanted: evidence.points.map(({ path }) => path),
    now: () => source.mounts?.() ?? [],
    reach(path) {
      // Its files may not answer, and are not wanted.
      if (selection.oneFileSystem) return undefined;
      const found = attributesAt(source, path);
      return found && `${found.device} ${found.inode} ${found.bornNs}`;
    },
    mayCome: (mount) => mayBeMounted(evidence, selection, mount),
  });
}

function byPath(mounts: readonly MountBelow[]): ReadonlyMap<string, MountBelow> {
  return new Map(mounts.map((mount) => [keyOf(mount.path), mount]));
}

function keyOf(path: Uint8Array): string {
  return Buffer.from(path).toString('hex');
}

import { existsSync, linkSync, mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Geometry } from '../../src/format/geometry.js';
import { load } from '../../src/load/load.js';
import type { LoadOptions, LoadSummary } from '../../src/load/options.js';
import { CURRENT_DIRECTORY, setTimes } from '../../src/posix/libc.js';
import type { SourcePlace } from '../../src/source/source-place.js';
import {
  entryFailure,
  type ListedEntry,
  type SourceAttributes,
  type SourceDirectory,
  type SourceTree,
} from '../../src/source/source-tree.js';
import { withAsyncSide } from './async-source.js';
import { SMALL } from './check.js';
import { KillableWorld } from './killable-world.js';

/** What a test does while the source is read. Paths are below the root; each call may change the tree or throw. */
export interface Watch {
  /** Before a directory is opened, to be listed or for its entries. */
  directory?(path: string): void;
  /** Before an entry is opened (a file), read (a symlink) or looked at (lstat). */
  entry?(path: string, what: 'open' | 'readlink' | 'look'): void;
  /** When a file has been opened, before its first look. */
  opened?(path: string): void;
  /** Before a file is read from a position. */
  read?(path: string, position: number): void;
  /** Paths whose type the listing does not tell. */
  readonly untyped?: ReadonlySet<string>;
  /** Device of a directory and what is in it; undefined: the true one. */
  device?(path: string): string | undefined;
  /** When a directory was made; undefined: the truth. */
  born?(path: string): bigint | undefined;
  /** Directories that are another one, by their paths: as with a bind mount. */
  readonly same?: Readonly<Record<string, string>>;
  /** What tells the source from another one at its path; default: always the same. */
  place?(): SourcePlace | undefined;
  /** What a listing gives in place of what it found: as a file system may whose directory changes meanwhile. */
  listing?(path: string, entries: readonly ListedEntry[]): readonly ListedEntry[];
  /** Whether a listing comes in one piece; else in those of the file system. */
  readonly inOnePiece?: boolean;
  /** Whether the source is one of many calls at once, as where each takes long. */
  readonly isAsync?: boolean;
}

/** A place for the trees and states of a test file: in memory where that is possible. */
export function makeBase(name: string): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `clfs-${name}-`));
}

/** A watch under which files cannot be read and directories not be opened; the paths may change while it is used. */
export function lock(...paths: readonly string[]): Watch {
  const locked = new Set(paths);
  return {
    directory(path) {
      if (locked.has(path)) throw entryFailure('directory-unreadable', 'permission denied');
    },
    entry(path, what) {
      if (what !== 'look' && locked.has(path)) throw entryFailure('entry-unreadable', 'permission denied');
    },
  };
}

/** One job: a source on disk, a container in memory, and its sessions one after another. */
export class Job {
  readonly source: string;
  readonly statePath: string;
  readonly world: KillableWorld;
  readonly #options: Partial<LoadOptions>;
  readonly #geometry: Geometry;

  constructor(base: string, options: Partial<LoadOptions> = {}, world = new KillableWorld(), geometry = SMALL) {
    const place = mkdtempSync(join(base, 'job-'));
    this.source = join(place, 'source');
    this.statePath = join(place, 'state');
    this.world = world;
    this.#geometry = geometry;
    this.#options = options;
    mkdirSync(this.source);
  }

  path(name: string): string {
    return join(this.source, name);
  }

  /** Makes a file, and the directories above it. */
  file(name: string, content: string | Buffer = `content of ${name}`): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
  }

  link(existing: string, name: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    linkSync(this.path(existing), this.path(name));
  }

  /**
   * Changes entries of a directory and puts its modification time back: a directory has the attributes of its listing.
   */
  change(directory: string, change: () => void): void {
    const { atimeNs, mtimeNs } = statSync(this.path(directory), { bigint: true });
    change();
    setTimes(CURRENT_DIRECTORY, Buffer.from(this.path(directory)), toTime(atimeNs), toTime(mtimeNs));
  }

  /** Runs a session: the first begins the job, each other one goes on with it. @throws what `load` throws */
  async session(watch: Watch = {}, options: Partial<LoadOptions> = {}): Promise<LoadSummary> {
    const { world } = this;
    world.revive();
    try {
      return await load({
        source: this.source,
        destination: '/unused',
        statePath: this.statePath,
        newSession: !existsSync(join(this.statePath, 'job.db')),
        logLevel: 'ERROR',
        ...this.#options,
        ...options,
        internals: {
          container: world.container,
          clock: world.clock,
          hooks: world.hooks,
          geometry: this.#geometry,
          wrapSource(tree) {
            const watched = watchSource(tree, watch);
            return watch.isAsync ? withAsyncSide(watched, AT_ONCE, true) : watched;
          },
        },
      });
    } finally {
      // What a process has under way ends with it.
      world.kill();
    }
  }
}

const AT_ONCE = async () => undefined;

function toTime(ns: bigint): { seconds: number; nanoseconds: number } {
  return { seconds: Number(ns / 1_000_000_000n), nanoseconds: Number(ns % 1_000_000_000n) };
}

/** A source whose reads are told to a watch first. */
function watchSource(tree: SourceTree, watch: Watch): SourceTree {
  const attributesAt = (path: string) => {
    const directory = tree.openDirectory(Buffer.from(path));
    const attributes = directory.attributes();
    directory.close();
    return attributes;
  };
  return {
    ...tree,
    // Not every file system that tests run on tells one tree from another.
    place: watch.place ?? (() => ({ root: { source: 'of a test' }, mounts: {} })),
    openDirectory(path, expected) {
      watch.directory?.(path.toString());
      const device = watch.device?.(path.toString());
      if (device !== undefined && expected?.device !== undefined && expected.device !== device) {
        throw entryFailure('directory-changed', 'another file system is there');
      }
      const born = watch.born?.(path.toString());
      if (born !== undefined && expected !== undefined && expected.bornNs !== 0n && expected.bornNs !== born)
        throw entryFailure('directory-changed', 'it was made at another time');
      const opened = Buffer.from(watch.same?.[path.toString()] ?? path);
      const asked = expected && {
        device: device === undefined ? expected.device : undefined,
        inode: expected.inode,
        bornNs: born === undefined ? expected.bornNs : 0n,
      };
      return watchDirectory(tree.openDirectory(opened, asked), path.toString(), watch, attributesAt);
    },
  };
}

function watchDirectory(
  directory: SourceDirectory,
  path: string,
  watch: Watch,
  attributesAt: (path: string) => SourceAttributes,
): SourceDirectory {
  const at = (name: Buffer) => (path === '' ? name.toString() : `${path}/${name.toString()}`);
  const toldOf = (path: string) => {
    const device = watch.device?.(path);
    const born = watch.born?.(path);
    return { ...(device === undefined ? {} : { device }), ...(born === undefined ? {} : { bornNs: born }) };
  };
  return {
    attributes: () => ({ ...directory.attributes(), ...toldOf(path) }),
    *list() {
      for (const batch of watch.inOnePiece ? [[...directory.list()].flat()] : directory.list()) {
        const listed = watch.listing?.(path, batch) ?? batch;
        yield watch.untyped
          ? listed.map((entry) => (watch.untyped?.has(at(entry.name)) ? { ...entry, type: undefined } : entry))
          : listed;
      }
    },
    attributesOf(name) {
      watch.entry?.(at(name), 'look');
      const same = watch.same?.[at(name)];
      return { ...(same === undefined ? directory.attributesOf(name) : attributesAt(same)), ...toldOf(at(name)) };
    },
    readLink(name) {
      watch.entry?.(at(name), 'readlink');
      return directory.readLink(name);
    },
    openFile(name) {
      watch.entry?.(at(name), 'open');
      const file = directory.openFile(name);
      watch.opened?.(at(name));
      if (!watch.read) return file;
      return {
        attributes: () => file.attributes(),
        isUnchanged: (before) => file.isUnchanged(before),
        read(target, position) {
          watch.read?.(at(name), position);
          return file.read(target, position);
        },
        close: () => file.close(),
      };
    },
    close: () => directory.close(),
  };
}

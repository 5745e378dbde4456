import { isClfsError } from '../error.js';
import { isOutOfDescriptors } from '../posix/descriptors.js';
import { PosixError } from '../posix/posix-error.js';
import type { SourceGauge } from '../source/source-gauge.js';
import type { SourceTree } from '../source/source-tree.js';
import type { Clock } from '../time/clock.js';
import { stopped } from './breakage.js';

/** Errors by which a server says that it cannot answer now; such an entry is tried again. */
const TRANSIENT = new Set(['ESTALE', 'ETIMEDOUT']);
/** Errors that entries have while their server is away; each of them can also be that of one entry. */
const OUTAGE = new Set([...TRANSIENT, 'EIO', 'EHOSTDOWN', 'EHOSTUNREACH', 'ENOTCONN', 'ECONNABORTED', 'ESHUTDOWN']);
/** Pauses before an entry is tried again; the last one also between the tries of an entry that is held back. */
const PAUSES_MS = [1000, 3000, 5000];
const MOST_TRIES = 3;
/** So many entries, with nothing read between them, may be an outage: what fails further is held back. */
const ENTRIES_IN_A_ROW = 3;
/** So long what fails in a row is held back whatever the root answers; and so long counts what it answers after that. */
const MINUTE_MS = 60_000;
const MOST_CAUSES = 8;

/** An entry that could not be read. */
type FailedEntry = object;

/**
 * Tells the failure of an entry from that of a whole file system, for one lane: that of the root, or one that is mounted
 * below it and may have a server of its own.
 *
 * What fails as it does when a server is away is tried again a few times. Then the root of its file system is asked: when
 * it answers, the entry has failed, else it is held back: it is tried again and again until something can be read. When
 * several entries in a row have failed so, all further ones of that file system are held back for a minute before its
 * root is asked. When it does not answer then, it is away, and the job waits for it.
 */
export class SourceOutage {
  readonly #source: SourceTree;
  readonly #gauge: SourceGauge;
  readonly #clock: Clock;
  readonly #stop: { readonly asked: boolean; readonly controller: AbortController };
  /** Of which something has failed, by the path at which they are mounted. */
  readonly #fileSystems = new Map<string, FileSystem>();
  /** Of those, how many have failed since something of them could be read. */
  #troubled = 0;
  #mountPoints: readonly Buffer[] = [];

  constructor(
    source: SourceTree,
    gauge: SourceGauge,
    clock: Clock,
    stop: { readonly asked: boolean; readonly controller: AbortController },
  ) {
    this.#source = source;
    this.#gauge = gauge;
    this.#clock = clock;
    this.#stop = stop;
  }

  /** Something could be read. Cheap: called for each entry. @param path of it, or of its directory */
  succeeded(path: Uint8Array): void {
    if (this.#troubled > 0) this.#answered(this.#fileSystemOf(path));
  }

  /**
   * Does something of the source that has failed again, where that may help.
   *
   * @param path of what has failed, or of its directory
   * @throws what `work` throws when it has failed for good; the error itself when it is not one of an outage;
   *   ClfsError `cancelled` when the job stops meanwhile
   */
  async again<T>(path: Uint8Array, error: unknown, work: () => T | Promise<T>): Promise<T> {
    let last = error;
    const entry: FailedEntry = {};
    let fileSystem: FileSystem | undefined;
    // It may be mounted no more by then.
    const answered = () => (fileSystem ? this.#answered(fileSystem) : this.succeeded(path));
    for (let tries = 1; ; tries++) {
      const errno = errnoOf(last);
      if (errno === undefined || !OUTAGE.has(errno)) {
        // Whatever it says, the source has answered; what is not its own says nothing.
        if (isClfsError(last, 'entry')) answered();
        throw last;
      }
      if (!fileSystem) {
        const mounts = this.#source.mounts?.() ?? [];
        this.#mountPoints = mounts.filter(({ isLater }) => !isLater).map(({ path: point }) => point);
        fileSystem = this.#fileSystemOf(path);
      }
      if (!(await this.#isWorthATry(fileSystem, entry, TRANSIENT.has(errno) && tries < MOST_TRIES))) throw last;
      await this.#clock.sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length) - 1], this.#stop.controller.signal);
      if (this.#stop.asked) throw stopped();
      try {
        const result = await work();
        answered();
        return result;
      } catch (thrown) {
        last = thrown;
      }
    }
  }

  async #isWorthATry(at: FileSystem, entry: FailedEntry, isTransient: boolean): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (at.failed.size === 0) {
      at.sinceMs = now;
      this.#troubled++;
    }
    at.failed.add(entry);
    if (isTransient) return true;
    if (now < at.provenUntilMs) return false;
    const isYoung = now - at.sinceMs < MINUTE_MS;
    // Another server may answer for its root than for what failed.
    if (isYoung && at.failed.size >= ENTRIES_IN_A_ROW) return true;
    at.probe ??= this.#rootAnswers(at).finally(() => {
      at.probe = undefined;
    });
    if (!(await at.probe)) {
      if (!isYoung) {
        at.isAway = true;
        this.#tell();
      }
      return true;
    }
    if (!isYoung) {
      at.provenUntilMs = this.#clock.monotonic() + MINUTE_MS;
      this.#answered(at);
    }
    return false;
  }

  #answered(at: FileSystem): void {
    if (at.failed.size === 0) return;
    at.failed.clear();
    this.#troubled--;
    at.isAway = false;
    this.#tell();
  }

  /** Since when the first of those that are away is. */
  #tell(): void {
    const away = [...this.#fileSystems.values()].filter(({ isAway }) => isAway);
    this.#gauge.set('awaySince', away.length === 0 ? 0 : Math.min(...away.map(({ sinceMs }) => sinceMs)));
  }

  /** The innermost file system that a path is on. */
  #fileSystemOf(path: Uint8Array): FileSystem {
    let root: Buffer = ROOT;
    for (const point of this.#mountPoints) if (point.length > root.length && isAtOrBelow(path, point)) root = point;
    const key = root.toString('latin1');
    let found = this.#fileSystems.get(key);
    if (!found) {
      found = { root, failed: new Set(), sinceMs: 0, provenUntilMs: 0, isAway: false, probe: undefined };
      this.#fileSystems.set(key, found);
    }
    return found;
  }

  async #rootAnswers({ root: path }: FileSystem): Promise<boolean> {
    try {
      const { async } = this.#source;
      const root = async ? await async.openDirectory(path) : this.#source.openDirectory(path);
      try {
        // What a client remembers of it says nothing of its server.
        await (root.async?.attributes(true) ?? root.attributes(true));
      } finally {
        root.close();
      }
      return true;
    } catch (error) {
      // One that refuses is there; of what this process lacks it says nothing.
      const errno = errnoOf(error);
      return errno !== undefined && !OUTAGE.has(errno) && !isOutOfDescriptors(error);
    }
  }
}

/** A file system of a source, as far as something of it has failed. */
interface FileSystem {
  /** Where it is mounted, below the root. */
  readonly root: Buffer;
  /** Entries that failed since something could be read. */
  readonly failed: Set<FailedEntry>;
  sinceMs: number;
  /** Until when it is known that what fails is not the file system as a whole. */
  provenUntilMs: number;
  isAway: boolean;
  probe: Promise<boolean> | undefined;
}

function isAtOrBelow(path: Uint8Array, point: Buffer): boolean {
  if (path.length < point.length || (path.length > point.length && path[point.length] !== SLASH)) return false;
  return point.equals(path.subarray(0, point.length));
}

const SLASH = 0x2f;
const ROOT = Buffer.alloc(0);

/** What the system said, at the root of a failure of an entry. */
function errnoOf(error: unknown): string | undefined {
  if (!isClfsError(error, 'entry')) return undefined;
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && depth < MOST_CAUSES; depth++) {
    if (at instanceof PosixError) return at.errno;
    at = at.cause;
  }
  return undefined;
}

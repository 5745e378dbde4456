import { isClfsError } from '../error.js';
import { isTransient, mountOf, mountPointsOf, outageOf, PAUSES_MS, rootAnswers } from '../source/source-away.js';
import type { SourceGauge } from '../source/source-gauge.js';
import type { SourceTree } from '../source/source-tree.js';
import type { Clock } from '../time/clock.js';
import { stopped } from './breakage.js';

/** So many entries, with nothing read between them, may be an outage: what fails further is held back. */
const ENTRIES_IN_A_ROW = 3;
/** So long what fails in a row is held back whatever the root answers; and so long counts what it answers after that. */
const MINUTE_MS = 60_000;

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
      const errno = outageOf(last);
      if (errno === undefined) {
        // Whatever it says, the source has answered; what is not its own says nothing.
        if (isClfsError(last, 'entry')) answered();
        throw last;
      }
      if (!fileSystem) {
        this.#mountPoints = mountPointsOf(this.#source);
        fileSystem = this.#fileSystemOf(path);
      }
      if (!(await this.#isWorthATry(fileSystem, entry, isTransient(errno, tries)))) throw last;
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
    at.probe ??= rootAnswers(this.#source, at.root).finally(() => {
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
    const root = mountOf(path, this.#mountPoints);
    const key = root.toString('latin1');
    let found = this.#fileSystems.get(key);
    if (!found) {
      found = { root, failed: new Set(), sinceMs: 0, provenUntilMs: 0, isAway: false, probe: undefined };
      this.#fileSystems.set(key, found);
    }
    return found;
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

import { isClfsError } from '../error.js';
import { PosixError } from '../posix/libc.js';
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
 * Tells the failure of an entry from that of the whole source, for one lane.
 *
 * What fails as it does when a server is away is tried again a few times. Then the root is asked: when it answers, the
 * entry has failed, else it is held back: it is tried again and again until something can be read. When several entries
 * in a row have failed so, all further ones are held back for a minute before the root is asked. When it does not answer
 * then, the source is away, and the job waits for it.
 */
export class SourceOutage {
  readonly #source: SourceTree;
  readonly #gauge: SourceGauge;
  readonly #clock: Clock;
  readonly #stop: { readonly asked: boolean; readonly controller: AbortController };
  /** Entries that failed since something could be read. */
  readonly #failed = new Set<FailedEntry>();
  #sinceMs = 0;
  /** Until when it is known that what fails is not the source as a whole. */
  #provenUntilMs = 0;
  #probe: Promise<boolean> | undefined;

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

  /** Something of the source could be read. Cheap: called for each entry. */
  succeeded(): void {
    if (this.#failed.size > 0) this.#answered();
  }

  /**
   * Does something of the source that has failed again, where that may help.
   *
   * @throws what `work` throws when it has failed for good; the error itself when it is not one of an outage;
   *   ClfsError `cancelled` when the job stops meanwhile
   */
  async again<T>(error: unknown, work: () => T | Promise<T>): Promise<T> {
    let last = error;
    const entry: FailedEntry = {};
    for (let tries = 1; ; tries++) {
      const errno = errnoOf(last);
      if (errno === undefined || !OUTAGE.has(errno)) {
        // Whatever it says, the source has answered; what is not its own says nothing.
        if (isClfsError(last, 'entry')) this.succeeded();
        throw last;
      }
      if (!(await this.#isWorthATry(entry, TRANSIENT.has(errno) && tries < MOST_TRIES))) throw last;
      await this.#clock.sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length) - 1], this.#stop.controller.signal);
      if (this.#stop.asked) throw stopped();
      try {
        const result = await work();
        this.succeeded();
        return result;
      } catch (thrown) {
        last = thrown;
      }
    }
  }

  async #isWorthATry(entry: FailedEntry, isTransient: boolean): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#failed.size === 0) this.#sinceMs = now;
    this.#failed.add(entry);
    if (isTransient) return true;
    if (now < this.#provenUntilMs) return false;
    const isYoung = now - this.#sinceMs < MINUTE_MS;
    // Another server may answer for the root than for what failed.
    if (isYoung && this.#failed.size >= ENTRIES_IN_A_ROW) return true;
    this.#probe ??= this.#rootAnswers().finally(() => {
      this.#probe = undefined;
    });
    if (!(await this.#probe)) {
      if (!isYoung) this.#gauge.set('awaySince', this.#sinceMs);
      return true;
    }
    if (!isYoung) {
      this.#provenUntilMs = this.#clock.monotonic() + MINUTE_MS;
      this.#answered();
    }
    return false;
  }

  #answered(): void {
    this.#failed.clear();
    this.#gauge.set('awaySince', 0);
  }

  async #rootAnswers(): Promise<boolean> {
    try {
      const { async } = this.#source;
      const root = async ? await async.openDirectory(ROOT) : this.#source.openDirectory(ROOT);
      try {
        // What a client remembers of it says nothing of its server.
        await (root.async?.attributes(true) ?? root.attributes(true));
      } finally {
        root.close();
      }
      return true;
    } catch {
      return false;
    }
  }
}

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

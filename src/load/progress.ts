import { sharePermille } from '../books/work-share.js';
import type { Traffic } from '../container/traffic.js';
import type { SourceCalls } from '../state/job-record.js';
import type { JobCounters } from '../state/job-state.js';
import type { Clock } from '../time/clock.js';
import type { Stalled } from '../waits/stall-report.js';
import type { UnstorableCount } from '../worker/unstorable-count.js';

/** Phases of a load, in order; Reconcile and Cleanup only when they have work. */
export type Phase = 'Init' | 'Transfer' | 'Reconcile' | 'Cleanup' | 'Finalize' | 'Done';

/** What the source does, as the lanes tell it. */
export interface SourceState {
  readonly calls: SourceCalls;
  /** What of the source, or of a container on disk, has not been answered for long. */
  readonly stalled: Stalled | undefined;
  /** Since when, in milliseconds since 1970, the source, or a file system in it, cannot be read; 0 when it can. */
  readonly awaySinceMs: number;
}

/** Where a load stands. */
export interface ProgressSnapshot {
  readonly phase: Phase;
  /** Entries done, those of earlier sessions included; directories count. */
  readonly filesDone: number;
  readonly filesFailed: number;
  /** Entries left out by the user's choice; what is below an excluded directory is not counted. */
  readonly filesExcluded: number;
  readonly filesPending: number;
  /** All entries known so far: those of the sizing pass when it knows more. */
  readonly filesTotal: number;
  /** Whether the totals still grow: neither the listing nor the sizing pass has seen everything. */
  readonly scanning: boolean;
  /** Whether both totals are those of all of the source: they change only if it does. */
  readonly totalsKnown: boolean;
  /** Bytes of file data done, those of earlier sessions included. */
  readonly bytesDone: number;
  /**
   * Thousandths of the work done, by entries and bytes. Never falls, also over sessions that were killed; 0 while the
   * totals are not known, and at most 999 before the end.
   */
  readonly permille: number;
  /**
   * Bytes of file data in all, as far as they are known: those done, those left of large files, or what the sizing pass
   * found.
   */
  readonly bytesTotal: number;
  /** Entries done in the current session. */
  readonly sessionFiles: number;
  /**
   * Bytes of file data done in the current session; what was taken off, of files that are loaded anew, is not made up
   * for.
   */
  readonly sessionBytes: number;
  /** Bytes sent in requests in the current session, repeated ones included. */
  readonly bytesOnWire: number;
  readonly requests: number;
  readonly retries: number;
  readonly throttled: number;
  /** Since when, in milliseconds since 1970, the service does not answer; 0 when it does. */
  readonly waitingSinceMs: number;
  /** Workers on other machines that are there; undefined where none can be. */
  readonly workers: number | undefined;
  /** How the source is called, and whether it answers; undefined before the session begins. */
  readonly source: SourceState | undefined;
  /** Milliseconds since the session began. */
  readonly elapsedMs: number;
  /** Milliseconds that the listing of the container is expected to take, when the last entry is done. */
  readonly listingMs: number;
}

/** Entries and bytes of a source, as a pass over all of it found them. */
export interface SizedTotals {
  readonly entries: number;
  readonly bytes: number;
}

/** What a job records of its progress. */
export interface RecordedProgress {
  /** See {@link ProgressSnapshot.permille}. */
  readonly permille: number;
  /** Absent while nobody has gone over all of the source. */
  readonly sized?: SizedTotals;
}

/** Names that are listed a second, about: what docs/performance.md has of the listing before the commit. */
const LISTED_PER_SECOND = 100_000;

/** How long listings count what the format cannot hold. */
const COUNT_LISTED_MS = 5000;

/** Counters of a running load, to be polled. */
export class Progress {
  phase: Phase = 'Init';
  /** Tells how many workers on other machines are there. */
  workers: (() => number) | undefined;
  found = 0;
  failed = 0;
  /** Failures of the current session: what `--max-errors` counts. */
  sessionFailures = 0;
  scanning = true;
  source: () => SourceState | undefined = () => undefined;
  /** How the source is called, once each time that it is to be recorded. */
  takeSourceCalls: () => SourceCalls | undefined = () => undefined;
  /** Bytes that are left of the large files which are known. */
  openLargeBytes: () => number = () => 0;
  /** What of the source the format cannot hold; undefined when nobody has gone over all of it. */
  unstorable: UnstorableCount | undefined;
  /** The same of what the listings of the first seconds found; undefined once one of them did not count. */
  listedUnstorable: UnstorableCount | undefined;
  /** Why nobody has. */
  notCounted = 'the load did not size its source';
  /** Whether a pass over the source is to come or under way, so that totals are foretold only when it has ended. */
  sizing = false;
  /** Whether the container is listed before the job commits. */
  checksListing = true;
  #sized: (SizedTotals & { readonly complete: boolean }) | undefined;
  readonly #clock: Clock;
  readonly #begunMs: number;
  #bytesBefore = 0;
  #doneBefore = 0;
  #counters: () => JobCounters = () => ({ done: 0, bytes: 0, excluded: 0 });
  #traffic: Traffic | undefined;
  #recorded: () => RecordedProgress = () => ({ permille: 0 });

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begunMs = clock.monotonic();
  }

  /**
   * Counts what earlier sessions did.
   *
   * @param counters what is recorded: the one truth of what is done
   * @param recorded what is recorded of the progress
   */
  begin(
    { counters, recorded }: { readonly counters: () => JobCounters; readonly recorded: () => RecordedProgress },
    failed: number,
    open: number,
    traffic: Traffic,
  ): void {
    const { done, bytes } = counters();
    this.#counters = counters;
    this.#recorded = recorded;
    const { sized } = recorded();
    if (sized && !this.#sized?.complete) this.setSized(sized.entries, sized.bytes, true);
    this.#bytesBefore = bytes;
    this.#doneBefore = done;
    this.failed = failed;
    this.found = done + failed + open;
    this.#traffic = traffic;
  }

  /**
   * Whether a listing that begins now is to count what the format cannot hold: after some seconds the sizing pass does.
   */
  countsListed(): boolean {
    if (this.#clock.monotonic() - this.#begunMs > COUNT_LISTED_MS) this.listedUnstorable = undefined;
    return this.listedUnstorable !== undefined;
  }

  /** Takes what the sizing pass has found so far. */
  setSized(entries: number, bytes: number, complete: boolean): void {
    if (!complete && this.#sized?.complete) return;
    this.#sized = { entries, bytes, complete };
  }

  /** What is to be recorded of the progress, with the results that brought it. */
  toRecord(): RecordedProgress {
    const { permille, sized } = this.#recorded();
    const known = this.#sized?.complete ? { entries: this.#sized.entries, bytes: this.#sized.bytes } : sized;
    return { permille: Math.max(permille, this.#permille()), sized: known };
  }

  get #totalsKnown(): boolean {
    return this.#sized?.complete ?? (!this.scanning && !this.sizing);
  }

  /** By entries and bytes, as far as they have been done by now. */
  #permille(): number {
    if (!this.#totalsKnown) return 0;
    const { done, bytes } = this.#counters();
    const [total, bytesTotal] = [this.#total(done), this.#bytesTotal(bytes)];
    return sharePermille({ done: done + this.failed, total, bytes, bytesTotal });
  }

  snapshot(): ProgressSnapshot {
    const traffic = this.#traffic?.totals();
    const { done, bytes, excluded } = this.#counters();
    const total = this.#total(done);
    const { permille } = this.#recorded();
    return {
      phase: this.phase,
      filesDone: done,
      filesFailed: this.failed,
      filesExcluded: excluded,
      filesPending: total - done - this.failed,
      filesTotal: total,
      scanning: this.scanning && this.#sized?.complete !== true,
      // Until the share is recorded it would be told as 0, which it is not.
      totalsKnown: this.#totalsKnown && (permille > 0 || this.#permille() === 0),
      permille,
      bytesDone: bytes,
      bytesTotal: this.#bytesTotal(bytes),
      sessionFiles: done - this.#doneBefore,
      sessionBytes: Math.max(0, bytes - this.#bytesBefore),
      bytesOnWire: traffic?.bytesSent ?? 0,
      requests: traffic?.requests ?? 0,
      retries: traffic?.retries ?? 0,
      throttled: traffic?.throttled ?? 0,
      waitingSinceMs: traffic?.waitingSince ?? 0,
      workers: this.workers?.(),
      source: this.source(),
      elapsedMs: this.#clock.monotonic() - this.#begunMs,
      listingMs: this.checksListing ? (1000 * total) / LISTED_PER_SECOND : 0,
    };
  }

  /** A tree that grows while it is loaded can hold more than it had when it was sized. */
  #total(done: number): number {
    return Math.max(this.found, done + this.failed, this.scanning ? (this.#sized?.entries ?? 0) : 0);
  }

  #bytesTotal(bytes: number): number {
    return Math.max(bytes + this.openLargeBytes(), this.#sized?.bytes ?? 0);
  }
}

import type { Traffic } from '../container/traffic.js';
import type { JobCounters } from '../state/job-state.js';
import type { Clock } from '../time/clock.js';
import type { UnstorableCount } from '../worker/unstorable-count.js';

/** Phases of a load, in order; Reconcile and Cleanup only when they have work. */
export type Phase = 'Init' | 'Transfer' | 'Reconcile' | 'Cleanup' | 'Finalize' | 'Done';

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
  /** Bytes of file data done, those of earlier sessions included. */
  readonly bytesDone: number;
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
  /** Milliseconds since the session began. */
  readonly elapsedMs: number;
}

/** How long listings count what the format cannot hold. */
const COUNT_LISTED_MS = 5000;

/** Counters of a running load, to be polled. */
export class Progress {
  phase: Phase = 'Init';
  found = 0;
  failed = 0;
  /** Failures of the current session: what `--max-errors` counts. */
  sessionFailures = 0;
  scanning = true;
  /** Bytes that are left of the large files which are known. */
  openLargeBytes: () => number = () => 0;
  /** What of the source the format cannot hold; undefined when nobody has gone over all of it. */
  unstorable: UnstorableCount | undefined;
  /** The same of what the listings of the first seconds found; undefined once one of them did not count. */
  listedUnstorable: UnstorableCount | undefined;
  /** Why nobody has. */
  notCounted = 'the load did not size its source';
  #sized: { readonly entries: number; readonly bytes: number; readonly complete: boolean } | undefined;
  readonly #clock: Clock;
  readonly #begunMs: number;
  #bytesBefore = 0;
  #doneBefore = 0;
  #counters: () => JobCounters = () => ({ done: 0, bytes: 0, excluded: 0 });
  #traffic: Traffic | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begunMs = clock.monotonic();
  }

  /**
   * Counts what earlier sessions did.
   *
   * @param counters what is recorded: the one truth of what is done
   */
  begin(counters: () => JobCounters, failed: number, open: number, traffic: Traffic): void {
    const { done, bytes } = counters();
    this.#counters = counters;
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
    this.#sized = { entries, bytes, complete };
  }

  snapshot(): ProgressSnapshot {
    const traffic = this.#traffic?.totals();
    const { done, bytes, excluded } = this.#counters();
    // A tree that grows while it is loaded can hold more than it had when it was sized.
    const total = Math.max(this.found, done + this.failed, this.scanning ? (this.#sized?.entries ?? 0) : 0);
    return {
      phase: this.phase,
      filesDone: done,
      filesFailed: this.failed,
      filesExcluded: excluded,
      filesPending: total - done - this.failed,
      filesTotal: total,
      scanning: this.scanning && this.#sized?.complete !== true,
      bytesDone: bytes,
      bytesTotal: Math.max(bytes + this.openLargeBytes(), this.#sized?.bytes ?? 0),
      sessionFiles: done - this.#doneBefore,
      sessionBytes: Math.max(0, bytes - this.#bytesBefore),
      bytesOnWire: traffic?.bytesSent ?? 0,
      requests: traffic?.requests ?? 0,
      retries: traffic?.retries ?? 0,
      throttled: traffic?.throttled ?? 0,
      waitingSinceMs: traffic?.waitingSince ?? 0,
      elapsedMs: this.#clock.monotonic() - this.#begunMs,
    };
  }
}

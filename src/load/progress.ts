import type { Traffic } from '../container/traffic.js';

/** Phases of a load, in order; Reconcile and Cleanup only when they have work. */
export type Phase = 'Init' | 'Transfer' | 'Reconcile' | 'Cleanup' | 'Finalize' | 'Done';

/** Where a load stands. */
export interface ProgressSnapshot {
  readonly phase: Phase;
  /** Entries done, those of earlier sessions included; directories count. */
  readonly filesDone: number;
  readonly filesFailed: number;
  readonly filesPending: number;
  /** All entries known so far. */
  readonly filesTotal: number;
  /** Whether directories remain to be listed: the total still grows. */
  readonly scanning: boolean;
  /** Bytes of file data done, those of earlier sessions included. */
  readonly bytesDone: number;
  /** Bytes of file data done in the current session. */
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

/** Counters of a running load, to be polled. */
export class Progress {
  phase: Phase = 'Init';
  found = 0;
  done = 0;
  failed = 0;
  /** Failures of the current session: what `--max-errors` counts. */
  sessionFailures = 0;
  bytes = 0;
  scanning = true;
  readonly #begunMs: number;
  #bytesBefore = 0;
  #traffic: Traffic | undefined;

  constructor(nowMs: number) {
    this.#begunMs = nowMs;
  }

  /** Counts what earlier sessions did. */
  begin(counters: { readonly done: number; readonly bytes: number }, failed: number, open: number, traffic: Traffic): void {
    this.done = counters.done;
    this.bytes = counters.bytes;
    this.#bytesBefore = counters.bytes;
    this.failed = failed;
    this.found = counters.done + failed + open;
    this.#traffic = traffic;
  }

  snapshot(nowMs: number): ProgressSnapshot {
    const traffic = this.#traffic?.totals();
    const total = Math.max(this.found, this.done + this.failed);
    return {
      phase: this.phase,
      filesDone: this.done,
      filesFailed: this.failed,
      filesPending: total - this.done - this.failed,
      filesTotal: total,
      scanning: this.scanning,
      bytesDone: this.bytes,
      sessionBytes: this.bytes - this.#bytesBefore,
      bytesOnWire: traffic?.bytesSent ?? 0,
      requests: traffic?.requests ?? 0,
      retries: traffic?.retries ?? 0,
      throttled: traffic?.throttled ?? 0,
      waitingSinceMs: traffic?.waitingSince ?? 0,
      elapsedMs: nowMs - this.#begunMs,
    };
  }
}

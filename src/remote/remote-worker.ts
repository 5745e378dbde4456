import type { Blame } from '../engine/runner.js';
import type { ClfsError } from '../error.js';
import type { Clock } from '../time/clock.js';
import type { Candidate, WorkerCounters } from './messages.js';
import type { RecentRate } from './recent-rate.js';

/** What is known of the workers of a driver. */
export interface WorkersParts {
  readonly clock: Clock;
  /** Names the session of the driver: never that of another one. */
  readonly epoch: string;
  /** After so long without an answer a worker sends nothing any more. */
  readonly leaseMs: number;
  /** Longest time after which what was sent can still take effect. */
  readonly lateArrivalMs: number;
  /** What lanes need to know before their first task: plain data. */
  readonly setup: unknown;
  /** For all workers, in megabits per second; 0: no cap. */
  readonly capMbps: number;
  /** Lanes of this process that share the cap. */
  readonly ownLanes: number;
  /** Why somebody is refused; undefined: it may take part. */
  refusal?(candidate: Candidate): string | undefined;
  /** Told what people may want to know. */
  report(text: string): void;
  /** Told what workers have sent, since they told it the last time. */
  counted(counters: WorkerCounters): void;
  /** The number of lanes has changed. */
  changed(lanes: number): void;
  /** Whether work waits for somebody to take it. */
  hasWaiting(): boolean;
  /** Told what of the cap is left to the lanes of this process, in megabits per second. */
  ownShare?(megabitsPerSecond: number): void;
  /**
   * A worker has gone.
   *
   * @param uncertainUntilMs until when what it has sent can take effect
   * @param blameOf what speaks for it that a ticket which it had is why
   */
  gone(worker: RemoteWorker, uncertainUntilMs: number, blameOf: (ticket: number) => Blame): void;
  /** Nobody has been left for a while, and the last one has had a trouble that the job would have had by itself. */
  allTroubled(error: ClfsError): void;
}

/** A worker that takes part. */
export interface RemoteWorker {
  readonly candidate: Candidate;
  readonly tickets: Set<number>;
  /** Of its tickets. */
  heldUnits: number;
  /** It has one ticket, and is to have no other beside. */
  alone: boolean;
  /** On the monotonic clock. */
  heardMs: number;
  /** For how long it was not heard of, while the driver could hear. */
  silentMs: number;
  /** When it was told the last time that it may go on. */
  answeredMs: number;
  counters: WorkerCounters;
  /** Since when it takes part, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** What it does of late. */
  readonly units: RecentRate;
  readonly bytes: RecentRate;
}

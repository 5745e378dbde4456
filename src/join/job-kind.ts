import type { MessagePort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/authorization.js';
import type { Container } from '../container/container.js';
import type { RemoteLane } from '../container/lease.js';
import type { ContainerPlace } from '../container/open-container.js';
import type { ClfsError } from '../error.js';
import type { WorkerOptions } from './worker-options.js';

/**
 * What a worker is told of a job before its first task: plain data, and beside it what its kind of job needs. What lets
 * it into the container is not in it.
 */
export interface JobSetup {
  readonly kind: string;
  readonly place: ContainerPlace;
}

/** What each lane of a worker is opened with, in a thread of its own, whatever it does. */
interface MemberLane {
  readonly place: ContainerPlace;
  readonly authorization: Authorization;
  /** Lanes of the process, which share its descriptors. */
  readonly lanes: number;
  /** Memory of the `Traffic` of all lanes, and the place of this one in it. */
  readonly traffic: SharedArrayBuffer;
  readonly slot: number;
  readonly remote: RemoteLane;
  /** By which it may ask the driver; answers come in the order of the questions. */
  readonly port: MessagePort;
}

/** A job, on a machine that can take part in it. */
export interface JobHere<LaneSetup> {
  /** What a thread is told before its first task. Plain data, and the port. */
  laneOf(lane: MemberLane): LaneSetup;
  /** What of the job's files does not answer a lane, for people; to be asked once a second or so. */
  stalled?(): string | undefined;
  /** Why its lanes get nowhere on this machine, and others had better have its tasks; undefined: they do. */
  stuck?(): string | undefined;
  /**
   * Why what is found of the job's files says nothing of them, since this machine has not any more what it was let in
   * with; to be asked before anything is told. Undefined: it has all.
   */
  lacking?(): ClfsError | undefined;
  /** Gives back what the lanes had, when the last one of them has ended. */
  close(): void;
}

/**
 * A kind of job, as workers serve it. What else a worker needs is the same for all: its way into the container, a lease,
 * threads, and what `remote/` says for it.
 */
export interface JobKind<Setup extends JobSetup, LaneSetup> {
  readonly kind: Setup['kind'];
  /** Module that a thread with a lane runs: it does the kinds of tasks of such a job. */
  readonly entry: URL;
  /**
   * Makes sure that this machine sees what the job is about, with rights that suffice.
   *
   * @param lanes that are going to be opened
   * @throws ClfsError with the reason why this worker cannot take part
   */
  open(setup: Setup, options: WorkerOptions, lanes: number): Promise<JobHere<LaneSetup>>;
  /** Makes sure that this is the container of the job. @throws ClfsError with the reason why not */
  requireContainer(setup: Setup, container: Container): Promise<void>;
}

/** A kind of job of which nothing is known here but that its own driver has sent what it is opened with. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyJobKind = JobKind<any, any>;

import type { Breakage } from './breakage.js';
import type { Kinds, PartMessage, ResultMessage, TaskMessage } from './kinds.js';

/** What speaks for it that a task is why its lane is gone. */
export interface Blame {
  /** How much of a lane that has gone because of it: 0 nothing, 1 all. */
  readonly share: number;
  /** What has ended it on that lane, where it was told. */
  readonly broken?: Breakage;
}

/** The lane has gone for a reason of its own. */
export const NOT_BLAMED: Blame = { share: 0 };
/** The lane has gone while it had the task, and nobody knows why. */
export const BLAMED: Blame = { share: 1 };

/** Told of what tasks do, by their ticket. Never called from inside {@link Runner.submit}. */
export interface RunnerEvents<M extends Kinds<M>> {
  part(ticket: number, part: PartMessage<M>): void;
  done(ticket: number, result: ResultMessage<M>): void;
  /**
   * The lane of a task is gone, and with it what the task has done. Another lane may do the work anew.
   *
   * @param uncertainUntilMs until when what it has sent may still take effect, on the clock's monotonic scale; 0: the
   *   task was never begun
   * @param blame what speaks for it that the task has brought the lane down
   */
  lost(ticket: number, uncertainUntilMs: number, blame: Blame): void;
  /** So many lanes are elsewhere now; see {@link Runner.remote}. */
  remoteLanes(count: number): void;
  /** The job has to stop: by what a task threw, or (without a ticket) since a lane cannot go on. */
  failed(error: unknown, ticket?: number): void;
}

/** Runs tasks on lanes: in threads, in the caller's own, or wherever. */
export interface Runner<M extends Kinds<M>> {
  /** Number of places of this process that run tasks side by side. */
  readonly lanes: number;
  /** Whether no call of the first lane ever holds up its thread, which has something else to do as well. */
  readonly firstNeverBlocks?: boolean;
  /**
   * Whether there may be lanes elsewhere too, which come and go: one number, that behind the last of `lanes`, stands for
   * all of them. Their tasks wait while there is none.
   */
  readonly remote?: boolean;
  /** Says who is told from here on; before the first task. Another one may take over while nothing runs. */
  start(events: RunnerEvents<M>): void;
  /**
   * Gives a task to a lane, which may have several at once. A ticket is used once.
   *
   * @param units how much of a lane it takes
   * @param alone nothing else is to run in its process, where that is another one: lanes have gone with it
   */
  submit(lane: number, ticket: number, task: TaskMessage<M>, units: number, alone?: boolean): void;
  /** What was told so far is recorded, durably: who waits for that may be answered. */
  recorded?(): void;
  /** Has tasks end what is under way and begin nothing new; each still tells its result. */
  stop(): void;
  /** Has what is under way given up, so that each task tells now what of it counts. */
  abandon(): void;
  /** Ends everything; unanswered tasks are never answered. */
  close(): Promise<void>;
}

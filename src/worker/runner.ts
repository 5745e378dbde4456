import type { Authorization } from '../container/azure/blob-service.js';
import type { Task, TaskPart, TaskResult } from './tasks.js';

/** Told of what tasks do, by their number. Never called from inside {@link TaskRunner.submit}. */
export interface RunnerEvents {
  part(task: number, part: TaskPart): void;
  done(task: number, result: TaskResult): void;
  /** The job has to stop: the container failed for good, or (task -1) a thread died. */
  failed(task: number, error: unknown): void;
}

/** Runs tasks: in threads, or in the caller's own. */
export interface TaskRunner {
  /** Number of places that run tasks side by side. */
  readonly lanes: number;
  /** Says who is told from here on; before the first task. Another one may take over while nothing runs. */
  start(events: RunnerEvents): void;
  /** Gives a task to a lane, which may have several at once. */
  submit(lane: number, task: number, work: Task): void;
  /** Hands on a renewed SAS or token. */
  authorize(authorization: Authorization): void;
  /** Has tasks end what is under way and begin nothing new; each still tells its result. */
  stop(): void;
  /** Has requests under way given up, so that each task tells now what of it is acknowledged. */
  abandon(): void;
  /** Ends everything; unanswered tasks are never answered. */
  close(): Promise<void>;
}

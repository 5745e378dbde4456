import type { Authorization } from '../container/azure/blob-service.js';
import type { ListPart, Task, TaskResult } from './tasks.js';

/** Told of what tasks do, by their number. Never called from inside {@link TaskRunner.submit}. */
export interface RunnerEvents {
  part(task: number, part: ListPart): void;
  done(task: number, result: TaskResult): void;
  /** The job has to stop: the container failed for good, or a thread died. */
  failed(task: number, error: unknown): void;
  /** Something for the job log. */
  log(text: string): void;
}

/** Runs tasks: in threads, or in the caller's own. */
export interface TaskRunner {
  /** Number of places that run tasks side by side. */
  readonly lanes: number;
  /** Gives a task to a lane, which may have several at once. */
  submit(lane: number, task: number, work: Task): void;
  /** Hands on a renewed SAS or token. */
  authorize(authorization: Authorization): void;
  /** Stops what is running as soon as it can; unanswered tasks are never answered. */
  close(): Promise<void>;
}

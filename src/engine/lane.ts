import {
  type Executors,
  execute,
  type Kinds,
  type PartMessage,
  type ResultMessage,
  type TaskMessage,
} from './kinds.js';

/**
 * Takes lines of a lane for the job's log.
 *
 * @param detail whether the line is for a log that has everything
 */
export type LaneLog = (text: string, detail?: boolean) => void;

/** A lane that is open: does tasks, several at once. */
export interface Lane<M extends Kinds<M>> {
  /**
   * Does a task.
   *
   * @param part told of parts of the result, before it
   * @throws what ends the job
   */
  execute(task: TaskMessage<M>, part: (part: PartMessage<M>) => void): Promise<ResultMessage<M>>;
  /** Has tasks end what is under way and begin nothing new. */
  stop(): void;
  /** Has tasks not wait any more for what is under way. */
  abandon(): void;
  /** Gives back what the lane holds. @param idle resolves when none of its tasks runs */
  close(idle: Promise<unknown>): Promise<void>;
}

/** A lane whose tasks share `shared`. */
export function createLane<M extends Kinds<M>, Shared>(
  executors: Executors<M, Shared>,
  shared: Shared,
  ends: Pick<Lane<M>, 'stop' | 'abandon' | 'close'>,
): Lane<M> {
  return { ...ends, execute: (task, part) => execute(executors, task, shared, part) };
}

import { stopped } from '../worker/breakage.js';
import type { TaskRunner } from '../worker/runner.js';
import type { Task, TaskResult } from '../worker/tasks.js';

/** Tasks that a lane has at once. */
const TASKS_A_LANE = 4;

/**
 * Runs tasks that need no order and no state, in a runner in which nothing else runs.
 *
 * @param lanes to be used: the first, and the one behind the last
 * @returns the results in the order of the tasks
 * @throws the first error of a task; ClfsError `cancelled`
 */
export function runTasks<R>(
  runner: TaskRunner,
  { first, end }: { readonly first: number; readonly end: number },
  tasks: readonly Task[],
  result: (result: TaskResult) => R,
  signal: AbortSignal,
): Promise<readonly R[]> {
  return new Promise((resolve, reject) => {
    const results: R[] = [];
    const lanes = new Map<number, number>();
    let next = 0;
    let open = tasks.length;
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', abort);
      next = tasks.length;
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const abort = () => fail(stopped());
    const give = (lane: number) => {
      if (next >= tasks.length) return;
      lanes.set(next, lane);
      runner.submit(lane, next, tasks[next++]);
    };
    runner.start({
      part: () => undefined,
      done(task, value) {
        results[task] = result(value);
        if (--open > 0) give(lanes.get(task) ?? 0);
        else {
          signal.removeEventListener('abort', abort);
          resolve(results);
        }
      },
      failed: (_task, error) => fail(error),
    });
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    for (let turn = 0; turn < TASKS_A_LANE; turn++) for (let lane = first; lane < end; lane++) give(lane);
  });
}

import type { Kinds } from './kinds.js';
import type { Runner } from './runner.js';
import { isResultOf } from './work.js';

/** Tasks that a lane has at once. */
const TASKS_A_LANE = 4;

/** What {@link runAll} works with. */
export interface RunAllParts<M extends Kinds<M>> {
  /** In which nothing else runs. */
  readonly runner: Runner<M>;
  /** Lanes to be used: the first, and the one behind the last. */
  readonly lanes: { readonly first: number; readonly end: number };
  readonly signal: AbortSignal;
  /** What is thrown when the signal is aborted. */
  cancelled(): unknown;
}

/**
 * Runs tasks of one kind that need no order and no state.
 *
 * @returns the results in the order of the tasks
 * @throws the first error of a task; what `cancelled` says
 */
export function runAll<M extends Kinds<M>, K extends keyof M>(
  { runner, lanes: { first, end }, signal, cancelled }: RunAllParts<M>,
  kind: K,
  tasks: readonly M[K]['task'][],
): Promise<readonly M[K]['result'][]> {
  return new Promise((resolve, reject) => {
    const results = new Array<M[K]['result']>(tasks.length);
    const lanes = new Map<number, number>();
    let next = 0;
    let open = tasks.length;
    const abort = () => fail(cancelled());
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', abort);
      next = tasks.length;
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const submit = (lane: number, at: number) => {
      lanes.set(at, lane);
      runner.submit(lane, at, { kind, task: tasks[at] }, 1);
    };
    const give = (lane: number) => {
      if (next < tasks.length) submit(lane, next++);
    };
    runner.start({
      part: () => undefined,
      done(at, answer) {
        if (!isResultOf<M, K>(kind, answer))
          return fail(new Error(`A task was answered as one of kind ${String(answer.kind)}.`));
        results[at] = answer.result;
        if (--open > 0) give(lanes.get(at) ?? first);
        else {
          signal.removeEventListener('abort', abort);
          resolve(results);
        }
      },
      lost: (at) => submit(lanes.get(at) ?? first, at),
      remoteLanes: () => undefined,
      failed: fail,
    });
    if (signal.aborted) return abort();
    if (open === 0) return resolve(results);
    signal.addEventListener('abort', abort);
    for (let turn = 0; turn < TASKS_A_LANE; turn++) for (let lane = first; lane < end; lane++) give(lane);
  });
}

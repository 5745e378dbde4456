import type { WorkContext } from './context.js';
import { execute } from './execute.js';
import type { RunnerEvents, TaskRunner } from './runner.js';

/** Runs tasks in the caller's thread: for tests, and where threads are not wanted. */
export function createInlineRunner(context: WorkContext, events: RunnerEvents): TaskRunner {
  let closed = false;
  return {
    lanes: 1,
    submit(_lane, number, task) {
      setImmediate(() => {
        if (closed) return;
        execute(task, context, { part: (part) => void (closed || events.part(number, part)) }).then(
          (result) => void (closed || events.done(number, result)),
          (error: unknown) => void (closed || events.failed(number, error)),
        );
      });
    },
    authorize: () => undefined,
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}

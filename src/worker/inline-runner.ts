import type { WorkContext } from './context.js';
import { execute } from './execute.js';
import type { RunnerEvents, TaskRunner } from './runner.js';

/**
 * Runs tasks in the caller's thread.
 *
 * @param release ends what the tasks wait for when the runner is closed; they are waited for then
 */
export function createInlineRunner(context: WorkContext, events: RunnerEvents, release?: () => Promise<void>): TaskRunner {
  let closed = false;
  const running = new Map<number, Promise<void>>();
  return {
    lanes: 1,
    submit(_lane, number, task) {
      setImmediate(() => {
        if (closed) return;
        const end = execute(task, context, { part: (part) => void (closed || events.part(number, part)) })
          .then(
            (result) => void (closed || events.done(number, result)),
            (error: unknown) => void (closed || events.failed(number, error)),
          )
          .finally(() => running.delete(number));
        running.set(number, end);
      });
    },
    authorize: () => undefined,
    async close() {
      if (closed) return;
      closed = true;
      if (!release) return;
      await release();
      await Promise.all(running.values());
      context.source.close();
    },
  };
}

import type { WorkContext } from './context.js';
import { execute } from './execute.js';
import type { RunnerEvents, TaskRunner } from './runner.js';

/**
 * Runs tasks in the caller's thread.
 *
 * @param release ends what the tasks wait for, when requests are given up and when the runner is closed; undefined: nothing is ended
 */
export function createInlineRunner(context: WorkContext, release?: () => Promise<void>): TaskRunner {
  let events: RunnerEvents | undefined;
  let closed = false;
  let released: Promise<void> | undefined;
  const running = new Map<number, Promise<void>>();
  const giveUp = () => {
    released ??= release?.();
    return released;
  };
  return {
    lanes: 1,
    start(told) {
      events = told;
    },
    submit(_lane, number, task) {
      setImmediate(() => {
        if (closed) return;
        const end = execute(task, context, { part: (part) => void (closed || events?.part(number, part)) })
          .then(
            (result) => void (closed || events?.done(number, result)),
            (error: unknown) => void (closed || events?.failed(number, error)),
          )
          .finally(() => running.delete(number));
        running.set(number, end);
      });
    },
    authorize: () => undefined,
    stop() {
      context.stop.asked = true;
    },
    abandon() {
      context.stop.abandoned = true;
      void giveUp()?.catch(() => undefined);
    },
    async close() {
      if (closed) return;
      closed = true;
      context.stop.asked = true;
      if (!release) return;
      await giveUp();
      await Promise.all(running.values());
      context.source.close();
    },
  };
}

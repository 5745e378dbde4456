import type { Kinds } from './kinds.js';
import type { Lane } from './lane.js';
import type { Runner, RunnerEvents } from './runner.js';

/** Runs tasks in the caller's thread, on one lane. @param neverBlocks whether none of its calls ever holds up the thread */
export function createInlineRunner<M extends Kinds<M>>(lane: Lane<M>, neverBlocks = false): Runner<M> {
  let events: RunnerEvents<M> | undefined;
  let closed = false;
  const running = new Map<number, Promise<void>>();
  return {
    lanes: 1,
    firstNeverBlocks: neverBlocks,
    start(told) {
      events = told;
    },
    submit(_lane, ticket, task) {
      setImmediate(() => {
        if (closed) return;
        const end = lane
          .execute(task, (part) => void (closed || events?.part(ticket, part)))
          .then(
            (result) => void (closed || events?.done(ticket, result)),
            (error: unknown) => void (closed || events?.failed(error, ticket)),
          )
          .finally(() => running.delete(ticket));
        running.set(ticket, end);
      });
    },
    stop: () => lane.stop(),
    abandon: () => lane.abandon(),
    async close() {
      if (closed) return;
      closed = true;
      lane.stop();
      await lane.close(Promise.all(running.values()));
    },
  };
}

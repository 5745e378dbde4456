import type { Kinds } from './kinds.js';
import type { Runner } from './runner.js';

/** The lanes of two runners, those of `first` in front. */
export function joinRunners<M extends Kinds<M>>(first: Runner<M>, second: Runner<M>): Runner<M> {
  return {
    lanes: first.lanes + second.lanes,
    start(events) {
      first.start(events);
      second.start(events);
    },
    submit(lane, ticket, task) {
      if (lane < first.lanes) first.submit(lane, ticket, task);
      else second.submit(lane - first.lanes, ticket, task);
    },
    stop() {
      first.stop();
      second.stop();
    },
    abandon() {
      first.abandon();
      second.abandon();
    },
    async close() {
      await Promise.all([first.close(), second.close()]);
    },
  };
}

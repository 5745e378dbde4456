import type { Kinds } from './kinds.js';
import type { Runner } from './runner.js';

/**
 * The lanes of two runners, those of `first` in front.
 *
 * @param first has no lanes elsewhere
 */
export function joinRunners<M extends Kinds<M>>(first: Runner<M>, second: Runner<M>): Runner<M> {
  return {
    lanes: first.lanes + second.lanes,
    firstNeverBlocks: first.firstNeverBlocks,
    remote: second.remote,
    start(events) {
      first.start(events);
      second.start(events);
    },
    submit(lane, ticket, task, units, alone) {
      if (lane < first.lanes) first.submit(lane, ticket, task, units, alone);
      else second.submit(lane - first.lanes, ticket, task, units, alone);
    },
    recorded: () => second.recorded?.(),
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

import type { TaskRunner } from './runner.js';

/** The lanes of two runners, those of `first` in front. */
export function joinRunners(first: TaskRunner, second: TaskRunner): TaskRunner {
  return {
    lanes: first.lanes + second.lanes,
    start(events) {
      first.start(events);
      second.start(events);
    },
    submit(lane, number, task) {
      if (lane < first.lanes) first.submit(lane, number, task);
      else second.submit(lane - first.lanes, number, task);
    },
    authorize(authorization) {
      first.authorize(authorization);
      second.authorize(authorization);
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

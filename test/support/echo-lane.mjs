/**
 * A lane whose tasks echo what they are given, count, wait until they are stopped, throw, or end the thread: for the
 * contract of runners.
 *
 * @param createLane of the engine, as source or as built
 * @param setup its greeting is part of every echo
 * @param log written to once, when the lane is opened
 */
export function echoLane(createLane, setup, log) {
  const shared = { greeting: setup.greeting, ends: new Set(), stopped: '' };
  const end = (how) => {
    shared.stopped = how;
    for (const resolve of shared.ends) resolve();
    shared.ends.clear();
  };
  log(`open ${setup.greeting}`);
  const executors = {
    echo: async (task, lane) => `${lane.greeting} ${task}`,
    count: async ({ to }, _lane, part) => {
      for (let step = 1; step <= to; step++) part(step);
      return to;
    },
    wait: async ({ until }, lane) => {
      while (lane.stopped !== until && lane.stopped !== 'abandon')
        await new Promise((resolve) => lane.ends.add(resolve));
      return lane.stopped;
    },
    fail: async (message) => {
      throw new Error(message);
    },
    die: async () => process.exit(7),
  };
  const ends = { stop: () => end('stop'), abandon: () => end('abandon'), close: async () => undefined };
  const lane = createLane(executors, shared, ends);
  return {
    ...lane,
    update(greeting) {
      shared.greeting = greeting;
    },
  };
}

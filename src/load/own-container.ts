import type { Container } from '../container/container.js';
import type { Clock } from '../time/clock.js';

/** How long a look at the state counts, in milliseconds: a server gives a lock to nobody else so soon. */
const LOOK_MS = 500;

/**
 * Looks at the state from time to time: whether this process still has its job. Two clocks tell how long ago the last
 * look was, since a machine that was suspended may have missed it on one of them.
 *
 * @param requireMine throws when somebody else goes on with the job
 */
export function createLook(requireMine: () => void, clock: Pick<Clock, 'now' | 'monotonic'>): () => void {
  let last = { monotonicMs: Number.NEGATIVE_INFINITY, nowMs: Number.NEGATIVE_INFINITY };
  return () => {
    const moment = { monotonicMs: clock.monotonic(), nowMs: clock.now() };
    const passedMs = Math.max(moment.monotonicMs - last.monotonicMs, Math.abs(moment.nowMs - last.nowMs));
    if (passedMs < LOOK_MS) return;
    requireMine();
    last = moment;
  };
}

/**
 * A container in which nothing is changed any more once somebody else goes on with the job: what the main thread puts
 * and removes, between which hours can pass without a transaction.
 *
 * @param look throws then
 */
export function ownContainer(container: Container, look: () => void): Container {
  return {
    async put(...put) {
      look();
      return container.put(...put);
    },
    async delete(name) {
      look();
      await container.delete(name);
    },
    async tidy() {
      look();
      await container.tidy();
    },
    get: (name, limitBytes) => container.get(name, limitBytes),
    giveBack: (blob) => container.giveBack?.(blob),
    list: (prefix) => container.list(prefix),
    listsByPrefix: container.listsByPrefix,
    flush: () => container.flush(),
    ready: () => container.ready(),
    lateArrivalMs: container.lateArrivalMs,
    get uncertainUntilMs() {
      return container.uncertainUntilMs;
    },
    close: () => container.close(),
  };
}

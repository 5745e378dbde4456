import { expect, it } from 'vitest';
import { Lease } from '../container/lease.js';
import type { Kinds } from '../engine/kinds.js';
import type { Runner } from '../engine/runner.js';
import type { Clock } from '../time/clock.js';
import { systemClock } from '../time/clock.js';
import type { WorkerLink } from './link.js';
import { Member } from './member.js';
import { type Answer, encode } from './messages.js';

const LEASE_MS = 6000;

type NoKinds = Kinds<Record<never, never>>;

/** Takes part in a job of a driver that answers until `away`, by clocks of which that of the day is `aheadMs` ahead. */
function member(away: () => boolean, aheadMs: () => number): Member<NoKinds> {
  let passedMs = 1_000_000;
  const clock: Clock = {
    ...systemClock,
    now: () => passedMs + aheadMs(),
    monotonic: () => passedMs,
    async sleep(delayMs) {
      passedMs += delayMs;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const here: Answer = { to: 'here', wish: 'work', queue: '', capMbps: 0 };
  let answers = 0;
  const link: Partial<WorkerLink> = {
    longestBytes: 1000,
    async ask(_epoch, _bytes, waitMs) {
      if (!away()) return encode(answers++ === 0 ? { to: 'begin' } : here);
      await clock.sleep(waitMs);
      return undefined;
    },
  };
  const runner: Partial<Runner<NoKinds>> = { lanes: 1, start: () => undefined };
  return new Member<NoKinds>({
    link: link as WorkerLink,
    clock,
    epoch: 'job',
    worker: 'worker',
    leaseMs: LEASE_MS,
    lease: new Lease(1),
    runner: runner as Runner<NoKinds>,
    laneUnits: 16,
    signal: new AbortController().signal,
    counters: () => ({
      requests: 0,
      bytesSent: 0,
      bytesReceived: 0,
      retries: 0,
      throttled: 0,
      waitingMs: 0,
      uncertainMs: 0,
    }),
    setCap: () => undefined,
  });
}

it('tells a driver that is silent from a clock that has jumped', async () => {
  let looks = 0;
  const silent = await member(
    () => looks++ > 3,
    () => 0,
  ).run();
  expect(silent).toEqual({ why: 'lease', text: 'the driver has not answered in time' });
  let asked = 0;
  const jumped = await member(
    () => false,
    () => (asked++ > 20 ? 90_000 : 0),
  ).run();
  expect(jumped).toEqual({
    why: 'lease',
    text: 'the clock of this machine has gone ahead by 90 s at once, or the machine was suspended',
  });
});

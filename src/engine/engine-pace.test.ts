import { describe, expect, it } from 'vitest';
import { HandRunner, ListPlan, type TestKinds, TestStore, work } from '../../test/support/hand-engine.js';
import type { Clock } from '../time/clock.js';
import { Engine } from './engine.js';
import { LANE_UNITS } from './lane-loads.js';

/** A clock that a test moves by hand. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  async sleep(): Promise<void> {
    throw new Error('the engine does not sleep');
  }

  after(delayMs: number, call: () => void): { cancel(): void } {
    this.#timers.set(call, this.#nowMs + delayMs);
    return { cancel: () => this.#timers.delete(call) };
  }

  /** Time goes by, while nobody is called. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }

  /** Time goes by, and who waits for it is called. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort(([, a], [, b]) => a - b);
      if (!next || next[1] > untilMs) break;
      this.#timers.delete(next[0]);
      this.#nowMs = Math.max(this.#nowMs, next[1]);
      next[0]();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}

/** An engine with lanes of this process whose commits take so long, and the work that they have from the start. */
function begin(commitMs: number, units: readonly number[], lanes = 1) {
  const clock = new HandClock();
  const [plan, runner, store] = [new ListPlan(), new HandRunner(lanes), new TestStore()];
  const slowly = {
    transact<T>(change: () => T): T {
      clock.spend(commitMs);
      return store.transact(change);
    },
  };
  for (const each of units) plan.waiting.push(work('note', { task: 'a', units: each, done: () => undefined }));
  const cancelled = () => new Error('cancelled');
  const engine = new Engine<TestKinds>({ plan, store: slowly, clock, allLanes: false, cancelled });
  void engine.run(runner, new AbortController().signal);
  const tell = (at: number) => runner.events?.done(runner.submitted[at].ticket, { kind: 'note', result: '' });
  return { clock, plan, runner, tell, turns: () => store.log.length };
}

describe('the turns of an engine', () => {
  it('leave the thread most of its time while the lanes have enough to do', () => {
    const { clock, tell, turns } = begin(40, [1, 1, 1, 2 * LANE_UNITS]);
    expect(turns()).toBe(1);
    tell(0);
    clock.pass(119);
    expect(turns()).toBe(1);
    clock.pass(1);
    expect(turns()).toBe(2);
    // What is told later waits no longer than what was told at once.
    clock.pass(100);
    tell(1);
    clock.pass(20);
    expect(turns()).toBe(3);
    clock.pass(10_000);
    const before = turns();
    tell(2);
    clock.pass(2);
    expect(turns()).toBe(before + 1);
  });

  it('come soon, however long a commit takes, when a lane has little to do', () => {
    const { clock, tell, turns } = begin(40, [LANE_UNITS, LANE_UNITS - 1]);
    tell(0);
    clock.pass(2);
    expect(turns()).toBe(2);
    tell(1);
    clock.pass(2);
    expect(turns()).toBe(3);
  });

  it('do not wait for what a lane has to come to its end, however long a commit takes', () => {
    const { clock, tell, turns } = begin(5000, [1, 2 * LANE_UNITS]);
    tell(0);
    clock.pass(400);
    expect(turns()).toBe(2);
  });

  it('are not taken where there is nothing to record and no room', () => {
    const { clock, turns } = begin(0, [LANE_UNITS, LANE_UNITS], 3);
    expect(turns()).toBe(1);
    // Meanwhile it is looked several times whether processors are idle.
    clock.pass(9000);
    expect(turns()).toBeLessThanOrEqual(2);
    // A job that waits records that it is alive all the same.
    clock.pass(1000);
    expect(turns()).toBeGreaterThanOrEqual(2);
  });
});

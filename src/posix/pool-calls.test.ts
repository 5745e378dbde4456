import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CALLS_AT_ONCE, MOST_CALLS } from './koffi.js';
import { type BoundCall, callInPool, callsInPool } from './pool-calls.js';

type Done = (error: Error | null, result: number) => void;

/** A function that ends when it is told to. */
class Calls {
  readonly under: Done[] = [];
  most = 0;
  readonly bound = {
    async: (done: Done) => {
      this.under.push(done);
      this.most = Math.max(this.most, this.under.length);
    },
  } as unknown as BoundCall;

  make(): Promise<number> {
    return callInPool(this.bound, [], undefined);
  }

  /** Ends the first one. */
  end(): void {
    this.under.shift()?.(null, 7);
  }
}

describe('calls in the pool', () => {
  it('are as many at once as cost least, as long as they end', async () => {
    const calls = new Calls();
    const made = Array.from({ length: 1000 }, () => calls.make());
    for (const _ of made) calls.end();
    expect(await Promise.all(made)).toEqual(made.map(() => 7));
    expect(calls.most).toBe(CALLS_AT_ONCE);
    expect(callsInPool()).toBe(0);
  });

  it('go on beside those that hang, with one that ends now and then, too', async () => {
    const calls = new Calls();
    const made = Array.from({ length: CALLS_AT_ONCE + 60 }, () => calls.make());
    const hanging = calls.under.splice(0, CALLS_AT_ONCE - 1);
    for (let n = 0; n < 30; n++) {
      await sleep(10);
      calls.end();
    }
    expect(callsInPool()).toBe(CALLS_AT_ONCE + 30);
    // All that could wait have begun.
    expect(calls.under.length + hanging.length).toBe(callsInPool());
    for (const end of hanging) end(null, 7);
    while (calls.under.length > 0) calls.end();
    expect(await Promise.all(made)).toHaveLength(made.length);
  });

  it('do not wait for those that hang, as far as there is room', async () => {
    const calls = new Calls();
    const made = Array.from({ length: 3 * MOST_CALLS }, () => calls.make());
    await sleep(1000);
    expect(calls.under).toHaveLength(MOST_CALLS);
    // Whoever hung ends, and all others are made.
    while (calls.under.length > 0) calls.end();
    expect(await Promise.all(made)).toHaveLength(made.length);
    expect(callsInPool()).toBe(0);
  });

  it('that cannot be made leave their place to others', async () => {
    const refused = {
      async: () => {
        throw new Error('refused');
      },
    } as unknown as BoundCall;
    const made = Array.from({ length: 100 }, () =>
      callInPool(refused, [], undefined).catch((error: Error) => error.message),
    );
    expect(new Set(await Promise.all(made))).toEqual(new Set(['refused']));
    expect(callsInPool()).toBe(0);
  });
});

import { expect, it } from 'vitest';
import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { type LaterCalls, SYSTEM_CALLS, type TargetCalls } from './target-calls.js';
import { TargetTree } from './target-tree.js';
import { TargetWays } from './target-ways.js';

const NAME = Buffer.from('name');
const busy = (ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

/** Calls that take so long, and how many of them were made in which way. */
function callsOf(took: { ms: number }) {
  const made = { now: 0, later: 0, atOnce: 0, most: 0 };
  let running = 0;
  const now: TargetCalls = {
    ...SYSTEM_CALLS,
    makeDirectory() {
      made.now++;
      busy(took.ms);
    },
  };
  const later = {
    async makeDirectory() {
      made.later++;
      made.most = Math.max(made.most, ++running);
      await new Promise((resolve) => (took.ms > 0 ? setTimeout(resolve, took.ms) : setImmediate(resolve)));
      running--;
    },
    async removeAt() {
      throw new PosixError('remove', 2);
    },
  } as unknown as LaterCalls;
  return { now, later, made };
}

it('calls a target that takes long in the pool, and at once again when it does not', async () => {
  const took = { ms: 2 };
  const { now, later, made } = callsOf(took);
  const told: string[] = [];
  const ways = new TargetWays({ now, later, changing: () => undefined, onWay: (text) => told.push(text) });
  for (let call = 0; call < 10; call++) await ways.calls.makeDirectory(1, NAME, 0);
  expect(made).toMatchObject({ now: 3, later: 7 });
  expect(ways.isSlow).toBe(true);
  took.ms = 0;
  while (ways.isSlow) await ways.calls.makeDirectory(1, NAME, 0);
  const { later: before } = made;
  await ways.calls.makeDirectory(1, NAME, 0);
  expect(made.later).toBe(before);
  expect(told).toHaveLength(2);
});

it('is not misled by calls of which some take long', async () => {
  const took = { ms: 0 };
  const { now, later, made } = callsOf(took);
  const ways = new TargetWays({ now, later, changing: () => undefined });
  for (let call = 0; call < 30; call++) {
    took.ms = call % 3 === 0 ? 0 : 3;
    await ways.calls.makeDirectory(1, NAME, 0);
  }
  expect(made.later).toBe(0);
});

it('makes one name at a time in a directory, and many in many, with a bound', async () => {
  const { now, later, made } = callsOf({ ms: 5 });
  const ways = new TargetWays({ now, later, mayBlock: false, changing: () => undefined });
  await Promise.all(Array.from({ length: 6 }, async () => ways.calls.makeDirectory(1, NAME, 0)));
  expect(made.most).toBe(1);
  await Promise.all(Array.from({ length: 300 }, async (_, at) => ways.calls.makeDirectory(at, NAME, 0)));
  expect(made.most).toBeGreaterThan(4);
  expect(made.most).toBeLessThanOrEqual(32);
});

it('gives the turn on when a call fails, and begins none when it was abandoned', async () => {
  const { now, later, made } = callsOf({ ms: 1 });
  const ways = new TargetWays({ now, later, mayBlock: false, changing: () => undefined });
  await expect(ways.calls.removeAt(1, NAME)).rejects.toMatchObject({ errno: 'ENOENT' });
  await ways.calls.makeDirectory(1, NAME, 0);
  const waiting = [1, 2].map(async () => ways.calls.makeDirectory(1, NAME, 0));
  await new Promise((resolve) => setImmediate(resolve));
  ways.abandon();
  const ended = await Promise.allSettled(waiting);
  expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(made.later).toBe(2);
});

it('what ends while a sync runs is in the next one', async () => {
  const syncs: (() => void)[] = [];
  const writes: (() => void)[] = [];
  const later = {
    sync: () => new Promise<void>((resolve) => syncs.push(resolve)),
    write: () => new Promise<void>((resolve) => writes.push(resolve)),
  } as unknown as LaterCalls;
  const constants = { overwrite: 'if-different', isTree: true, temporaryPrefix: '.test-' } as const;
  const tree = new TargetTree({ now: SYSTEM_CALLS, later, mayBlock: false }, 99, constants);
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
  const written = tree.calls.write(1, NAME, 0);
  await turn();
  const first = tree.flush();
  await turn();
  expect(syncs).toHaveLength(1);
  // It ends when the sync has begun: whoever wrote it waits for another one.
  writes[0]();
  await written;
  let isDurable = false;
  const second = tree.flush().then(() => {
    isDurable = true;
  });
  await turn();
  syncs[0]();
  await first;
  await turn();
  expect({ isDurable, syncs: syncs.length }).toEqual({ isDurable: false, syncs: 2 });
  // Nothing was written since: this one waits for the sync that runs.
  const third = tree.flush();
  await turn();
  syncs[1]();
  await Promise.all([second, third]);
  expect(syncs).toHaveLength(2);
});

it.each([false, true])('changes nothing any more when that is not allowed; made later: %s', async (isSlow) => {
  const { now, later, made } = callsOf({ ms: 0 });
  let allowed = true;
  const changed: string[] = [];
  const ways = new TargetWays({
    now: { ...now, lookAt: () => undefined },
    later: { ...later, lookAt: async () => undefined },
    isSlow,
    mayChange: () => allowed,
    changing: () => changed.push('changing'),
  });
  await ways.calls.makeDirectory(1, NAME, 0);
  allowed = false;
  const before = [made.now, made.later];
  await expect((async () => ways.calls.makeDirectory(1, NAME, 0))()).rejects.toMatchObject({ code: 'cancelled' });
  await expect((async () => ways.calls.openAt(1, NAME, Open.create))()).rejects.toMatchObject({ code: 'cancelled' });
  expect([made.now, made.later]).toEqual(before);
  expect(await ways.calls.lookAt(1, NAME)).toBe(undefined);
  expect(changed.length).toBeGreaterThan(0);
});

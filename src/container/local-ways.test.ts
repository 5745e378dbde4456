import { expect, it } from 'vitest';
import { WaitBoard } from '../waits/wait-board.js';
import { Waits } from '../waits/waits.js';
import { LOCAL_FILES, type LocalFiles } from './local-files.js';
import { LocalWays } from './local-ways.js';

const NEVER = new Promise<never>(() => undefined);

/** Calls a file system of which these calls are made, in the pool. */
function waysOf(later: Partial<LocalFiles>) {
  const stop = new AbortController();
  const slot = new WaitBoard().slot('container');
  const waits = new Waits({ slot, now: () => performance.now(), signal: stop.signal });
  const parts = { now: LOCAL_FILES, later: later as LocalFiles, isRemote: true, mayBlock: false, waits };
  return { ways: new LocalWays(parts), stop };
}

it('begins nothing after a stop, and waits for what is not answered once, whatever waits for its turn', async () => {
  const begun: string[] = [];
  const { ways, stop } = waysOf({
    create(path) {
      begun.push(path);
      return NEVER;
    },
    remove(path) {
      begun.push(path);
      return NEVER;
    },
    async look(path) {
      begun.push(path.toString());
      return undefined;
    },
  });
  const made = [
    ...['a', 'b'].map(async (path) => ways.write(path, Buffer.alloc(1), false)),
    ...['c', 'd', 'e'].map(async (path) => ways.name(path, (files) => files.remove(path))),
  ];
  await new Promise((resolve) => setTimeout(resolve, 10));
  const stopped = performance.now();
  stop.abort();
  const looked = Promise.allSettled([(async () => ways.do('f', (files) => files.look('f')))()]);
  for (const end of [...(await Promise.allSettled(made)), ...(await looked)])
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
  expect(performance.now() - stopped).toBeLessThan(1900);
  expect(begun).toEqual(['a']);
});

it('does the last of something after a stop too, and does not wait for it for long', async () => {
  const { ways, stop } = waysOf({});
  stop.abort();
  let isDone = false;
  await ways.last('a', () => {
    isDone = true;
  });
  expect(isDone).toBe(true);
  await ways.last('a', () => NEVER);
  await expect(ways.last('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});

it('has nothing more prepared while many wait for their turn to give a name', async () => {
  const ends: (() => void)[] = [];
  const { ways } = waysOf({ rename: () => new Promise<void>((resolve) => ends.push(resolve)) });
  const named: (Promise<void> | void)[] = [];
  const name = () => named.push(ways.name('a', (files) => files.rename('a', 'b')));
  for (let waiting = 0; waiting < 16; waiting++) name();
  expect(ways.ready()).toBe(undefined);
  name();
  await new Promise((resolve) => setImmediate(resolve));
  let isReady = false;
  const ready = ways.ready()?.then(() => {
    isReady = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect({ isReady, renames: ends.length }).toEqual({ isReady: false, renames: 1 });
  for (let at = 0; at < 17; at++) {
    ends[at]();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all([ready, ...named]);
  expect(isReady).toBe(true);
});

it('removes a file after a stop, as long as all is answered', async () => {
  const removed: string[] = [];
  const remove = async (path: string) => {
    removed.push(path);
  };
  const { ways, stop } = waysOf({ remove });
  stop.abort();
  await ways.clear('a');
  expect(removed).toEqual(['a']);
  const silent = waysOf({ remove, rename: () => NEVER });
  const renamed = (async () => silent.ways.name('b', (files) => files.rename('b', 'c')))();
  await new Promise((resolve) => setTimeout(resolve, 10));
  silent.stop.abort();
  await expect(renamed).rejects.toMatchObject({ code: 'cancelled' });
  await silent.ways.clear('b');
  expect(removed).toEqual(['a']);
});

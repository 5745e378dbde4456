import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { PosixError } from '../posix/posix-error.js';
import { SourceGauge } from '../source/source-gauge.js';
import { entryFailure, type SourceDirectory, type SourceTree } from '../source/source-tree.js';
import type { Clock } from '../time/clock.js';
import { SourceOutage } from './source-outage.js';

const failureOf = (errno: number) => {
  const error = new PosixError('read', errno);
  return entryFailure('entry-unreadable', error.message, error);
};

/** A clock that does not wait. */
function hurriedClock(): Clock & { ms: number } {
  const clock = {
    ms: 1000,
    now: () => clock.ms,
    monotonic: () => clock.ms,
    sleep: async (delayMs: number) => {
      clock.ms += delayMs;
    },
    after: () => ({ cancel: () => undefined }),
  };
  return clock;
}

/** A source of which a client remembers the root, as it was when its server was there. */
function rememberedSource(isAway: () => boolean): SourceTree {
  const root = {
    attributes(fresh?: boolean) {
      if (fresh && isAway()) throw failureOf(constants.errno.ETIMEDOUT);
      return {};
    },
    close: () => undefined,
  } as unknown as SourceDirectory;
  return { openDirectory: () => root, close: () => undefined };
}

const mountedAt = (...paths: string[]) =>
  paths.map((path) => ({ path: Buffer.from(path), id: path, isLater: false, isAutomatic: false }));

const ROOT = Buffer.alloc(0);

describe('a source that is away', () => {
  it('is not taken for one that answers since its client remembers the root', async () => {
    const clock = hurriedClock();
    const backMs = clock.ms + 10 * 60_000;
    const isAway = () => clock.ms < backMs;
    const stop = { asked: false, controller: new AbortController() };
    const gauge = new SourceGauge(1);
    const outage = new SourceOutage(rememberedSource(isAway), gauge, clock, stop);
    const read = () => {
      if (isAway()) throw failureOf(constants.errno.EIO);
      return 'content';
    };
    expect(await outage.again(ROOT, failureOf(constants.errno.EIO), read)).toBe('content');
    expect(gauge.read().awaySinceMs).toBe(0);
    // One that answers, and an entry of it that does not.
    const failing = outage.again(ROOT, failureOf(constants.errno.EIO), () => {
      throw failureOf(constants.errno.EIO);
    });
    await expect(failing).rejects.toThrow('EIO');
  });

  it('is there when it refuses: what fails in it has failed', async () => {
    const clock = hurriedClock();
    const stop = { asked: false, controller: new AbortController() };
    const answer = async (atRoot: number) => {
      const source: SourceTree = {
        openDirectory: () => {
          throw failureOf(atRoot);
        },
        close: () => undefined,
      };
      const outage = new SourceOutage(source, new SourceGauge(1), clock, stop);
      let tries = 0;
      const read = () => {
        // Somebody stops a job that waits for ever.
        if (++tries > 500) stop.asked = true;
        throw failureOf(constants.errno.EIO);
      };
      return outage.again(ROOT, failureOf(constants.errno.EIO), read).catch(({ code }: { code: string }) => code);
    };
    for (const atRoot of [constants.errno.EACCES, constants.errno.ENOENT]) expect(await answer(atRoot)).toBe('entry');
    expect(await answer(constants.errno.EMFILE)).toBe('cancelled');
  });

  it('is known to answer again where what was away is mounted no more', async () => {
    const clock = hurriedClock();
    const stop = { asked: false, controller: new AbortController() };
    const gauge = new SourceGauge(1);
    const backMs = clock.ms + 10 * 60_000;
    const isAway = () => clock.ms < backMs;
    const source: SourceTree = {
      ...rememberedSource(isAway),
      mounts: () => (isAway() ? mountedAt('sub') : []),
    };
    const outage = new SourceOutage(source, gauge, clock, stop);
    const read = (path: string) =>
      outage.again(Buffer.from(path), failureOf(constants.errno.EIO), () => {
        if (isAway()) throw failureOf(constants.errno.EIO);
        // A later failure elsewhere has the mounts looked at anew.
        return outage.again(ROOT, failureOf(constants.errno.ESTALE), () => path);
      });
    expect(await read('sub/a')).toBe('sub/a');
    expect(gauge.read().awaySinceMs).toBe(0);
  });

  it('is waited for where only what is mounted below its root is away, while the rest is read', async () => {
    const clock = hurriedClock();
    const backMs = clock.ms + 10 * 60_000;
    const isAway = () => clock.ms < backMs;
    const stop = { asked: false, controller: new AbortController() };
    const gauge = new SourceGauge(1);
    const mounted = Buffer.from('mounted');
    const asked: string[] = [];
    const source: SourceTree = {
      mounts: () => mountedAt('mounted', 'mounted/deeper', 'mount'),
      openDirectory(path) {
        asked.push(path.toString());
        return rememberedSource(() => isAway() && path.equals(mounted)).openDirectory(path);
      },
      close: () => undefined,
    };
    const outage = new SourceOutage(source, gauge, clock, stop);
    let isTold = false;
    const read = (name: string) =>
      outage.again(Buffer.from(`mounted/${name}`), failureOf(constants.errno.ESTALE), () => {
        // The rest is read all the time.
        outage.succeeded(Buffer.from('elsewhere'));
        outage.succeeded(Buffer.from('mount'));
        isTold ||= gauge.read().awaySinceMs > 0;
        if (isAway()) throw failureOf(constants.errno.ESTALE);
        return name;
      });
    const names = ['a', 'b', 'c', 'd', 'e'];
    expect(await Promise.all(names.map(read))).toEqual(names);
    expect(isTold).toBe(true);
    expect(gauge.read().awaySinceMs).toBe(0);
    expect(new Set(asked)).toEqual(new Set(['mounted']));
    // What fails in the rest meanwhile is a failure of its own.
    const other = outage.again(Buffer.from('elsewhere'), failureOf(constants.errno.EIO), () => {
      throw failureOf(constants.errno.EIO);
    });
    await expect(other).rejects.toThrow('EIO');
  });
});

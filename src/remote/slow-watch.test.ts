import { describe, expect, it } from 'vitest';
import { SlowWatch, type WatchedWorker } from './slow-watch.js';

const worker = (id: string, lanes = 1, busy = true): WatchedWorker => ({ id, lanes, busy });

describe('a worker', () => {
  it('is slow that does much less a thread than the others over a whole stretch, and is told once', () => {
    const watch = new SlowWatch();
    const workers = [worker('a'), worker('b', 4), worker('slow', 2)];
    const work = () => {
      watch.did('a', 1000);
      watch.did('b', 4000);
      watch.did('slow', 400);
    };
    work();
    // Nobody was there from the beginning of the first stretch.
    expect(watch.look(workers)).toEqual([]);
    work();
    expect(watch.look(workers)).toEqual(['slow']);
    work();
    expect(watch.look(workers)).toEqual([]);
  });

  it('is slow no more that does as much as the others again, and stays slow while that cannot be told', () => {
    const watch = new SlowWatch();
    const stretch = (slowUnits: number, workers = [worker('a'), worker('slow')]) => {
      watch.did('a', 1000);
      watch.did('slow', slowUnits);
      return watch.look(workers);
    };
    stretch(100);
    expect([stretch(100), watch.isSlow('slow'), watch.isSlow('a')]).toEqual([['slow'], true, false]);
    stretch(900, [worker('slow')]);
    expect(watch.isSlow('slow')).toBe(true);
    stretch(900);
    stretch(900);
    expect(watch.isSlow('slow')).toBe(false);
    expect([stretch(100), watch.isSlow('slow')]).toEqual([[], true]);
  });

  it('is not slow that had nothing to do, that is alone, or that does somewhat less', () => {
    const watch = new SlowWatch();
    watch.look([worker('a'), worker('b'), worker('idle', 1, false)]);
    watch.did('a', 1000);
    watch.did('b', 300);
    expect(watch.look([worker('a'), worker('b'), worker('idle', 1, false)])).toEqual([]);
    expect(watch.look([worker('a')])).toEqual([]);
  });
});

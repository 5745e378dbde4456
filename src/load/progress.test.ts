import { describe, expect, it } from 'vitest';
import { Traffic } from '../container/traffic.js';
import { NOTHING_UNSTORABLE } from '../worker/unstorable-count.js';
import { Progress, type RecordedProgress } from './progress.js';

/** A job of so many entries done, whose progress is recorded when `record` is called. */
function started(done: number, recorded: RecordedProgress = { permille: 0 }) {
  let ms = 0;
  const progress = new Progress({
    now: () => ms,
    monotonic: () => ms,
    sleep: async () => undefined,
    after: () => ({ cancel: () => undefined }),
  });
  const job = { done, bytes: 0, excluded: 0 };
  let kept = recorded;
  progress.begin({ counters: () => job, recorded: () => kept }, 0, 0, new Traffic(1));
  const record = () => {
    kept = progress.toRecord();
  };
  const pass = (more: number) => {
    ms += more;
  };
  return { progress, job, record, pass };
}

describe('the progress of a load', () => {
  it('does not know its totals while the source is listed or sized', () => {
    const { progress } = started(10);
    expect(progress.snapshot()).toMatchObject({ totalsKnown: false, permille: 0, scanning: true });
    progress.scanning = false;
    progress.sizing = true;
    expect(progress.snapshot().totalsKnown).toBe(false);
    progress.sizing = false;
    expect(progress.snapshot().totalsKnown).toBe(false);
  });

  it('tells a share when that is recorded, and not 0 of work that is half done', () => {
    const { progress, record } = started(50);
    progress.setSized(100, 0, true);
    expect(progress.snapshot()).toMatchObject({ totalsKnown: false, permille: 0 });
    record();
    expect(progress.snapshot()).toMatchObject({ totalsKnown: true, permille: 500, filesTotal: 100, filesPending: 50 });
  });

  it('never tells a smaller share, and the whole only at the end', () => {
    const { progress, job, record } = started(50);
    progress.setSized(100, 0, true);
    record();
    job.done = 20;
    record();
    expect(progress.snapshot().permille).toBe(500);
    job.done = 100;
    record();
    expect(progress.snapshot().permille).toBe(999);
  });

  it('goes on with what an earlier session recorded', () => {
    const { progress, job, pass } = started(40, { permille: 400, sized: { entries: 100, bytes: 0 } });
    job.done = 60;
    pass(3000);
    expect(progress.snapshot()).toMatchObject({ totalsKnown: true, permille: 400, sessionFiles: 20, elapsedMs: 3000 });
  });

  it('takes the totals of a whole pass over those of one that is under way', () => {
    const { progress } = started(0);
    progress.setSized(100, 5000, true);
    progress.setSized(3, 10, false);
    expect(progress.snapshot()).toMatchObject({ filesTotal: 100, bytesTotal: 5000 });
  });

  it('counts what a tree has more than when it was sized', () => {
    const { progress, job } = started(0);
    progress.setSized(10, 100, true);
    job.done = 15;
    progress.openLargeBytes = () => 1000;
    expect(progress.snapshot()).toMatchObject({ filesTotal: 15, filesPending: 0, bytesTotal: 1000 });
  });

  it('foretells the listing in the end, unless there is none', () => {
    const { progress } = started(0);
    progress.setSized(3_000_000, 0, true);
    expect(progress.snapshot().listingMs).toBe(30_000);
    progress.checksListing = false;
    expect(progress.snapshot().listingMs).toBe(0);
  });

  it('has listings count what the format cannot hold for some seconds only', () => {
    const { progress, pass } = started(0);
    expect(progress.countsListed()).toBe(false);
    progress.listedUnstorable = NOTHING_UNSTORABLE;
    expect(progress.countsListed()).toBe(true);
    pass(5001);
    expect(progress.countsListed()).toBe(false);
  });
});

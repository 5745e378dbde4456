import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SourceCalls } from '../state/job-record.js';
import type { SizeSetup } from '../worker/size-protocol.js';
import { startEstimate } from './estimate.js';
import type { Progress, ProgressSnapshot } from './progress.js';

const SLOW: SourceCalls = { way: 'asynchronous', callMs: 1, inFlight: 100, mostInFlight: 128 };
const NEVER = { done: new Promise<never>(() => undefined), stop: async () => undefined };

/** What a load is like; half of its files are done, and those in five seconds, unless said otherwise. */
function loadOf(more: Partial<ProgressSnapshot> = {}, calls = SLOW, done: Promise<never> = NEVER.done) {
  const now = { scanning: false, filesPending: 5000, sessionFiles: 5000, bytesTotal: 0, bytesDone: 0, sessionBytes: 0 };
  const source = { calls, stalled: undefined, awaySinceMs: 0 };
  const snapshot = { ...now, source, ...more } as ProgressSnapshot;
  const progress = {
    sizing: false,
    notCounted: '',
    snapshot: () => ({ ...snapshot, elapsedMs: performance.now() }),
  } as Progress;
  const start = vi.fn(() => ({ ...NEVER, done }));
  startEstimate({} as SizeSetup, progress, start);
  return { progress, start };
}

describe('the sizing of a source beside its load', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }));
  afterEach(() => void vi.useRealTimers());

  it('begins after five seconds', () => {
    const { start, progress } = loadOf({}, { ...SLOW, way: 'synchronous' });
    vi.advanceTimersByTime(4999);
    expect(start).not.toHaveBeenCalled();
    expect(progress.sizing).toBe(true);
    vi.advanceTimersByTime(1);
    expect(start).toHaveBeenCalledOnce();
  });

  it('that cannot go over the source says why, as the part of a sentence', async () => {
    const refused = Promise.reject(new Error('Cannot read the source: open: input/output error (EIO).'));
    refused.catch(() => undefined);
    const { progress } = loadOf({ scanning: true }, SLOW, refused);
    await vi.advanceTimersByTimeAsync(5000);
    expect(progress.notCounted).toBe(
      'the source could not be gone over: Cannot read the source: open: input/output error (EIO)',
    );
  });

  it('does not hold up a load of a slow source that has only some seconds left', () => {
    const { start, progress } = loadOf();
    vi.advanceTimersByTime(9000);
    expect(start).not.toHaveBeenCalled();
    // What is listed is all that there is.
    expect(progress.sizing).toBe(false);
  });

  it('begins when that load does not come to its end as it was to', () => {
    const { start, progress } = loadOf();
    vi.advanceTimersByTime(11_000);
    expect(start).toHaveBeenCalledOnce();
    expect(progress.sizing).toBe(true);
  });

  it.each([
    ['not all is listed', { scanning: true }],
    ['there is much more to do', { filesPending: 50_000 }],
    ['a large file is under way', { filesPending: 1, bytesTotal: 10e9, bytesDone: 1e9, sessionBytes: 1e9 }],
  ])('begins of a slow source, too, where %s', (_, more) => {
    const { start } = loadOf(more);
    vi.advanceTimersByTime(5000);
    expect(start).toHaveBeenCalledOnce();
  });
});

import { messageOf } from '../error.js';
import { counted } from '../text/counted.js';
import type { SizeSetup } from '../worker/size-protocol.js';
import { type SizerThread, startSizer } from '../worker/sizer-thread.js';
import type { Progress, ProgressSnapshot } from './progress.js';

/** A load that takes less time than this does without. */
const SIZE_AFTER_MS = 5000;
/** Of a slow source, so does one that has only so much to do: the pass would hold it up for what it comes too late to tell. */
const ALMOST_DONE_MS = 10_000;
const LOOK_AGAIN_MS = 1000;

/**
 * Sizes the source in a thread of its own while the load runs, so that the time left can be estimated.
 *
 * @param start what starts that thread
 */
export function startEstimate(setup: SizeSetup, progress: Progress, start = startSizer): { stop(): void } {
  let sizer: SizerThread | undefined;
  progress.sizing = true;
  progress.notCounted = 'the load ended before its source had been sized';
  const consider = () => {
    progress.sizing = !isAlmostDone(progress.snapshot());
    if (!progress.sizing) {
      timer = setTimeout(consider, LOOK_AGAIN_MS);
      return;
    }
    sizer = start({ ...setup, unstorable: true }, ({ entries, bytes, unstorable, unreadable }, complete) => {
      progress.setSized(entries, bytes, complete);
      if (!complete) return;
      if (unreadable > 0) {
        progress.notCounted = `${counted(unreadable, 'entries')} could not be read when the source was sized`;
        return;
      }
      progress.unstorable = unstorable;
      progress.notCounted = 'it cannot be seen without /proc';
    });
    sizer.done.catch((error) => {
      progress.sizing = false;
      progress.notCounted = `the source could not be gone over: ${messageOf(error).replace(/\.$/, '')}`;
    });
  };
  let timer = setTimeout(consider, SIZE_AFTER_MS);
  return {
    stop() {
      clearTimeout(timer);
      void sizer?.stop();
    },
  };
}

/** Whether a load of a slow source has listed all of it, and goes on as before to its end within some seconds. */
function isAlmostDone({ source, scanning, elapsedMs, ...now }: ProgressSnapshot): boolean {
  if (source?.calls.way !== 'asynchronous' || scanning) return false;
  const isSoon = (left: number, done: number) => left * elapsedMs <= done * ALMOST_DONE_MS;
  return isSoon(now.filesPending, now.sessionFiles) && isSoon(now.bytesTotal - now.bytesDone, now.sessionBytes);
}

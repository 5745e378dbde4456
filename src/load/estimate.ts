import { messageOf } from '../error.js';
import { counted } from '../text/counted.js';
import type { SizeSetup } from '../worker/size-protocol.js';
import { type SizerThread, startSizer } from '../worker/sizer-thread.js';
import type { Progress } from './progress.js';

/** A load that takes less time than this does without. */
const SIZE_AFTER_MS = 5000;

/** Sizes the source in a thread of its own while the load runs, so that the time left can be estimated. */
export function startEstimate(setup: SizeSetup, progress: Progress): { stop(): void } {
  let sizer: SizerThread | undefined;
  progress.notCounted = 'the load ended before its source had been sized';
  const timer = setTimeout(() => {
    sizer = startSizer({ ...setup, unstorable: true }, ({ entries, bytes, unstorable, unreadable }, complete) => {
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
      progress.notCounted = `the source could not be gone over: ${messageOf(error)}`;
    });
  }, SIZE_AFTER_MS);
  return {
    stop() {
      clearTimeout(timer);
      void sizer?.stop();
    },
  };
}

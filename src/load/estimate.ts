import type { SizeSetup } from '../worker/size-protocol.js';
import { type SizerThread, startSizer } from '../worker/sizer-thread.js';
import type { Progress } from './progress.js';

/** A load that takes less time than this does without. */
const SIZE_AFTER_MS = 5000;

/** Sizes the source in a thread of its own while the load runs, so that the time left can be estimated. */
export function startEstimate(setup: SizeSetup, progress: Progress): { stop(): void } {
  let sizer: SizerThread | undefined;
  const timer = setTimeout(() => {
    sizer = startSizer({ ...setup, unstorable: true }, ({ entries, bytes, unstorable }, complete) => {
      progress.setSized(entries, bytes, complete);
      if (complete) progress.unstorable = unstorable;
    });
  }, SIZE_AFTER_MS);
  return {
    stop() {
      clearTimeout(timer);
      void sizer?.stop();
    },
  };
}

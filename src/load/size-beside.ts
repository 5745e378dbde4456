import type { SizeSetup } from '../worker/size-protocol.js';
import { type SizerThread, startSizer } from '../worker/sizer-thread.js';
import type { Progress } from './progress.js';

/** Before this much time nobody asks for the end of a load. */
const SIZE_AFTER_MS = 5000;

/** Sizes the tree beside the load, so that its end can be foretold; a load that is done soon does without. */
export function sizeBeside(setup: SizeSetup, progress: Progress): { stop(): void } {
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

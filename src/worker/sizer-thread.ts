import { Worker } from 'node:worker_threads';
import { atMost } from '../engine/report.js';
import { ClfsError, messageOf } from '../error.js';
import { systemClock } from '../time/clock.js';
import type { FromSizer, SizeSetup } from './size-protocol.js';
import type { TreeSize } from './tree-count.js';

/** How long the thread is waited for when it is ended. */
const LAST_CALL_MS = 2000;

/** A tree that is being sized in a thread of its own, so that a slow file system holds up nothing else. */
export interface SizerThread {
  /** @throws ClfsError `source`, `worker` */
  readonly done: Promise<TreeSize>;
  /** Ends it; `done` may never settle then. A call of the source that hangs is not waited for. */
  stop(): Promise<void>;
}

/** @param onSize called now and then with what has been found so far */
export function startSizer(setup: SizeSetup, onSize: (size: TreeSize, complete: boolean) => void): SizerThread {
  const thread = new Worker(new URL('./size-entry.js', import.meta.url), { workerData: setup });
  const done = new Promise<TreeSize>((resolve, reject) => {
    thread.on('message', (message: FromSizer) => {
      if (message.kind === 'failed') {
        reject(new ClfsError('source', message.message));
        return;
      }
      onSize(message.size, message.complete);
      if (message.complete) resolve(message.size);
    });
    thread.on('error', (error: unknown) =>
      reject(new ClfsError('worker', `The sizing thread ended: ${messageOf(error)}.`, { cause: error })),
    );
  });
  done.catch(() => undefined);
  // As those of a runner: one that hangs keeps the process until it is ended by force.
  return { done, stop: () => atMost(systemClock, LAST_CALL_MS, thread.terminate()) };
}

import { Worker } from 'node:worker_threads';
import { ClfsError, messageOf } from '../error.js';
import type { FromSizer, SizeSetup } from './size-protocol.js';
import type { TreeSize } from './size-tree.js';

/** A tree that is being sized in a thread of its own, so that a slow file system holds up nothing else. */
export interface SizerThread {
  /** @throws ClfsError `source`, `worker` */
  readonly done: Promise<TreeSize>;
  /** Ends it; `done` may never settle then. */
  stop(): Promise<unknown>;
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
  return { done, stop: () => thread.terminate() };
}

import { isMainThread, Worker, type WorkerOptions } from 'node:worker_threads';

const MARK = '--clfsload-thread';

/**
 * Starts a thread of the program.
 *
 * Its descriptors are those of the process: another thread, or a call of the C library, may close one that Node has
 * opened. Node must not count them as the thread's own, since it would close them when the thread ends, and by then the
 * number may be that of another file.
 */
export function startThread(entry: URL, options?: Omit<WorkerOptions, 'trackUnmanagedFds' | 'argv'>): Worker {
  return new Worker(entry, { ...options, trackUnmanagedFds: false, argv: [MARK] });
}

/** Whether Node leaves descriptors open when this thread ends; not so in a thread that somebody else has started. */
export const keepsDescriptors = isMainThread || process.argv.includes(MARK);

const THREADS_BY_DEFAULT = 4;

/**
 * Threads of Node's pool, in which calls wait: what the environment variable UV_THREADPOOL_SIZE says when the process
 * begins, 4 where it says nothing.
 */
export function poolThreads(): number {
  const threads = Number(process.env.UV_THREADPOOL_SIZE);
  return Number.isInteger(threads) && threads > 0 ? threads : THREADS_BY_DEFAULT;
}

/**
 * Descriptors that Node has opened in this thread, for calls in the pool.
 *
 * In a thread Node counts what it has opened, and closes by number what is left of it when the thread ends. It must not
 * miss that one was closed: by then the number may be that of another file, of another thread. So what Node has opened
 * Node closes, and the C library what it has opened itself.
 */
export const openedByNode = new Set<number>();

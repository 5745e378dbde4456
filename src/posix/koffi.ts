import koffi from 'koffi';

/** Calls by {@link koffi} that run in Node's pool at once, in one thread: each beyond it maps memory of its own. */
export const CALLS_AT_ONCE = 32;
/** Calls that there can be at once at all, in one thread. */
export const MOST_CALLS = 128;
/** Enough for a call of the C library, which is given pointers only. */
const ASYNC_BYTES = 65536;

// It must be told before it binds its first function in a thread: whoever binds one imports it from here.
if (koffi.config().resident_async_pools !== CALLS_AT_ONCE)
  koffi.config({
    resident_async_pools: CALLS_AT_ONCE,
    // One that ends holds its memory until it has been told.
    max_async_calls: 2 * MOST_CALLS,
    async_stack_size: ASYNC_BYTES,
    async_heap_size: ASYNC_BYTES,
  });

export { koffi };

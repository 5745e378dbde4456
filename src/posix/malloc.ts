import { koffi } from './koffi.js';

/** Parameters of mallopt(3). */
const TRIM_THRESHOLD = -1;
const MMAP_THRESHOLD = -3;
const MOST_ARENAS = -8;
/** Larger than any object that is read. */
const MMAP_BYTES = 64 * 1048576;
const TRIM_BYTES = 256 * 1048576;

let done = false;

/**
 * Has the C library keep memory of the size of segments when it is freed, rather than give it back to the system and
 * ask for it anew: half of the time in which large files are read goes into that. For all threads of the process; once.
 */
export function keepFreedMemory(): void {
  if (done) return;
  done = true;
  try {
    const mallopt = koffi.load(null as unknown as string).func('int mallopt(int, int)');
    mallopt(MMAP_THRESHOLD, MMAP_BYTES);
    mallopt(TRIM_THRESHOLD, TRIM_BYTES);
    mallopt(MOST_ARENAS, 1);
  } catch {
    // Another C library than glibc: it does as it does.
  }
}

import type { Lz4 } from '../format/envelope.js';
import { openLiblz4 } from './liblz4.js';
import { openNapiLz4 } from './napi-lz4.js';

/**
 * LZ4 block functions for one thread: the system's liblz4, or the bundled fall-back where that is missing.
 *
 * Not to be shared between threads or interleaved frames: a frame's state lives in it.
 */
export function openLz4(): Lz4 {
  return openLiblz4() ?? openNapiLz4();
}

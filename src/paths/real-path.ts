import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { decodeExactly, encodeExactly } from '../text/exact-text.js';

/**
 * A path without symlinks, as far as it is there. It waits for the file systems on the way, without holding up the thread.
 *
 * @param path absolute, as text of `decodeExactly`, which the result is too
 */
export async function realPathOf(path: string): Promise<string> {
  try {
    return decodeExactly(await realpath(encodeExactly(path), 'buffer'));
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPathOf(parent), basename(path));
  }
}

import { type FileHandle, open } from 'node:fs/promises';
import { ClfsError, messageOf, quotePath } from '../index.js';

/**
 * Opens a file for what the user wants in it, in place of what it held. Not by this thread, which would hear no signal
 * meanwhile: it may be a pipe that nobody reads.
 *
 * @throws ClfsError `usage`
 */
export async function openOutput(file: Buffer): Promise<FileHandle> {
  try {
    return await open(file, 'w');
  } catch (cause) {
    throw new ClfsError('usage', `Cannot write ${quotePath(file)}: ${messageOf(cause)}.`, { cause });
  }
}

import { closeSync } from 'node:fs';

/**
 * Closes what Node has opened, and of which nothing depends on what the close says: some file systems tell by it that a
 * server is away, or that a disk is full. What is to be durable was synced.
 */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The descriptor is gone all the same.
  }
}

import type { JobState } from '../state/job-state.js';

const PAGE = 1000;

/**
 * Has every entry that failed looked at again, each in its directory, which is then written again; inside a
 * transaction.
 *
 * What is found there is new: it may have another type, other links, another inode, or be gone. Nothing of its first
 * try is used again.
 *
 * @returns how many there were
 */
export function retryFailures(state: JobState): number {
  const count = state.failures.count();
  state.failures.setWanted();
  for (let after = 0; ; ) {
    const directories = state.failures.wantedDirectories(after, PAGE);
    if (directories.length === 0) return count;
    for (const directory of directories) state.directoryLife.wantLook(directory);
    after = directories[directories.length - 1];
  }
}

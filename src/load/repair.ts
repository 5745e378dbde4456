import { DIRECTORY_MANAGERS, type EntryType } from '../format/ids.js';
import type { FailureRecord } from '../state/failures.js';
import type { JobState } from '../state/job-state.js';
import { DirectoryStatus } from '../state/schema.js';
import { EntryPacker } from '../worker/packed-entries.js';

const PAGE = 1000;

/**
 * Puts every failure of the sessions before back to be done, and the directories that lack the entries; inside a transaction.
 *
 * An entry gets a new handle: what its first attempt may have left under the old one is a left-over of its own.
 *
 * @returns how many there were
 */
export function retryFailures(state: JobState): number {
  const packers = new Map<number, EntryPacker>();
  const linkDirectories = new Set<number>();
  let count = 0;
  for (let after = 0; ; ) {
    const page = state.failures.list(after, PAGE);
    for (const failure of page) {
      retry(state, failure, packers, linkDirectories);
      count++;
    }
    if (page.length < PAGE) break;
    after = page[page.length - 1].id;
  }
  for (const [directory, packer] of packers) {
    const { count: entries, entries: packed } = packer.take();
    state.chunks.add(directory, state.takeSequences(entries), entries, packed, false);
    state.directories.reopen(directory, 1);
  }
  for (const directory of linkDirectories) state.directories.awaitLinks(directory);
  state.failures.setRetrying();
  return count;
}

function retry(state: JobState, failure: FailureRecord, packers: Map<number, EntryPacker>, linkDirectories: Set<number>): void {
  switch (failure.kind) {
    case 'entry': {
      const packer = packers.get(failure.directory) ?? new EntryPacker();
      packers.set(failure.directory, packer);
      packer.add(failure.type as EntryType, failure.name);
      return;
    }
    case 'directory': {
      const known = state.directories.findFailed(failure.directory, failure.name);
      if (known !== undefined) state.directories.setStatus(known, DirectoryStatus.found);
      else {
        state.directories.add({
          parent: failure.directory,
          name: failure.name,
          fileSystem: 0,
          inode: 0n,
          sequence: state.takeSequences(1),
          manager: state.takeManager(DIRECTORY_MANAGERS),
          status: DirectoryStatus.found,
        });
      }
      state.directories.reopen(failure.directory, 1);
      return;
    }
    case 'link':
    case 'group':
      if (failure.group === undefined) throw new Error(`Failure ${failure.id} names no group.`);
      if (failure.kind === 'link') state.links.addName(failure.group, failure.directory, failure.name);
      state.links.reopen(failure.group);
      for (const link of state.links.links(failure.group)) linkDirectories.add(link.directory);
      return;
  }
}

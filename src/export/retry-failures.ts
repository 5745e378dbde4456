import type { ExportState } from './state/export-state.js';
import { CHUNK_ENTRIES, EntryPacker } from './tasks/packed-entries.js';

const PAGE = 1000;

/**
 * Has every entry that failed tried again, but for those whose names are wrong; inside a transaction.
 *
 * @returns how many there are
 */
export function retryFailures(state: ExportState): number {
  let count = 0;
  let directory = 0;
  const packer = new EntryPacker();
  const flush = () => {
    if (packer.count === 0) return;
    const { count: entries, entries: packed } = packer.take();
    state.chunks.add(directory, entries, packed);
  };
  let after = { directory: -1, id: 0 };
  for (
    let page = state.failures.retryable(after, PAGE);
    page.length > 0;
    page = state.failures.retryable(after, PAGE)
  ) {
    for (const failure of page) {
      if (failure.directory !== directory || packer.count === CHUNK_ENTRIES) flush();
      if (failure.directory === 0) state.directories.retryRoot();
      else {
        if (failure.directory !== directory) state.directories.reopen(failure.directory);
        packer.add(failure.name, failure.handle);
      }
      ({ directory } = failure);
      state.failures.setUnderWay(failure.id);
      count++;
    }
    const last = page[page.length - 1];
    after = { directory: last.directory, id: last.id };
  }
  flush();
  return count;
}

import { type ProgressFigures, permilleOf } from '../progress/figures.js';

/** What of a verb's output shows progress. */
interface ShowsProgress {
  progress(figures: () => ProgressFigures): void;
}

/**
 * A way to show how far one run over a tree has come. Entries that are told as all of them may be fewer than there are,
 * since a linked file has one inode and several names: when more are done, neither that number nor a share is known.
 *
 * @param label what is done, in a word
 * @param total entries in all; undefined where that is not known
 * @param workers on other machines that are there; undefined where none can be
 */
export function showEntries(
  io: ShowsProgress,
  label: string,
  total: number | undefined,
  workers: () => number | undefined = () => undefined,
): (entries: number, bytes?: number) => void {
  return (done, bytes) => {
    const all = total !== undefined && done <= total ? total : undefined;
    io.progress(() => ({
      label,
      unit: 'entries',
      done,
      bytes,
      total: all,
      permille: permilleOf(done, all),
      workers: workers(),
    }));
  };
}

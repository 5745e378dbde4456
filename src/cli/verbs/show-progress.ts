import { type StoredShare, sharePermille } from '../../index.js';
import type { ProgressFigures } from '../progress/figures.js';

/** What of a verb's output shows progress. */
interface ShowsProgress {
  progress(figures: () => ProgressFigures): void;
}

/** What is known of a run beside what is told of its entries. */
interface RunFigures {
  /** Workers on other machines that are there; undefined where none can be. */
  workers?(): number | undefined;
  /** How far the content of files has been read; undefined where it is not, or not all of it. Asked each time. */
  content?(): StoredShare | undefined;
}

/**
 * A way to show how far one run over a tree has come. Entries that are told as all of them may be fewer than there are,
 * since a linked file has one inode and several names: when more are done, neither that number nor a share is known. The
 * same holds for the bytes of its content.
 *
 * @param label what is done, in a word
 * @param total entries in all; undefined where that is not known
 */
export function showEntries(
  io: ShowsProgress,
  label: string,
  total: number | undefined,
  { workers, content }: RunFigures = {},
): (entries: number, bytes?: number) => void {
  return (done, bytes) => {
    const all = total !== undefined && done <= total ? total : undefined;
    io.progress(() => {
      const stored = content?.();
      const figures = stored ?? { bytes, bytesTotal: undefined };
      return {
        label,
        unit: 'entries',
        done,
        total: all,
        ...figures,
        stored: stored !== undefined,
        permille: shareOf(done, all, stored),
        workers: workers?.(),
      };
    });
  };
}

function shareOf(done: number, total: number | undefined, stored: StoredShare | undefined): number | undefined {
  if (total === undefined) return undefined;
  if (!stored) return sharePermille({ done, total });
  const { bytes, bytesTotal } = stored;
  return bytesTotal === undefined ? undefined : sharePermille({ done, total, bytes, bytesTotal });
}

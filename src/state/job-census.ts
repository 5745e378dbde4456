import { EntryCounter, type EntryCounts } from '../books/entry-counts.js';

/** A directory, and what was done directly in it. */
export interface CountedDirectory {
  readonly id: number;
  readonly entries: number;
  readonly bytes: number;
}

/** What a job has done, by type, size and directory; as it is recorded. */
export interface RecordedCensus extends EntryCounts {
  /** Largest first. */
  readonly directories: readonly CountedDirectory[];
}

/** Directories that are counted at once, and those that are kept when there would be more. */
const MOST_DIRECTORIES = 4096;
const KEPT_DIRECTORIES = 1024;
/** Directories that are recorded. */
const RECORDED_DIRECTORIES = 24;

/**
 * What a job has done, by type, size and directory: for people, who want to know what their tree is like. Of the
 * directories only the largest are remembered, and no undone transaction takes anything off.
 */
export class JobCensus {
  readonly #counts = new EntryCounter();
  #directories = new Map<number, { entries: number; bytes: number }>();

  /** Goes on with what was recorded. */
  restore(recorded: RecordedCensus | undefined): void {
    if (!recorded) return;
    this.#counts.plus(recorded);
    for (const { id, entries, bytes } of recorded.directories) this.#directories.set(id, { entries, bytes });
  }

  /** Entries of a directory are done. */
  add(directory: number, counts: EntryCounts | undefined, entries: number, bytes: number): void {
    if (counts) this.#counts.plus(counts);
    if (entries <= 0) return;
    const known = this.#directories.get(directory);
    if (known) {
      known.entries += entries;
      known.bytes += bytes;
      return;
    }
    if (this.#directories.size >= MOST_DIRECTORIES)
      this.#directories = new Map(this.#largest(KEPT_DIRECTORIES).map(({ id, ...rest }) => [id, rest]));
    this.#directories.set(directory, { entries, bytes });
  }

  /** One entry is done. @param fileBytes of a regular file; undefined for all else */
  addOne(directory: number, type: number, fileBytes: number | undefined): void {
    this.#counts.add(type, fileBytes);
    this.add(directory, undefined, 1, fileBytes ?? 0);
  }

  record(): RecordedCensus {
    return { ...this.#counts.plain(), directories: this.#largest(RECORDED_DIRECTORIES) };
  }

  #largest(count: number): readonly CountedDirectory[] {
    return Array.from(this.#directories, ([id, rest]) => ({ id, ...rest }))
      .sort((a, b) => b.bytes - a.bytes || b.entries - a.entries || a.id - b.id)
      .slice(0, count);
  }
}

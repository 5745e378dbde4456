/** Entries by type and files by size, as the lanes count them. Plain data. */
export interface EntryCounts {
  /** At the place of the type's number in the format. */
  readonly types: readonly number[];
  /** Regular files, at the place of {@link sizeClass}. */
  readonly sizes: readonly number[];
}

const TYPES = 8;
/** Empty files, those below 1 KiB, then a class for each further factor of four; the last one has no bound. */
const SIZE_CLASSES = 18;
const FIRST_BITS = 10;

/** The class of a file's size: 0 is empty, 1 below 1 KiB, `n` below 4^(n - 1) KiB. */
export function sizeClass(bytes: number): number {
  if (bytes <= 0) return 0;
  const bits = Math.floor(Math.log2(bytes)) + 1;
  return bits <= FIRST_BITS ? 1 : Math.min(SIZE_CLASSES - 1, 1 + Math.ceil((bits - FIRST_BITS) / 2));
}

/** Counts entries where they are loaded or written. */
export class EntryCounter implements EntryCounts {
  readonly types = new Array<number>(TYPES).fill(0);
  readonly sizes = new Array<number>(SIZE_CLASSES).fill(0);

  /** @param fileBytes of a regular file; undefined for all else */
  add(type: number, fileBytes: number | undefined): void {
    this.types[type]++;
    if (fileBytes !== undefined) this.sizes[sizeClass(fileBytes)]++;
  }

  /** What can be handed to another thread. */
  plain(): EntryCounts {
    return { types: this.types, sizes: this.sizes };
  }

  plus({ types, sizes }: EntryCounts): void {
    for (const [at, count] of types.entries()) if (at < TYPES) this.types[at] += count;
    for (const [at, count] of sizes.entries()) if (at < SIZE_CLASSES) this.sizes[at] += count;
  }
}

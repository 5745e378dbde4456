/** What is in a directory, and below. */
export interface Usage {
  /** Bytes of files. */
  apparent: number;
  /** Bytes of the objects that they take. */
  stored: number;
  /** Entries by type, the directory itself included. */
  readonly types: Record<string, number>;
}

/** Sums of one entry. */
export interface EntryUsage {
  readonly type: string;
  readonly isDirectory: boolean;
  readonly apparent: number;
  readonly stored: number;
}

interface Open {
  readonly path: Buffer;
  readonly usage: Usage;
}

const SLASH = 0x2f;

/**
 * Sums up a tree that is walked, each directory before what is in it and one after another: a directory is told when it
 * has been left, after those in it. So only those are kept that lead to where the walk is.
 */
export class DirectoryTotals {
  readonly #tell: (path: Buffer, depth: number, usage: Usage) => void;
  /** From the start down to where the walk is. */
  readonly #open: Open[] = [{ path: Buffer.alloc(0), usage: emptyUsage() }];

  /** @param tell gets each directory by its path below the start, and how far below it is; the start last */
  constructor(tell: (path: Buffer, depth: number, usage: Usage) => void) {
    this.#tell = tell;
  }

  /** Takes the entry that the walk has come to. @param path below the start; empty for that itself */
  add(path: Buffer, entry: EntryUsage): void {
    while (!isIn(path, this.#open[this.#open.length - 1].path)) this.#leave();
    if (entry.isDirectory && path.length > 0) this.#open.push({ path, usage: emptyUsage() });
    const { usage } = this.#open[this.#open.length - 1];
    usage.apparent += entry.apparent;
    usage.stored += entry.stored;
    usage.types[entry.type] = (usage.types[entry.type] ?? 0) + 1;
  }

  /** The walk is over. */
  end(): void {
    while (this.#open.length > 0) this.#leave();
  }

  #leave(): void {
    const left = this.#open.pop();
    if (!left) return;
    this.#tell(left.path, this.#open.length, left.usage);
    const above = this.#open[this.#open.length - 1]?.usage;
    if (!above) return;
    above.apparent += left.usage.apparent;
    above.stored += left.usage.stored;
    for (const [type, count] of Object.entries(left.usage.types)) above.types[type] = (above.types[type] ?? 0) + count;
  }
}

function emptyUsage(): Usage {
  return { apparent: 0, stored: 0, types: {} };
}

function isIn(path: Buffer, directory: Buffer): boolean {
  const { length } = directory;
  return length === 0 || (path[length] === SLASH && path.subarray(0, length).equals(directory));
}

import type { FoundFailures, PageFailure, PageFailures } from './model.js';

/** Something that a command has found. Its texts are escaped already. */
export interface CommandFinding {
  /** Of what kind it is: what a summary counts it by. */
  readonly kind: string;
  readonly path: string;
  readonly text: string;
}

/** What was found since it was asked for last. */
export interface FoundBatch {
  readonly counts: readonly (readonly [kind: string, count: number])[];
  readonly rows: readonly PageFailure[];
}

/** Findings that are kept whole; of all others only how many there are. */
const MOST_ROWS = 2000;
const FIRST = 3;
const FOUND_ROWS = 25;

/** Collects what is found, small whatever comes, until it is taken. */
export class FoundBatches {
  #counts = new Map<string, number>();
  #rows: PageFailure[] = [];
  #kept = 0;

  add({ kind, path, text }: CommandFinding, timeMs = Date.now()): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (this.#kept++ < MOST_ROWS) this.#rows.push({ path, reason: kind, message: text, attempts: 1, timeMs });
  }

  /** @returns undefined where there is nothing new */
  take(): FoundBatch | undefined {
    if (this.#counts.size === 0) return undefined;
    const batch = { counts: [...this.#counts], rows: this.#rows };
    this.#counts = new Map();
    this.#rows = [];
    return batch;
  }
}

/** All that was found: by kind, and the first of it by search. */
export class FoundList {
  readonly #counts = new Map<string, number>();
  readonly #rows: PageFailure[] = [];

  add({ counts, rows }: FoundBatch): void {
    for (const [kind, count] of counts) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + count);
    this.#rows.push(...rows);
  }

  /** Kinds with the most first. */
  get failures(): PageFailures {
    const groups = Array.from(this.#counts, ([reason, entries]) => ({
      reason,
      entries,
      first: this.#rows
        .filter((row) => row.reason === reason)
        .slice(0, FIRST)
        .map(({ path }) => path),
    }));
    groups.sort((a, b) => b.entries - a.entries);
    return { groups, listed: groups.reduce((sum, { entries }) => sum + entries, 0) };
  }

  /** As that of a job: in path, kind and text, in any case, for all of the words. */
  search(words: string, after: number, limit = FOUND_ROWS): FoundFailures {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = this.#rows.filter(({ path, reason, message }) => {
      const text = `${path}\n${reason}\n${message}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const end = Math.max(0, after) + limit;
    const rows = fitting.slice(Math.max(0, after), end);
    return end < fitting.length ? { rows, next: end } : { rows };
  }
}

import type { LargeRecord } from '../state/large-files.js';
import { unpackAttributes } from '../worker/file-attributes.js';
import type { EntryProblem } from '../worker/tasks.js';

/** Segments that one task sends. */
const SEGMENTS_A_TASK = 4;
/** How far beyond what is being sent the recorded bound reaches, in segments. */
const BOUND_STEP = 256;

/** What a large file needs next. */
export type LargeStep =
  | { readonly kind: 'examine' }
  | { readonly kind: 'segments'; readonly first: number; readonly last: number }
  | { readonly kind: 'finish' };

/** Progress of one large file in the current session. */
export class LargeTracker {
  record: LargeRecord;
  #next: number;
  #running = 0;
  /** Ranges that are done beyond the first gap: first block by last block. */
  readonly #beyond = new Map<number, number>();
  #doneBlocks: number;
  #failed: EntryProblem | undefined;
  readonly #examined: boolean;
  readonly #sizeBytes: number;

  constructor(record: LargeRecord) {
    this.record = record;
    this.#doneBlocks = record.doneBlocks;
    this.#next = record.doneBlocks + 1;
    this.#examined = record.blocks > 0;
    this.#sizeBytes = this.#examined ? Number(unpackAttributes(record.attributes).lengthBytes) : 0;
  }

  get doneBlocks(): number {
    return this.#doneBlocks;
  }

  get idle(): boolean {
    return this.#running === 0;
  }

  /** What one of its tasks failed with; the others are only waited for. */
  get failed(): EntryProblem | undefined {
    return this.#failed;
  }

  /** Bytes of it that are not recorded as sent. */
  openBytes(firstSegmentBytes: number, segmentBytes: number): number {
    if (!this.#examined) return 0;
    const sent = this.#doneBlocks > 0 ? Math.min(this.#sizeBytes - firstSegmentBytes, this.#doneBlocks * segmentBytes) : 0;
    return this.#sizeBytes - sent;
  }

  /** What can be done now; counts as running from here on. */
  take(): LargeStep | undefined {
    if (this.#failed) return undefined;
    const last = this.record.blocks - 1;
    if (!this.#examined) {
      if (this.#running > 0) return undefined;
      this.#running++;
      return { kind: 'examine' };
    }
    if (this.#next <= last) {
      const first = this.#next;
      this.#next = Math.min(first + SEGMENTS_A_TASK, last + 1);
      this.#running++;
      return { kind: 'segments', first, last: this.#next - 1 };
    }
    if (this.#running > 0 || this.#doneBlocks < last) return undefined;
    this.#running++;
    return { kind: 'finish' };
  }

  /** Bound to record before blocks up to `last` are sent; undefined when the recorded one will do. */
  boundFor(last: number): number | undefined {
    return last <= this.record.boundBlocks ? undefined : Math.min(last + BOUND_STEP, this.record.blocks - 1);
  }

  ended(): void {
    this.#running--;
  }

  setFailed(problem: EntryProblem): void {
    this.#failed = problem;
  }

  /** A range is at the service. @returns blocks by which the unbroken beginning grew */
  setDone(first: number, last: number): number {
    const before = this.#doneBlocks;
    this.#beyond.set(first, last);
    for (let end = this.#beyond.get(this.#doneBlocks + 1); end !== undefined; end = this.#beyond.get(this.#doneBlocks + 1)) {
      this.#beyond.delete(this.#doneBlocks + 1);
      this.#doneBlocks = end;
    }
    return this.#doneBlocks - before;
  }
}

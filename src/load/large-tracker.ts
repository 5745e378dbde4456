import { Tally } from '../books/tally.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import type { LargeRecord } from '../state/large-files.js';
import type { EntryProblem } from '../worker/tasks.js';

/** Segments that one task sends. */
const SEGMENTS_A_TASK = 4;
/** How far beyond what is being sent the recorded bound reaches, in segments. */
const BOUND_STEP = 256;

/** What a large file needs next. */
export type LargeStep = { readonly kind: 'segments'; readonly first: number; readonly last: number } | { readonly kind: 'finish' };

/** Progress of one large file in the current session. */
export class LargeTracker {
  record: LargeRecord;
  #next: number;
  #running = 0;
  /** Blocks that are done beyond the first gap, with their tallies. */
  readonly #beyond = new Map<number, Uint8Array>();
  #failed: EntryProblem | undefined;
  readonly #sizeBytes: number;

  constructor(record: LargeRecord) {
    this.record = record;
    this.#next = record.doneBlocks + 1;
    this.#sizeBytes = Number(unpackAttributes(record.attributes).lengthBytes);
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
    const { doneBlocks } = this.record;
    return this.#sizeBytes - (doneBlocks > 0 ? Math.min(this.#sizeBytes - firstSegmentBytes, doneBlocks * segmentBytes) : 0);
  }

  /** What can be done now; counts as running from here on. */
  take(): LargeStep | undefined {
    if (this.#failed) return undefined;
    const last = this.record.blocks - 1;
    if (this.#next <= last) {
      const first = this.#next;
      this.#next = Math.min(first + SEGMENTS_A_TASK, last + 1);
      this.#running++;
      return { kind: 'segments', first, last: this.#next - 1 };
    }
    if (this.#running > 0 || this.record.doneBlocks < last) return undefined;
    this.#running++;
    return { kind: 'finish' };
  }

  /** Bound to record before a step is begun; undefined when the recorded one will do. */
  boundFor(step: LargeStep): number | undefined {
    const { blocks, boundBlocks } = this.record;
    const needed = step.kind === 'finish' ? blocks : step.last;
    if (needed <= boundBlocks) return undefined;
    return step.kind === 'finish' ? blocks : Math.min(needed + BOUND_STEP, blocks - 1);
  }

  ended(): void {
    this.#running--;
  }

  setFailed(problem: EntryProblem): void {
    this.#failed ??= problem;
  }

  /**
   * Blocks are at the service.
   *
   * @returns how far the unbroken beginning reaches now, and the tally of what it grew by; undefined when it did not grow
   */
  setDone(blocks: readonly { readonly block: number; readonly tally: Uint8Array }[]): { readonly doneBlocks: number; readonly tally: Tally } | undefined {
    for (const { block, tally } of blocks) this.#beyond.set(block, tally);
    const grown = new Tally();
    let { doneBlocks } = this.record;
    for (let tally = this.#beyond.get(doneBlocks + 1); tally; tally = this.#beyond.get(doneBlocks + 1)) {
      grown.plus(Tally.decode(tally));
      this.#beyond.delete(++doneBlocks);
    }
    return doneBlocks > this.record.doneBlocks ? { doneBlocks, tally: grown } : undefined;
  }
}

import type { Geometry } from '../format/geometry.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import type { LargeRecord } from '../state/large-files.js';
import type { EntryProblem } from '../worker/tasks.js';

/** Segments that one task sends. */
const SEGMENTS_A_TASK = 4;
/** How far beyond what is being sent the recorded bound reaches, in segments. */
const BOUND_STEP = 256;

/** What a large file needs next. */
export type LargeStep =
  | { readonly kind: 'segments'; readonly first: number; readonly last: number }
  | { readonly kind: 'finish' };

/** Progress of one large file in the current session. */
export class LargeTracker {
  record: LargeRecord;
  #next = 1;
  #running = 0;
  #failed: EntryProblem | undefined;
  readonly #sizeBytes: number;

  constructor(record: LargeRecord) {
    this.record = record;
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
  openBytes(geometry: Geometry): number {
    return this.#sizeBytes - doneSegmentBytes(this.record, this.#sizeBytes, geometry);
  }

  /** What can be done now; counts as running from here on. */
  take(): LargeStep | undefined {
    if (this.#failed) return undefined;
    const last = this.record.blocks - 1;
    const gap = this.record.done.gap(this.#next, last, SEGMENTS_A_TASK);
    if (gap) {
      this.#next = gap.last + 1;
      this.#running++;
      return { kind: 'segments', ...gap };
    }
    if (this.#running > 0 || this.record.done.count < last) return undefined;
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
}

/** Bytes of file data in the segments that are recorded as sent. */
export function doneSegmentBytes(
  { done, blocks }: LargeRecord,
  sizeBytes: number,
  { firstSegmentBytes, fileSegmentBytes }: Geometry,
): number {
  const last = blocks - 1;
  const lackingInLast = firstSegmentBytes + last * fileSegmentBytes - sizeBytes;
  return done.count * fileSegmentBytes - (done.has(last) ? lackingInLast : 0);
}

import { errorOf } from '../../engine/breakage.js';
import { LANE_UNITS } from '../../engine/lane-loads.js';
import type { Turn, Work } from '../../engine/work.js';
import type { LargeRecord } from '../../state/large-files.js';
import { quotePath } from '../../text/escape-path.js';
import type { LoadKinds, SegmentsPart } from '../../worker/tasks.js';
import type { JobContext } from '../job-context.js';
import { LargeTracker } from '../large-tracker.js';
import { recordLargeDone, recordLargeFailure, recordSegments } from '../record-results.js';
import { pages } from '../tries.js';
import { OBJECT_UNITS, work } from './work.js';

/** Half of what a lane has at once: it reads one range of segments while it sends another. */
const SEGMENTS_UNITS = LANE_UNITS / 2;
const PAGE = 1000;

/** The large files of a load that are worked on, or wait for it: each is a row of the state and a tracker here. */
export class LargeFilesUnderWay {
  readonly #context: JobContext;
  readonly #givenUp: () => void;
  readonly #files = new Map<number, LargeTracker>();

  /** @param givenUp called when a file was given up: its entry may have to be tried again */
  constructor(context: JobContext, givenUp: () => void) {
    this.#context = context;
    this.#givenUp = givenUp;
  }

  get size(): number {
    return this.#files.size;
  }

  /** Bytes of them that are not recorded as sent. */
  get openBytes(): number {
    const { geometry } = this.#context.constants;
    let bytes = 0;
    for (const file of this.#files.values()) bytes += file.openBytes(geometry);
    return bytes;
  }

  add(records: LargeRecord | Iterable<LargeRecord> | undefined): void {
    if (!records) return;
    for (const record of Symbol.iterator in records ? records : [records])
      this.#files.set(record.id, new LargeTracker(record));
  }

  /** Takes those of the state that `which` chooses. */
  takeFromState(which: (record: LargeRecord) => boolean): void {
    for (const record of pages((after) => this.#context.state.large.list(after, PAGE)))
      if (which(record)) this.add(record);
  }

  /** Gives what can be done now while there is room; inside a transaction. */
  next(turn: Turn<LoadKinds>): void {
    for (const file of this.#files.values()) {
      if (turn.room <= 0) return;
      this.#giveSteps(file, turn);
    }
  }

  #giveSteps(file: LargeTracker, turn: Turn<LoadKinds>): void {
    while (turn.room > 0) {
      const step = file.take();
      if (!step) return;
      const bound = file.boundFor(step);
      if (bound !== undefined) {
        this.#context.state.large.setBound(file.record.id, bound);
        file.record = { ...file.record, boundBlocks: bound };
      }
      turn.give(step.kind === 'finish' ? this.#finish(file) : this.#segments(file, step.first, step.last));
    }
  }

  // A lost range, and a lost end, are done once more as they are: the same names for the same bytes. See `tries.ts`.

  #segments(file: LargeTracker, first: number, last: number): Work<LoadKinds> {
    return work('segments', {
      task: { file: this.#context.largeFile(file.record), first, last },
      units: SEGMENTS_UNITS,
      subject: () => quotePath(this.#context.entryPath(file.record.directory, file.record.sourceName)),
      part: (part) => this.#sent(file, part),
      done: (result, turn) => {
        file.ended();
        this.#sent(file, result);
        if (result.failure) file.setFailed(result.failure);
        if (result.broken) turn.stop(errorOf(result.broken));
        this.#endFailed(file);
      },
    });
  }

  #finish(file: LargeTracker): Work<LoadKinds> {
    return work('finishLarge', {
      task: { file: this.#context.largeFile(file.record) },
      units: OBJECT_UNITS,
      subject: () => quotePath(this.#context.entryPath(file.record.directory, file.record.sourceName)),
      done: (result, turn) => {
        file.ended();
        if (result.failure) file.setFailed(result.failure);
        else if (!result.broken) {
          recordLargeDone(this.#context, file.record, result);
          this.#files.delete(file.record.id);
        }
        if (result.broken) turn.stop(errorOf(result.broken));
        this.#endFailed(file);
      },
    });
  }

  #sent(file: LargeTracker, part: SegmentsPart): void {
    file.record = recordSegments(this.#context, file.record, part);
  }

  /** A file that could not be read on is given up once none of its tasks runs. */
  #endFailed(file: LargeTracker): void {
    if (!file.idle || !file.failed) return;
    this.#files.delete(file.record.id);
    recordLargeFailure(this.#context, file.record, file.failed);
    this.#givenUp();
  }
}

import { errorOf } from '../../engine/breakage.js';
import type { LossRecord, Turn, Work } from '../../engine/work.js';
import { ObjectType } from '../../format/ids.js';
import { quotePath } from '../../text/escape-path.js';
import { addRange, type BlockRange, blockCount, firstGap } from '../block-ranges.js';
import type { ExportJobContext } from '../job-context.js';
import type { LargeRecord } from '../state/large-files.js';
import { ROOT_DIRECTORY, WorkStatus } from '../state/schema.js';
import type { EntryProblem, ExportKinds, LargeFile, RangePart } from '../tasks/kinds.js';
import { failGroup } from './linked.js';
import { OBJECT_UNITS, RANGE_UNITS, work } from './work.js';

/** Large files that are worked on at once; the others wait in the state. */
const MOST_UNDER_WAY = 64;
/** Blocks that are written by one task. */
const RANGE_BLOCKS = 4;
/** Times that a file is begun anew when what was written of it is changed by hand. */
const MOST_ATTEMPTS = 3;

/** A large file that is worked on: to be begun → in parts → to be ended; or to be given up. */
interface UnderWay {
  record: LargeRecord;
  stage: 'to begin' | 'parts' | 'ending';
  /** Parts that are being written: they are given to nobody else, whatever becomes of the others. */
  given: readonly BlockRange[];
  /** Tasks of it that run, those parts included. */
  running: number;
  attempts: number;
  problem: EntryProblem | undefined;
  /** A task of it was lost: it is not made or ended before this time, on the monotonic clock. */
  heldUntilMs: number;
}

/** The large files of an export that are worked on. */
export class LargeFilesUnderWay {
  readonly #context: ExportJobContext;
  readonly #files = new Map<number, UnderWay>();
  #latest = 0;

  constructor(context: ExportJobContext) {
    this.#context = context;
  }

  /** Bytes of them that are not recorded as written. */
  get openBytes(): number {
    let bytes = 0;
    for (const { record } of this.#files.values()) bytes += record.sizeBytes - this.#bytesOf(record);
    return bytes;
  }

  /** Gives what can be done now while there is room; inside a transaction. */
  next(turn: Turn<ExportKinds>): void {
    for (const record of this.#context.state.large.list(this.#latest, MOST_UNDER_WAY - this.#files.size)) {
      this.#latest = record.id;
      this.#files.set(record.id, {
        record,
        stage: 'to begin',
        given: [],
        running: 0,
        attempts: 0,
        problem: undefined,
        heldUntilMs: 0,
      });
    }
    for (const file of this.#files.values()) {
      if (turn.room <= 0) return;
      this.#give(file, turn);
    }
  }

  #give(file: UnderWay, turn: Turn<ExportKinds>): void {
    const isHeld = this.#isHeld(file);
    if (file.problem) {
      if (file.running === 0 && file.stage !== 'ending' && !isHeld) turn.give(this.#end(file, true));
      return;
    }
    if (file.stage === 'to begin') {
      if (file.running === 0 && !isHeld) turn.give(this.#begin(file));
      return;
    }
    if (file.stage !== 'parts') return;
    for (let gap = gapOf(file); gap && turn.room > 0; gap = gapOf(file)) turn.give(this.#range(file, gap));
    const isWhole = file.running === 0 && blockCount(file.record.done) === file.record.blocks;
    if (isWhole && !isHeld) turn.give(this.#end(file, false));
  }

  /**
   * Parts are the same bytes whoever writes them, and go on. What makes the file, and what gives it its times and its
   * name, waits until nothing of a lane that was lost can arrive.
   */
  #isHeld({ heldUntilMs }: UnderWay): boolean {
    const { late } = this.#context;
    return late !== undefined && (late.isOfBefore || !late.hasPassed(heldUntilMs));
  }

  /** A lane is gone with a task of a file. */
  #lost(file: UnderWay, key: string, losses: LossRecord): void {
    const { late } = this.#context;
    file.running--;
    file.heldUntilMs = Math.max(file.heldUntilMs, late?.untilMs ?? 0);
    this.#context.lost(key, losses, [file.record.directory]);
  }

  #subject({ record: { directory, name } }: UnderWay): string {
    return quotePath(this.#context.entryPath(directory, name));
  }

  #begin(file: UnderWay): Work<ExportKinds> {
    const { state } = this.#context;
    const key = `begin ${file.record.id}`;
    file.running++;
    return work('beginLarge', {
      task: { file: this.#placeOf(file.record), inode: file.record.inode },
      units: OBJECT_UNITS,
      losses: this.#context.takeLosses(key),
      subject: () => this.#subject(file),
      lost: (_turn, losses) => this.#lost(file, key, losses),
      done: (result) => {
        file.running--;
        if (result.outcome === 'failed') {
          file.problem = result.problem;
          return;
        }
        if (result.outcome === 'gone') {
          this.#reset(file);
          return;
        }
        file.record = { ...file.record, inode: result.inode };
        state.large.setBegun(file.record.id, result.inode, file.record.done);
        file.stage = 'parts';
      },
    });
  }

  #range(file: UnderWay, range: BlockRange): Work<ExportKinds> {
    const { inode } = file.record;
    if (inode === undefined) throw new Error('A large file was not begun.');
    const [first, end] = range;
    const key = `range ${file.record.id} ${first}`;
    file.running++;
    file.given = [...file.given, range];
    const ended = () => {
      file.given = file.given.filter((each) => each !== range);
    };
    return work('range', {
      task: { file: this.#placeOf(file.record), inode, first, end },
      units: RANGE_UNITS,
      losses: this.#context.takeLosses(key),
      subject: () => this.#subject(file),
      lost: (_turn, losses) => {
        ended();
        this.#lost(file, key, losses);
        this.#beginAnew(file);
      },
      part: (part) => this.#wrote(file, first, part),
      done: (result, turn) => {
        ended();
        file.running--;
        this.#wrote(file, first, result);
        if (result.broken) turn.stop(errorOf(result.broken));
        else if (result.problem) this.#failed(file, result.problem);
        this.#beginAnew(file);
      },
    });
  }

  #end(file: UnderWay, giveUp: boolean): Work<ExportKinds> {
    const { record } = file;
    const { state } = this.#context;
    const key = `end ${record.id}`;
    file.running++;
    file.stage = 'ending';
    return work('endLarge', {
      task: {
        file: this.#placeOf(record),
        inode: record.inode,
        giveUp,
      },
      units: OBJECT_UNITS,
      losses: this.#context.takeLosses(key),
      subject: () => this.#subject(file),
      lost: (_turn, losses) => {
        file.stage = 'parts';
        this.#lost(file, key, losses);
      },
      done: ({ outcome }) => {
        file.running--;
        if (giveUp) this.#giveUp(file);
        else if (typeof outcome === 'object') {
          file.stage = 'parts';
          this.#failed(file, outcome);
          this.#beginAnew(file);
        } else {
          if (record.group !== undefined) this.#setOrigin(record, record.group);
          else if (outcome !== 'gone') {
            state.directories.setFilled(record.directory);
            state.count({ [outcome]: 1, bytes: outcome === 'left' ? -record.sizeBytes : 0 });
            if (outcome === 'left') this.#context.passed(record.sizeBytes);
            this.#context.census.addOne(record.directory, ObjectType.regular, record.sizeBytes);
          }
          this.#forget(file);
        }
      },
    });
  }

  /** The names of its group are linked to its temporary file. */
  #setOrigin(record: LargeRecord, group: number): void {
    const { links } = this.#context.state;
    const { inode } = record;
    if (inode === undefined) throw new Error('A large file was ended that was not begun.');
    links.setOrigin(group, { directory: ROOT_DIRECTORY, name: this.#placeOf(record).temporary, inode });
    links.setStatus(group, WorkStatus.pending);
  }

  /** What is told again, or was told before in part, counts once. */
  #wrote(file: UnderWay, first: number, { end }: RangePart): void {
    if (end <= first) return;
    const { state } = this.#context;
    const before = this.#bytesOf(file.record);
    file.record = { ...file.record, done: addRange(file.record.done, [first, end]) };
    state.large.setDone(file.record.id, file.record.done);
    state.count({ bytes: this.#bytesOf(file.record) - before });
  }

  #failed(file: UnderWay, problem: EntryProblem): void {
    if (problem.reason === 'target-changed' && file.attempts < MOST_ATTEMPTS) {
      file.stage = 'to begin';
      return;
    }
    file.problem ??= problem;
  }

  /** What was written of it is gone: nothing of it counts once none of its tasks runs. */
  #beginAnew(file: UnderWay): void {
    if (file.stage !== 'to begin' || file.running > 0) return;
    file.attempts++;
    this.#reset(file);
  }

  /** Nothing of it counts. */
  #reset(file: UnderWay): void {
    const { state } = this.#context;
    state.count({ bytes: -this.#bytesOf(file.record) });
    file.record = { ...file.record, inode: undefined, done: [] };
    state.large.reset(file.record.id);
  }

  #giveUp(file: UnderWay): void {
    const { record, problem } = file;
    this.#reset(file);
    this.#forget(file);
    const why = problem ?? { reason: 'target-changed', message: 'it was given up' };
    if (record.group === undefined) this.#context.fail(record, why);
    else failGroup(this.#context, record.group, record.handle, why);
  }

  #forget({ record }: UnderWay): void {
    this.#context.state.large.delete(record.id);
    this.#files.delete(record.id);
  }

  #placeOf({ id, group, directory, name, handle }: LargeRecord): LargeFile {
    const { temporaryPrefix } = this.#context.constants;
    return {
      ...this.#context.place(directory),
      name: group === undefined ? name : undefined,
      temporary: Buffer.from(`${temporaryPrefix}${group === undefined ? `f${id}` : `g${group}`}`),
      handle,
    };
  }

  #bytesOf({ done, sizeBytes }: LargeRecord): number {
    const { firstSegmentBytes, fileSegmentBytes } = this.#context.constants.geometry;
    const offset = (block: number) =>
      block === 0 ? 0 : Math.min(sizeBytes, firstSegmentBytes + (block - 1) * fileSegmentBytes);
    return done.reduce((sum, [first, end]) => sum + offset(end) - offset(first), 0);
  }
}

/** Blocks that are neither written nor being written. */
function gapOf({ record, given }: UnderWay): BlockRange | undefined {
  return firstGap(given.reduce(addRange, record.done), 0, record.blocks, RANGE_BLOCKS);
}

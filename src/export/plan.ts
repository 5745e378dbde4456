import type { Advance, Plan, Turn } from '../engine/work.js';
import { ClfsError } from '../error.js';
import { counted } from '../text/counted.js';
import type { ExportJobContext } from './job-context.js';
import { ROOT_DEPTH, WorkStatus } from './state/schema.js';
import type { ExportKinds } from './tasks/kinds.js';
import { filesWork } from './work/files.js';
import { LargeFilesUnderWay } from './work/large.js';
import { linkedWork } from './work/linked.js';
import { listWork } from './work/list.js';
import { restoreWork } from './work/restore.js';
import { sweepWork } from './work/sweep.js';
import { OWN_LANE } from './work/work.js';

/** Directories are read ahead until this many entries wait. */
const BACKLOG_ENTRIES = 16384;
const LISTINGS_A_LANE = 4;
const CHUNKS_A_CLAIM = 4;
const GROUPS_A_CLAIM = 64;
const DIRECTORIES_A_TASK = 128;

/**
 * What an export is made of.
 *
 * The scan reads directories and writes what is found in them, large files part by part. When nothing is left of it
 * files with several names follow, all their names being known; and last the directories get their attributes, from the
 * deepest up: writing into one changes its times, and its mode may forbid it.
 */
export class ExportPlan implements Plan<ExportKinds> {
  readonly #context: ExportJobContext;
  readonly #maxErrors: number;
  readonly #large: LargeFilesUnderWay;
  #stage: 'scan' | 'links' | 'sweep' | 'directories' = 'scan';
  /** Groups of which the latest try was lost. */
  #held: { readonly group: number; readonly untilMs: number }[] = [];
  #listings = 0;
  #swept = 0;
  /** Entries that wait; below 0 when it is to be counted anew. */
  #backlog = -1;
  #isRootBegun = false;
  #rootError: { readonly error: unknown } | undefined;
  #level: { readonly depth: number; parent: number; id: number } | undefined;

  /** @param maxErrors failures of the present session that are tolerated */
  constructor(context: ExportJobContext, maxErrors: number) {
    this.#context = context;
    this.#maxErrors = maxErrors;
    this.#large = new LargeFilesUnderWay(context);
  }

  bytesAhead(): number {
    return this.#large.openBytes;
  }

  next(turn: Turn<ExportKinds>): void {
    if (this.#hasTooManyFailures(turn) || turn.room <= 0 || this.#mustWaitForFormer()) return;
    this.#large.next(turn);
    if (this.#stage === 'scan') this.#scan(turn);
    this.#files(turn);
    this.#release();
    if (this.#stage === 'links') this.#linked(turn);
    if (this.#stage === 'sweep') this.#sweep(turn);
    if (this.#stage === 'directories') this.#restore(turn);
  }

  recorded(): void {
    this.#context.recordShare();
  }

  /** Workers of sessions before the export began anew may write what the container had then, over what is written now. */
  #mustWaitForFormer(): boolean {
    const { state, late } = this.#context;
    return state.record.isAnew === true && late?.isOfBefore === true && late.mustWait();
  }

  advance(): Advance {
    const { directories, links, large, leftovers } = this.#context.state;
    // What the next stage does must not meet what workers that were given up still do.
    if (this.#context.late?.mustWait()) return 'wait';
    if (this.#stage === 'scan') {
      if (directories.hasUnlisted()) throw new Error('Directories remain to be read, and nothing reads them.');
      this.#stage = 'links';
      return 'next';
    }
    if (this.#stage === 'links' && (links.hasPending() || this.#held.length > 0)) return 'next';
    if (large.list(0, 1).length > 0) throw new Error('Large files remain to be written, and nothing writes them.');
    if (this.#stage === 'links') {
      this.#stage = 'sweep';
      return 'next';
    }
    if (leftovers.next(0) !== undefined) throw new Error('Left-overs remain to be removed, and nothing removes them.');
    this.#stage = 'directories';
    const depth = directories.deepestOpen();
    if ((depth === undefined || depth === ROOT_DEPTH) && !this.#isReadyForRoot()) return 'wait';
    if (depth === undefined) return 'end';
    if (this.#level?.depth === depth)
      throw new Error(`Directories of depth ${depth} remain without their attributes, and nothing gives them.`);
    this.#level = { depth, parent: -1, id: 0 };
    return 'next';
  }

  /** Whether what comes before the root has been done: it is begun once, and not waited for here. */
  #isReadyForRoot(): boolean {
    const { beforeRoot, wake } = this.#context;
    if (this.#rootError) throw this.#rootError.error;
    if (!beforeRoot) return true;
    if (this.#isRootBegun) return false;
    this.#isRootBegun = true;
    beforeRoot()
      .then(() => {
        this.#context.beforeRoot = undefined;
      })
      .catch((error: unknown) => {
        this.#rootError = { error };
      })
      .finally(wake);
    return false;
  }

  #hasTooManyFailures(turn: Turn<ExportKinds>): boolean {
    const { sessionFailures } = this.#context;
    if (sessionFailures <= this.#maxErrors) return false;
    const text = `${counted(sessionFailures, 'entries')} failed, more than --max-errors=${this.#maxErrors} allows. Mend what problems.txt names before going on, or allow more by --max-errors=N: else it ends in the same way again.`;
    turn.stop(new ClfsError('entry', text));
    return true;
  }

  #scan(turn: Turn<ExportKinds>): void {
    const { directories, chunks } = this.#context.state;
    const most = LISTINGS_A_LANE * turn.lanes;
    if (this.#backlog < 0) this.#backlog = chunks.backlogEntries();
    if (this.#backlog >= BACKLOG_ENTRIES || this.#listings >= most) return;
    for (const directory of directories.claim(most - this.#listings)) {
      this.#listings++;
      turn.give(listWork(this.#context, directory, this.#listingEnded));
    }
  }

  readonly #listingEnded = () => {
    this.#listings--;
    this.#backlog = -1;
  };

  #files(turn: Turn<ExportKinds>): void {
    while (turn.room > 0) {
      const chunks = this.#context.state.chunks.claim(CHUNKS_A_CLAIM);
      if (chunks.length === 0) return;
      for (const chunk of chunks) {
        this.#backlog -= chunk.count;
        turn.give(filesWork(this.#context, chunk));
      }
    }
  }

  #linked(turn: Turn<ExportKinds>): void {
    while (turn.room > 0) {
      const groups = this.#context.state.links.claim(GROUPS_A_CLAIM);
      if (groups.length === 0) return;
      for (const group of groups) turn.give(linkedWork(this.#context, group, this.#hold));
    }
  }

  readonly #hold = (group: number) => {
    this.#held.push({ group, untilMs: this.#context.late?.untilMs ?? 0 });
  };

  /** What was held back is to be given again. */
  #release(): void {
    const { late, state } = this.#context;
    if (this.#held.length === 0) return;
    const isOver = ({ untilMs }: { readonly untilMs: number }) => late === undefined || late.hasPassed(untilMs);
    for (const { group } of this.#held.filter(isOver)) state.links.setStatus(group, WorkStatus.pending);
    this.#held = this.#held.filter((each) => !isOver(each));
  }

  #sweep(turn: Turn<ExportKinds>): void {
    while (turn.room > 0) {
      const directory = this.#context.state.leftovers.next(this.#swept);
      if (directory === undefined) return;
      this.#swept = directory;
      turn.give(sweepWork(this.#context, directory));
    }
  }

  #restore(turn: Turn<ExportKinds>): void {
    const level = this.#level;
    while (level && turn.room > 0) {
      const page = this.#context.state.directories.open(level.depth, level, DIRECTORIES_A_TASK);
      if (page.length === 0) return;
      const { parent, id } = page[page.length - 1];
      Object.assign(level, { parent, id });
      // Who comes from here on does not take part: the last of all directories is the driver's.
      turn.give(restoreWork(this.#context, page, level.depth === ROOT_DEPTH ? OWN_LANE : undefined));
    }
  }
}

import type { Advance, Plan, Turn } from '../engine/work.js';
import { ClfsError } from '../error.js';
import { counted } from '../text/counted.js';
import type { LoadKinds } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';
import { failUnmounted, failUnmountedNames } from './unmounted-entries.js';
import { directoryWork } from './work/directory.js';
import { filesWork } from './work/files.js';
import { LargeFilesUnderWay } from './work/large.js';
import { linkedWork } from './work/linked.js';
import { listWork } from './work/list.js';
import { lookWork } from './work/look.js';
import { OBJECT_UNITS } from './work/work.js';

/** Directories are listed ahead until this many entries wait. */
const BACKLOG_ENTRIES = 16384;
const LISTINGS_A_LANE = 4;
/** Large files that are worked on or wait at once. */
const MOST_LARGE = 256;
const CHUNKS_A_CLAIM = 4;
const GROUPS_A_CLAIM = 64;

/**
 * What a load is made of: everything but the root directory, which commits it.
 *
 * The scan lists directories and loads what is found in them, large files piece by piece. When nothing is left of it
 * linked inodes follow, all their names being known; directories are written as soon as everything in them is done or
 * has failed.
 */
export class LoadPlan implements Plan<LoadKinds> {
  readonly #context: JobContext;
  readonly #maxErrors: number;
  readonly #onReconcile: () => void;
  readonly #large: LargeFilesUnderWay;
  /** Entries of chunks that wait; -1: to be counted anew. */
  #backlog = -1;
  #listings = 0;
  #scanComplete = false;
  #linksReleased = false;

  /** @param onReconcile called once, when linked inodes begin to be written */
  constructor(context: JobContext, maxErrors: number, onReconcile: () => void) {
    this.#context = context;
    this.#maxErrors = maxErrors;
    this.#onReconcile = onReconcile;
    this.#large = new LargeFilesUnderWay(context, this.#chunksChanged);
    // Those of linked inodes wait until the scan is complete: it may bring further names of them.
    this.#large.takeFromState(({ origin }) => origin.chunk !== undefined);
    context.progress.openLargeBytes = () => this.bytesAhead();
  }

  bytesAhead(): number {
    return this.#large.openBytes;
  }

  next(turn: Turn<LoadKinds>): void {
    if (this.#hasTooManyFailures(turn) || turn.room <= 0) return;
    const { state } = this.#context;
    for (const id of state.directoryLife.claimReady(Math.ceil(turn.room / OBJECT_UNITS)))
      turn.give(directoryWork(this.#context, id));
    this.#large.next(turn);
    if (!this.#scanComplete) this.#scan(turn);
    this.#files(turn);
    if (this.#scanComplete) this.#linked(turn);
  }

  recorded(): void {
    const { state, progress } = this.#context;
    this.#context.recordShare();
    const sourceCalls = progress.takeSourceCalls();
    if (sourceCalls) state.update({ sourceCalls });
  }

  advance(): Advance {
    const { state, progress } = this.#context;
    if (!this.#scanComplete) {
      if (state.directoryLife.hasUnlisted())
        throw new Error('Directories remain to be listed, and nothing lists them.');
      this.#scanComplete = true;
      progress.scanning = false;
      this.#large.takeFromState(({ origin }) => origin.chunk === undefined);
      if (state.links.hasOpen()) this.#onReconcile();
      return 'next';
    }
    if (this.#linksReleased) return 'end';
    this.#linksReleased = true;
    state.transact(() => state.directoryLife.releaseLinks());
    return 'next';
  }

  #hasTooManyFailures(turn: Turn<LoadKinds>): boolean {
    const { sessionFailures } = this.#context.progress;
    if (sessionFailures <= this.#maxErrors) return false;
    turn.stop(
      new ClfsError(
        'entry',
        `${counted(sessionFailures, 'entries')} failed, more than --max-errors=${this.#maxErrors} allows. Mend what problems.txt names before going on, or allow more by --max-errors=N: else it ends in the same way again.`,
      ),
    );
    return true;
  }

  /** Has failed entries of earlier sessions looked at, and directories listed. */
  #scan(turn: Turn<LoadKinds>): void {
    const { directoryLife, chunks } = this.#context.state;
    const most = LISTINGS_A_LANE * turn.lanes;
    const begin = (ids: readonly number[], make: typeof listWork) => {
      for (const id of ids) {
        this.#listings++;
        turn.give(make(this.#context, id, this.#listingEnded));
      }
    };
    if (this.#listings < most) begin(directoryLife.claimLook(most - this.#listings), lookWork);
    if (this.#backlog < 0) this.#backlog = chunks.backlogEntries();
    if (this.#backlog < BACKLOG_ENTRIES && this.#listings < most)
      begin(directoryLife.claimFound(most - this.#listings), listWork);
  }

  readonly #listingEnded = () => {
    this.#listings--;
    this.#chunksChanged();
  };

  readonly #chunksChanged = () => {
    this.#backlog = -1;
  };

  #files(turn: Turn<LoadKinds>): void {
    while (turn.room > 0 && this.#large.size < MOST_LARGE) {
      const chunks = this.#context.state.chunks.claim(CHUNKS_A_CLAIM);
      if (chunks.length === 0) return;
      for (const chunk of chunks) {
        this.#backlog -= chunk.count;
        if (failUnmounted(this.#context, chunk)) this.#chunksChanged();
        else turn.give(filesWork(this.#context, chunk, this.#large));
      }
    }
  }

  #linked(turn: Turn<LoadKinds>): void {
    while (turn.room > 0 && this.#large.size < MOST_LARGE) {
      const groups = this.#context.state.links.claim(GROUPS_A_CLAIM);
      if (groups.length === 0) return;
      for (const group of groups)
        if (!failUnmountedNames(this.#context, group)) turn.give(linkedWork(this.#context, group, this.#large));
    }
  }
}

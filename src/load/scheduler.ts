import { ClfsError } from '../error.js';
import { FIRST_VERSION } from '../format/names.js';
import type { ChunkRecord } from '../state/chunks.js';
import type { FailureRecord } from '../state/failures.js';
import type { LinkGroupRecord, LinkRecord } from '../state/link-groups.js';
import { errorOf, stopped } from '../worker/breakage.js';
import type { RunnerEvents, TaskRunner } from '../worker/runner.js';
import type {
  Breakage,
  DirectoryResult,
  FilesPart,
  FilesResult,
  FinishLargeResult,
  LinkedResult,
  LinkedTask,
  ListPart,
  ListResult,
  LookResult,
  SegmentsPart,
  SegmentsResult,
  Task,
  TaskPart,
  TaskResult,
} from '../worker/tasks.js';
import { DirectoryFeeder } from './directory-feeder.js';
import type { JobContext } from './job-context.js';
import { LaneCount } from './lane-count.js';
import { type LargeStep, LargeTracker } from './large-tracker.js';
import { ListingInProgress } from './record-listing.js';
import {
  type ChunkUnderWay,
  chunkUnderWay,
  recordDirectoryWritten,
  recordFiles,
  recordFilesPart,
  recordLargeDone,
  recordLargeFailure,
  recordLinked,
  recordSegments,
} from './record-results.js';
import { pages, takeNames } from './tries.js';

/** Work that a lane has at once, in units of about one small file. */
const LANE_UNITS = 1024;
/** Directories are listed ahead until this many entries wait. */
const BACKLOG_ENTRIES = 16384;
const LISTINGS_A_LANE = 4;
/** Large files that are worked on or wait at once. */
const MOST_LARGE = 256;
/** Share of the main thread's time that may go into making the state durable. */
const COMMIT_SHARE = 0.25;
const SHORTEST_PAUSE_MS = 2;
/** How long a stop waits for what is under way, and then for what lanes tell of it when it is cut off. */
const STOP_WAIT_MS = 3500;
const ABANDON_WAIT_MS = 1500;
/** How often a job that nothing happens in says that it is alive. */
const BEAT_MS = 10_000;
/** Failed entries that are looked at by one task. */
const NAMES_A_LOOK = 4096;

type Claim =
  | { readonly kind: 'list'; readonly listing: ListingInProgress }
  | {
      readonly kind: 'look';
      readonly listing: ListingInProgress;
      readonly looked: readonly FailureRecord[];
      readonly more: boolean;
    }
  | { readonly kind: 'files'; readonly chunk: ChunkUnderWay }
  | { readonly kind: 'linked'; readonly group: LinkGroupRecord; readonly links: readonly LinkRecord[] }
  | { readonly kind: LargeStep['kind']; readonly large: LargeTracker }
  | { readonly kind: 'directory'; readonly feeder: DirectoryFeeder };

interface Running {
  readonly claim: Claim;
  readonly lane: number;
  readonly units: number;
}

interface Planned {
  readonly claim: Claim;
  readonly task: Task;
  readonly units: number;
  /** Goes on where the same claim's task ran before. */
  readonly lane?: number;
}

type Event =
  | { readonly kind: 'part'; readonly task: number; readonly part: TaskPart }
  | { readonly kind: 'done'; readonly task: number; readonly result: TaskResult };

type Timer = ReturnType<JobContext['clock']['after']>;

/**
 * Brings everything of a job but the root directory into the container.
 *
 * One loop: what the lanes report and what they are given next is one transaction; only when it is durable are the tasks handed out.
 */
export class Scheduler {
  readonly #context: JobContext;
  readonly #maxErrors: number;
  readonly #allLanes: boolean;
  readonly #onReconcile: () => void;
  #runner: TaskRunner | undefined;
  readonly #running = new Map<number, Running>();
  readonly #lanes: number[] = [];
  #laneCount = new LaneCount(1, true);
  #events: Event[] = [];
  #taskNumber = 0;
  #backlog = 0;
  #listings = 0;
  readonly #large = new Map<number, LargeTracker>();
  #scanComplete = false;
  #linksReleased = false;
  #timer: Timer | undefined;
  #lookTimer: Timer | undefined;
  #beatTimer: Timer | undefined;
  #stopTimer: Timer | undefined;
  #stopping: unknown;
  #abandoned = false;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  /**
   * @param allLanes use every lane from the start
   * @param onReconcile called once, when linked inodes begin to be written
   */
  constructor(context: JobContext, maxErrors: number, allLanes: boolean, onReconcile: () => void) {
    this.#allLanes = allLanes;
    this.#context = context;
    this.#maxErrors = maxErrors;
    this.#onReconcile = onReconcile;
  }

  get #told(): RunnerEvents {
    return {
      part: (task, part) => this.#receive({ kind: 'part', task, part }),
      done: (task, result) => this.#receive({ kind: 'done', task, result }),
      failed: (task, error) => this.#fail(task, error),
    };
  }

  /**
   * Runs to the end.
   *
   * @throws ClfsError `cancelled` when `signal` is aborted; `entry` when too many entries failed; whatever the container or the state threw
   */
  async run(runner: TaskRunner, signal: AbortSignal): Promise<void> {
    this.#runner = runner;
    runner.start(this.#told);
    this.#context.progress.openLargeBytes = () => this.#largeBytes();
    this.#lanes.push(...new Array<number>(runner.lanes).fill(0));
    this.#laneCount = new LaneCount(runner.lanes, this.#allLanes);
    const { state } = this.#context;
    this.#backlog = state.chunks.backlogEntries();
    // Those of linked inodes wait until the scan is complete: it may bring further names of them.
    this.#takeLarge(({ origin }) => origin.chunk !== undefined);
    const abort = () => this.#stop(stopped());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#beat();
        this.#pump();
      });
    } finally {
      signal.removeEventListener('abort', abort);
      for (const timer of [this.#timer, this.#lookTimer, this.#beatTimer, this.#stopTimer]) timer?.cancel();
      this.#settle = undefined;
    }
  }

  #takeLarge(which: (record: LargeTracker['record']) => boolean): void {
    for (const record of pages((after) => this.#context.state.large.list(after, 1000))) {
      if (which(record)) this.#large.set(record.id, new LargeTracker(record));
    }
  }

  /** A job in which nothing is recorded for a while, since the service is away, is alive all the same. */
  #beat(): void {
    this.#beatTimer = this.#context.clock.after(BEAT_MS, () => {
      this.#pump();
      if (this.#settle) this.#beat();
    });
  }

  #receive(event: Event): void {
    this.#events.push(event);
    this.#schedule(SHORTEST_PAUSE_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || !this.#settle) return;
    this.#timer = this.#context.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
  }

  /** Lanes that get work: the first, and the one behind the last. */
  get lanes(): { readonly first: number; readonly end: number } {
    return this.#laneCount.active;
  }

  /** Whether nothing was under way when the run ended: no put of the current session can take effect any more. */
  get settled(): boolean {
    return this.#running.size === 0 && !this.#abandoned;
  }

  /** A task has ended the job. What else runs is waited for: most of it meets the same end, and then nothing is uncertain. */
  #fail(task: number, error: unknown): void {
    const running = this.#running.get(task);
    if (!running) {
      this.#end(error);
      return;
    }
    this.#running.delete(task);
    this.#lanes[running.lane] -= running.units;
    this.#stop(error);
    if (this.#running.size === 0) this.#schedule(0);
  }

  /** Ends the run at once. */
  #end(error: unknown): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
  }

  /** Ends the run when what is running has been recorded, or after a while. */
  #stop(reason: unknown): void {
    if (this.#stopping) return;
    this.#stopping = reason;
    this.#runner?.stop();
    const { clock } = this.#context;
    this.#stopTimer = clock.after(STOP_WAIT_MS, () => {
      if (!this.#settle) return;
      this.#abandoned = true;
      this.#runner?.abandon();
      this.#stopTimer = clock.after(ABANDON_WAIT_MS, () => this.#end(reason));
    });
    this.#schedule(0);
  }

  #pump(): void {
    if (!this.#settle) return;
    try {
      this.#turn();
    } catch (error) {
      this.#end(error);
    }
  }

  #turn(): void {
    const begun = this.#context.clock.monotonic();
    const events = this.#events;
    this.#events = [];
    const planned = this.#context.state.transact(() => {
      const next: Planned[] = [];
      for (const event of events) this.#apply(event, next);
      this.#checkFailures();
      if (!this.#stopping) this.#plan(next);
      return next;
    });
    // What goes on in several tasks is begun anew by the next session.
    if (!this.#stopping) for (const { claim, task, units, lane } of planned) this.#submit(claim, task, units, lane);
    const quiet = this.#running.size === 0;
    if (this.#stopping) {
      if (quiet) this.#end(this.#stopping);
      return;
    }
    if (quiet) this.#advance();
    else this.#considerLanes();
    // What arrived meanwhile waits long enough that commits do not eat up this thread.
    if (this.#events.length > 0) this.#schedule(Math.max(SHORTEST_PAUSE_MS, (this.#context.clock.monotonic() - begun) * (1 / COMMIT_SHARE - 1)));
  }

  /** Nothing runs and nothing can be given out: the next stage, or the end. */
  #advance(): void {
    const { state, progress } = this.#context;
    if (!this.#scanComplete) {
      if (state.directories.hasUnlisted()) throw new Error('Directories remain to be listed, and nothing lists them.');
      this.#scanComplete = true;
      progress.scanning = false;
      this.#takeLarge(({ origin }) => origin.chunk === undefined);
      if (state.links.hasOpen()) this.#onReconcile();
      this.#schedule(0);
      return;
    }
    if (!this.#linksReleased) {
      this.#linksReleased = true;
      state.transact(() => state.directories.releaseLinks());
      this.#schedule(0);
      return;
    }
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  #checkFailures(): void {
    const { sessionFailures } = this.#context.progress;
    if (sessionFailures <= this.#maxErrors || this.#stopping) return;
    this.#stop(
      new ClfsError(
        'entry',
        `${sessionFailures} entries failed, more than --max-errors=${this.#maxErrors} allows. Mend what problems.txt names, then go on with --new-session=false.`,
      ),
    );
  }

  #submit(claim: Claim, task: Task, units: number, wantedLane: number | undefined): void {
    const lane = wantedLane ?? this.#freestLane();
    const number = ++this.#taskNumber;
    this.#lanes[lane] += units;
    this.#running.set(number, { claim, lane, units });
    this.#runner?.submit(lane, number, task);
  }

  #freestLane(): number {
    const { first, end } = this.#laneCount.active;
    const active = this.#lanes.slice(first, end);
    return first + active.indexOf(Math.min(...active));
  }

  /** Records an event; inside a transaction. */
  #apply(event: Event, next: Planned[]): void {
    const running = this.#running.get(event.task);
    if (!running) return;
    const { claim, lane, units } = running;
    if (event.kind === 'part') {
      this.#applyPart(claim, event.part);
      return;
    }
    this.#running.delete(event.task);
    this.#lanes[lane] -= units;
    const { result } = event;
    switch (claim.kind) {
      case 'list':
        this.#listings--;
        claim.listing.finish(result as ListResult, this.#context);
        this.#backlog = -1;
        return;
      case 'look':
        this.#listings--;
        claim.listing.finishLook(result as LookResult, claim.looked, claim.more, this.#context);
        this.#backlog = -1;
        return;
      case 'files': {
        const { broken } = result as FilesResult;
        const found = recordFiles(this.#context, claim.chunk, result as FilesResult);
        for (const record of found) this.#large.set(record.id, new LargeTracker(record));
        this.#break(broken);
        return;
      }
      case 'linked': {
        const linked = result as LinkedResult;
        const record = recordLinked(this.#context, claim.group, claim.links, linked);
        if (record) this.#large.set(record.id, new LargeTracker(record));
        if (linked.outcome === 'broken') this.#break(linked.broken);
        return;
      }
      case 'directory':
        this.#applyDirectory(claim.feeder, result as DirectoryResult, next, lane);
        return;
      case 'segments':
        this.#applySegments(claim.large, result as SegmentsResult);
        return;
      case 'finish':
        this.#applyFinish(claim.large, result as FinishLargeResult);
    }
  }

  #applyPart(claim: Claim, part: TaskPart): void {
    if (claim.kind === 'list' || claim.kind === 'look') claim.listing.addPart(part as ListPart, this.#context);
    else if (claim.kind === 'files') recordFilesPart(this.#context, claim.chunk, part as FilesPart);
    else if (claim.kind === 'segments') this.#segmentsDone(claim.large, part as SegmentsPart);
  }

  /** A task was ended by something that is not the source's: what of it is acknowledged is recorded, and the job stops. */
  #break(broken: Breakage | undefined): void {
    if (broken) this.#stop(errorOf(broken));
  }

  #applyDirectory(feeder: DirectoryFeeder, result: DirectoryResult, next: Planned[], lane: number): void {
    feeder.take(result);
    this.#context.manifest?.append(result.manifest);
    if (feeder.complete) recordDirectoryWritten(this.#context, feeder.directory, feeder.blocks, feeder.tally);
    else next.push({ claim: { kind: 'directory', feeder }, task: feeder.next(this.#context), units: DIRECTORY_UNITS, lane });
  }

  #segmentsDone(large: LargeTracker, part: SegmentsPart): void {
    large.record = recordSegments(this.#context, large.record, part);
  }

  #applySegments(large: LargeTracker, result: SegmentsResult): void {
    large.ended();
    this.#segmentsDone(large, result);
    if (result.failure) large.setFailed(result.failure);
    this.#break(result.broken);
    this.#endFailed(large);
  }

  #applyFinish(large: LargeTracker, result: FinishLargeResult): void {
    large.ended();
    if (result.failure) large.setFailed(result.failure);
    else if (!result.broken) {
      recordLargeDone(this.#context, large.record, result);
      this.#large.delete(large.record.id);
    }
    this.#break(result.broken);
    this.#endFailed(large);
  }

  /** A large file that could not be read on is given up once none of its tasks runs. */
  #endFailed(large: LargeTracker): void {
    if (!large.idle || !large.failed) return;
    this.#large.delete(large.record.id);
    recordLargeFailure(this.#context, large.record, large.failed);
    this.#backlog = -1;
  }

  /** Gives the lanes work while they have room; inside a transaction. */
  #plan(next: Planned[]): void {
    const { state } = this.#context;
    let room = this.#room() - next.reduce((sum, { units }) => sum + units, 0);
    const give = (planned: Planned) => {
      next.push(planned);
      room -= planned.units;
    };
    if (room <= 0) return;
    for (const id of state.directories.claimReady(Math.ceil(room / DIRECTORY_UNITS))) {
      const feeder = new DirectoryFeeder(id);
      give({ claim: { kind: 'directory', feeder }, task: feeder.next(this.#context), units: DIRECTORY_UNITS });
    }
    this.#planLarge(() => room, give);
    if (!this.#scanComplete) this.#planLooks(give);
    if (this.#backlog < 0) this.#backlog = state.chunks.backlogEntries();
    if (!this.#scanComplete && this.#backlog < BACKLOG_ENTRIES) {
      const limit = LISTINGS_A_LANE * this.#lanes.length - this.#listings;
      for (const id of limit > 0 ? state.directories.claimFound(limit) : []) {
        this.#listings++;
        give({
          claim: { kind: 'list', listing: new ListingInProgress(id) },
          task: { kind: 'list', place: this.#context.directory(id).place },
          units: LIST_UNITS,
        });
      }
    }
    while (room > 0 && this.#large.size < MOST_LARGE) {
      const chunks = state.chunks.claim(4);
      for (const chunk of chunks) this.#giveChunk(chunk, give);
      if (chunks.length === 0) break;
    }
    while (room > 0 && this.#scanComplete && this.#large.size < MOST_LARGE) {
      const groups = state.links.claim(64);
      for (const group of groups) this.#giveGroup(group, give);
      if (groups.length === 0) break;
    }
  }

  /** Units that the active lanes can take. */
  #room(): number {
    const { first, end } = this.#laneCount.active;
    return this.#lanes.slice(first, end).reduce((sum, units) => sum + Math.max(0, LANE_UNITS - units), 0);
  }

  /** More lanes become active when those that are have enough to do and processors are idle. */
  #considerLanes(): void {
    if (this.#lookTimer !== undefined || this.#room() >= LANE_UNITS / 2) return;
    const againMs = this.#laneCount.consider(this.#largeBytes());
    if (againMs === undefined) return;
    // The end of a task may be far: it is not waited for.
    this.#lookTimer = this.#context.clock.after(againMs, () => {
      this.#lookTimer = undefined;
      this.#pump();
    });
  }

  /** Bytes of large files that are not recorded as sent. */
  #largeBytes(): number {
    const { geometry } = this.#context.constants;
    let bytes = 0;
    for (const large of this.#large.values()) bytes += large.openBytes(geometry);
    return bytes;
  }

  #planLarge(room: () => number, give: (planned: Planned) => void): void {
    for (const large of this.#large.values()) {
      while (room() > 0) {
        const step = large.take();
        if (!step) break;
        const { record } = large;
        const bound = large.boundFor(step);
        if (bound !== undefined) {
          this.#context.state.large.setBound(record.id, bound);
          large.record = { ...record, boundBlocks: bound };
        }
        const file = this.#context.largeFile(record);
        if (step.kind === 'finish') {
          give({ claim: { kind: 'finish', large }, task: { kind: 'finish-large', file }, units: DIRECTORY_UNITS });
        } else {
          const { first, last } = step;
          give({ claim: { kind: 'segments', large }, task: { kind: 'segments', file, first, last }, units: SEGMENTS_UNITS });
        }
      }
      if (room() <= 0) return;
    }
  }

  /** Has failed entries of earlier sessions looked at. */
  #planLooks(give: (planned: Planned) => void): void {
    const { state } = this.#context;
    const limit = LISTINGS_A_LANE * this.#lanes.length - this.#listings;
    for (const id of limit > 0 ? state.directories.claimLook(limit) : []) {
      this.#listings++;
      const wanted = state.failures.wanted(id, NAMES_A_LOOK + 1);
      const looked = wanted.slice(0, NAMES_A_LOOK);
      give({
        claim: { kind: 'look', listing: new ListingInProgress(id), looked, more: wanted.length > looked.length },
        task: { kind: 'look', place: this.#context.directory(id).place, names: looked.map(({ name }) => name) },
        units: LIST_UNITS,
      });
    }
  }

  #giveChunk(chunk: ChunkRecord, give: (planned: Planned) => void): void {
    const directory = this.#context.directory(chunk.directory);
    this.#backlog -= chunk.count;
    const { firstSequence, count, entries } = chunk;
    give({
      claim: { kind: 'files', chunk: chunkUnderWay(chunk) },
      task: { kind: 'files', place: directory.place, directoryHandle: directory.handle, firstSequence, count, entries },
      units: count + 1,
    });
  }

  #giveGroup(claimed: LinkGroupRecord, give: (planned: Planned) => void): void {
    const links = this.#context.state.links.links(claimed.id);
    const group = takeNames(this.#context, claimed);
    const claim = { kind: 'linked', group, links } as const;
    give({ claim, task: this.#linkedTask(group, links), units: 2 + links.length });
  }

  #linkedTask(group: LinkGroupRecord, links: readonly LinkRecord[]): LinkedTask {
    const directories = links.map((link) => this.#context.directory(link.directory));
    return {
      kind: 'linked',
      sequence: group.sequence,
      type: group.type,
      handle: this.#context.groupHandle(group),
      backPointers: directories.map((directory) => directory.handle),
      name: links[0].name,
      version: FIRST_VERSION + group.revision,
      generation: group.revision,
      candidates: links.map(({ name, written }, index) => ({ place: directories[index].place, name, written })),
      inode: group.inode,
    };
  }
}

const LIST_UNITS = 8;
const DIRECTORY_UNITS = 8;
/** So that a lane has two ranges of segments at once: one is read while the other is sent. */
const SEGMENTS_UNITS = LANE_UNITS / 2;

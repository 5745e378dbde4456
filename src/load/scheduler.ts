import { ClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { FIRST_VERSION } from '../format/names.js';
import type { ChunkRecord } from '../state/chunks.js';
import type { LinkGroupRecord, LinkRecord } from '../state/link-groups.js';
import { EntryPacker } from '../worker/packed-entries.js';
import type { RunnerEvents, TaskRunner } from '../worker/runner.js';
import type { DirectoryResult, FilesResult, LargeResult, LinkedTask, ListPart, ListResult, Task, TaskResult } from '../worker/tasks.js';
import { ListingInProgress } from './apply-listing.js';
import { applyChunk, applyDirectoryWritten, applyExamined, applyLargeDone, applyLargeFailure, applyLinked, applySegments } from './apply-results.js';
import { DirectoryFeeder } from './directory-feeder.js';
import type { JobContext } from './job-context.js';
import { LaneCount } from './lane-count.js';
import { LargeTracker } from './large-tracker.js';

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
/** How long a stop waits for what is running. */
const STOP_WAIT_MS = 5000;

type Claim =
  | { readonly kind: 'list'; readonly listing: ListingInProgress }
  | { readonly kind: 'files'; readonly chunk: ChunkRecord }
  | { readonly kind: 'linked'; readonly group: LinkGroupRecord; readonly links: readonly LinkRecord[] }
  | { readonly kind: 'examine' | 'finish'; readonly large: LargeTracker }
  | { readonly kind: 'segments'; readonly large: LargeTracker; readonly first: number; readonly last: number }
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
  | { readonly kind: 'part'; readonly task: number; readonly part: ListPart }
  | { readonly kind: 'done'; readonly task: number; readonly result: TaskResult };

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
  #timer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #stopping: unknown;
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

  /** What a runner is to be made with. */
  get events(): RunnerEvents {
    return {
      part: (task, part) => this.#receive({ kind: 'part', task, part }),
      done: (task, result) => this.#receive({ kind: 'done', task, result }),
      failed: (task, error) => this.#fail(task, error),
      log: (text) => this.#context.log.write('WARNING', text),
    };
  }

  /**
   * Runs to the end.
   *
   * @throws ClfsError `cancelled` when `signal` is aborted; `entry` when too many entries failed; whatever the container or the state threw
   */
  async run(runner: TaskRunner, signal: AbortSignal): Promise<void> {
    this.#runner = runner;
    this.#context.progress.openLargeBytes = () => this.#largeBytes();
    this.#lanes.push(...new Array<number>(runner.lanes).fill(0));
    this.#laneCount = new LaneCount(runner.lanes, this.#allLanes);
    const { state } = this.#context;
    this.#backlog = state.chunks.backlogEntries();
    for (let after = 0; ; ) {
      const page = state.large.list(after, 1000);
      for (const record of page) this.#large.set(record.id, new LargeTracker(record));
      if (page.length < 1000) break;
      after = page[page.length - 1].id;
    }
    const abort = () => this.#stop(new ClfsError('cancelled', 'The job was stopped. Go on with it by --new-session=false.'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#pump();
      });
    } finally {
      signal.removeEventListener('abort', abort);
      clearTimeout(this.#timer);
      clearTimeout(this.#lookTimer);
      this.#settle = undefined;
    }
  }

  #receive(event: Event): void {
    this.#events.push(event);
    this.#schedule(SHORTEST_PAUSE_MS);
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined || !this.#settle) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, delayMs);
  }

  /** Whether nothing was under way when the run ended: no put of the current session can take effect any more. */
  get settled(): boolean {
    return this.#running.size === 0;
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
    setTimeout(() => this.#end(reason), STOP_WAIT_MS).unref();
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
    const begun = performance.now();
    const events = this.#events;
    this.#events = [];
    const planned = this.#context.state.transact(() => {
      const next: Planned[] = [];
      for (const event of events) this.#apply(event, next);
      this.#checkFailures();
      if (!this.#stopping) this.#plan(next);
      return next;
    });
    for (const { claim, task, units, lane } of planned) this.#submit(claim, task, units, lane);
    const quiet = this.#running.size === 0;
    if (this.#stopping) {
      if (quiet) this.#end(this.#stopping);
      return;
    }
    if (quiet) this.#advance();
    else this.#considerLanes();
    // What arrived meanwhile waits long enough that commits do not eat up this thread.
    if (this.#events.length > 0) this.#schedule(Math.max(SHORTEST_PAUSE_MS, (performance.now() - begun) * (1 / COMMIT_SHARE - 1)));
  }

  /** Nothing runs and nothing can be given out: the next stage, or the end. */
  #advance(): void {
    const { state, progress } = this.#context;
    if (!this.#scanComplete) {
      if (state.directories.hasUnlisted()) throw new Error('Directories remain to be listed, and nothing lists them.');
      this.#scanComplete = true;
      progress.scanning = false;
      if (state.links.openCount() > 0) this.#onReconcile();
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
      if (claim.kind === 'list') claim.listing.addPart(event.part, this.#context);
      return;
    }
    this.#running.delete(event.task);
    this.#lanes[lane] -= units;
    const { result } = event;
    if (result.kind === 'files') this.#context.progress.report(result.done, result.bytes);
    switch (claim.kind) {
      case 'list':
        this.#listings--;
        claim.listing.finish(result as ListResult, this.#context);
        this.#backlog = -1;
        return;
      case 'files':
        for (const record of applyChunk(this.#context, claim.chunk, result as FilesResult)) this.#large.set(record.id, new LargeTracker(record));
        return;
      case 'linked': {
        const record = applyLinked(this.#context, claim.group, claim.links, result as FilesResult);
        if (record) this.#large.set(record.id, new LargeTracker(record));
        return;
      }
      case 'directory':
        this.#applyDirectory(claim.feeder, result as DirectoryResult, next, lane);
        return;
      default:
        this.#applyLarge(claim, result);
    }
  }

  #applyDirectory(feeder: DirectoryFeeder, result: DirectoryResult, next: Planned[], lane: number): void {
    if (!feeder.complete) next.push({ claim: { kind: 'directory', feeder }, task: feeder.next(this.#context, result.fill), units: DIRECTORY_UNITS, lane });
    else applyDirectoryWritten(this.#context, feeder.directory, result);
  }

  #applyLarge(claim: Extract<Claim, { large: LargeTracker }>, result: TaskResult): void {
    const { large } = claim;
    const { record } = large;
    large.ended();
    if (claim.kind === 'examine') {
      this.#large.delete(record.id);
      const next = applyExamined(this.#context, record, result as FilesResult);
      if (next) this.#large.set(next.id, new LargeTracker(next));
      return;
    }
    const { failure } = result as LargeResult;
    if (failure && !large.failed) large.setFailed(failure);
    if (!large.failed) {
      if (claim.kind === 'segments') applySegments(this.#context, record, large.setDone(claim.first, claim.last), large.doneBlocks);
      else {
        applyLargeDone(this.#context, record, result as LargeResult);
        this.#large.delete(record.id);
      }
      return;
    }
    if (!large.idle || !large.failed) return;
    this.#large.delete(record.id);
    const next = applyLargeFailure(this.#context, record, large.doneBlocks, large.failed);
    if (next) this.#large.set(next.id, new LargeTracker(next));
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
      give({ claim: { kind: 'directory', feeder }, task: feeder.next(this.#context, undefined), units: DIRECTORY_UNITS });
    }
    this.#planLarge(() => room, give);
    if (this.#backlog < 0) this.#backlog = state.chunks.backlogEntries();
    if (!this.#scanComplete && this.#backlog < BACKLOG_ENTRIES) {
      const limit = LISTINGS_A_LANE * this.#lanes.length - this.#listings;
      for (const id of limit > 0 ? state.directories.claimFound(limit) : []) {
        this.#listings++;
        give({
          claim: { kind: 'list', listing: new ListingInProgress(id, this.#context) },
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
    this.#lookTimer = setTimeout(() => {
      this.#lookTimer = undefined;
      this.#pump();
    }, againMs);
  }

  /** Bytes of large files that are not recorded as sent. */
  #largeBytes(): number {
    const { firstSegmentBytes, fileSegmentBytes } = this.#context.constants.geometry;
    let bytes = 0;
    for (const large of this.#large.values()) bytes += large.openBytes(firstSegmentBytes, fileSegmentBytes);
    return bytes;
  }

  #planLarge(room: () => number, give: (planned: Planned) => void): void {
    for (const large of this.#large.values()) {
      while (room() > 0) {
        const step = large.take();
        if (!step) break;
        const { record } = large;
        if (step.kind === 'examine') give({ claim: { kind: 'examine', large }, task: this.#examineTask(large), units: 1 });
        else if (step.kind === 'finish')
          give({ claim: { kind: 'finish', large }, task: { kind: 'finish-large', file: this.#context.largeFile(record) }, units: DIRECTORY_UNITS });
        else {
          const bound = large.boundFor(step.last);
          if (bound !== undefined) {
            this.#context.state.large.setBound(record.id, bound);
            large.record = { ...record, boundBlocks: bound };
          }
          const { first, last } = step;
          give({
            claim: { kind: 'segments', large, first, last },
            task: { kind: 'segments', file: this.#context.largeFile(record), first, last },
            units: SEGMENTS_UNITS,
          });
        }
      }
      if (room() <= 0) return;
    }
  }

  #giveChunk(chunk: ChunkRecord, give: (planned: Planned) => void): void {
    const directory = this.#context.directory(chunk.directory);
    this.#backlog -= chunk.count;
    const { firstSequence, entries, suspect } = chunk;
    give({
      claim: { kind: 'files', chunk },
      task: { kind: 'files', place: directory.place, directoryHandle: directory.handle, firstSequence, entries, suspect },
      units: chunk.count + 1,
    });
  }

  #giveGroup(claimed: LinkGroupRecord, give: (planned: Planned) => void): void {
    const { state } = this.#context;
    const links = state.links.links(claimed.id);
    if (claimed.sequence === 0) state.links.identify(claimed.id, state.takeSequences(1), this.#context.directory(links[0].directory).manager);
    const group = state.links.get(claimed.id);
    give({ claim: { kind: 'linked', group, links }, task: this.#linkedTask(group, links), units: 2 + links.length });
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
      generation: group.generation,
      candidates: links.map((link, index) => ({ place: directories[index].place, name: link.name })),
      inode: group.inode,
      suspect: group.suspect,
    };
  }

  /** A large file that changed is looked at again, as if it were met for the first time. */
  #examineTask(large: LargeTracker): Task {
    const { record } = large;
    if (record.origin.chunk === undefined) {
      const group = this.#context.state.links.get(record.origin.group);
      return { ...this.#linkedTask(group, this.#context.state.links.links(group.id)), suspect: true };
    }
    const directory = this.#context.directory(record.directory);
    const packer = new EntryPacker();
    packer.add(ObjectType.regular, record.sourceName);
    const { entries } = packer.take();
    return { kind: 'files', place: directory.place, directoryHandle: directory.handle, firstSequence: record.sequence, entries, suspect: true };
  }
}

const LIST_UNITS = 8;
const DIRECTORY_UNITS = 8;
/** So that a lane has two ranges of segments at once: one is read while the other is sent. */
const SEGMENTS_UNITS = LANE_UNITS / 2;

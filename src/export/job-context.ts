import { sharePermille } from '../books/work-share.js';
import { type ContentRead, storedRatio } from '../container/content-read.js';
import type { LossRecord } from '../engine/work.js';
import type { JobLog } from '../log/job-log.js';
import { joinPath, joinPaths } from '../paths/join-path.js';
import { JobCensus } from '../state/job-census.js';
import { escapePath } from '../text/escape-path.js';
import type { Clock } from '../time/clock.js';
import type { LateWrites } from './late-writes.js';
import type { ExportProgress } from './options.js';
import type { ExportState } from './state/export-state.js';
import type { NameFolding } from './target/name-folding.js';
import type { TargetPlace } from './target/target-tree.js';
import type { EntryProblem, ExportConstants } from './tasks/kinds.js';

/** Directories whose path is kept at hand, and bytes of all these paths. */
const CACHED_DIRECTORIES = 16_384;
const CACHED_BYTES = 16 * 1048576;

/** Bytes of all content that is to be written. */
export interface ContentTotal {
  readonly bytes: number;
  /** Whether these are bytes as they are stored in the container; otherwise bytes of file data. */
  readonly stored: boolean;
}

type ReadSoFar = Pick<ContentRead, 'contentStored' | 'contentData'>;

/** What {@link ExportJobContext} is made of. */
export interface ExportJobContextParts {
  readonly state: ExportState;
  readonly constants: ExportConstants;
  readonly log: JobLog;
  readonly clock: Clock;
  /** Entries in all; undefined where that is not known. */
  readonly total: number | undefined;
  /** Undefined where that is not known. */
  readonly contentTotal: ContentTotal | undefined;
  onFailure(path: Buffer, reason: string, message: string): void;
}

/** What the parts of a running export share. */
export class ExportJobContext {
  readonly state: ExportState;
  readonly constants: ExportConstants;
  readonly log: JobLog;
  readonly clock: Clock;
  /** Entries in all; undefined where that is not known. */
  readonly total: number | undefined;
  /** Undefined where that is not known. */
  readonly contentTotal: ContentTotal | undefined;
  /** What has been written, for people. */
  readonly census = new JobCensus();
  /** Failures of all sessions that stand. */
  failed = 0;
  /** Failures of the present session: what `--max-errors` counts. */
  sessionFailures = 0;
  /** When what was given up can change nothing any more. */
  late: LateWrites | undefined;
  /** Called before the target's root gets its attributes: nothing is made in it after that. */
  beforeRoot: (() => Promise<void>) | undefined;
  /** What the lanes of the present session have read of content. */
  readSoFar: () => ReadSoFar = () => ({ contentStored: 0, contentData: 0 });
  /** Has the engine look again what is to be done. */
  wake: () => void = () => undefined;
  readonly #readBefore: ReadSoFar;
  #attempts = 0;
  /** Lanes that may have gone because of something, by what that is: of what waits to be done again. */
  readonly #losses = new Map<string, LossRecord>();
  /** Names that a directory takes for one otherwise than that above it, by its path. */
  readonly #foldings = new Map<string, NameFolding>();
  readonly #onFailure: ExportJobContextParts['onFailure'];
  readonly #paths = new Map<number, Buffer>();
  #pathBytes = 0;

  constructor({ state, constants, log, clock, total, contentTotal, onFailure }: ExportJobContextParts) {
    this.state = state;
    this.constants = constants;
    this.log = log;
    this.clock = clock;
    this.total = total;
    this.contentTotal = contentTotal;
    this.#readBefore = state.record.contentRead ?? { contentStored: 0, contentData: 0 };
    this.#onFailure = onFailure;
  }

  /**
   * Records what share of the work is done, in the transaction of the results that brought it: what failed and is tried
   * again takes nothing back that somebody has read.
   */
  recordShare(): void {
    const { state, total, failed } = this;
    if (total === undefined) return;
    const content = this.content();
    if (this.contentTotal && !content) return;
    const { written, replaced, left } = state.counters;
    const permille = sharePermille({ done: written + replaced + left + failed, total, ...content });
    if (permille <= (state.record.permille ?? 0)) return;
    state.update({ permille });
    this.recordRead();
  }

  /** Records what has been read, by which a later session goes on; inside a transaction. */
  recordRead(): void {
    if (this.contentTotal?.stored) this.state.update({ contentRead: this.#readInAll() });
  }

  /** Content was there already; inside a transaction. @param bytes of file data */
  passed(bytes = 0): void {
    const { state } = this;
    if (bytes > 0) state.update({ passedBytes: (state.record.passedBytes ?? 0) + bytes });
  }

  /**
   * How far the content has come that is to be written, in bytes of the kind that its total has. What is recorded is of
   * file data, whoever wrote it and however often it was read; how much of it a stored byte makes is learnt from what is
   * read.
   *
   * @returns undefined where that is not known: a session of an older program has not recorded it
   */
  content(): ExportProgress['content'] {
    const { state, contentTotal: all } = this;
    if (!all) return undefined;
    const read = this.#readInAll();
    if (all.stored && read.contentData === 0 && state.counters.bytes > 0) return undefined;
    const ratio = all.stored ? storedRatio(read) : 1;
    const bytes = Math.min(all.bytes, Math.max(0, Math.round(state.counters.bytes * ratio)));
    const left = Math.round(all.bytes - (state.record.passedBytes ?? 0) * ratio);
    return { bytes, bytesTotal: Math.max(bytes, left), stored: all.stored };
  }

  #readInAll(): ReadSoFar {
    const [before, now] = [this.#readBefore, this.readSoFar()];
    return {
      contentStored: before.contentStored + now.contentStored,
      contentData: before.contentData + now.contentData,
    };
  }

  /** Names a try: never that of another one, of whatever session. */
  nextAttempt(): string {
    return `${this.state.record.sessions}.${++this.#attempts}`;
  }

  /**
   * Lanes have gone with something that is going to be given again, under other names; inside a transaction.
   *
   * @param what names it
   * @param directories in which the lost try may have left files for a while: they are removed in the end, when nothing
   *   of it can arrive any more
   */
  lost(what: string, losses: LossRecord, directories: readonly number[]): void {
    this.#losses.set(what, losses);
    for (const directory of directories) this.state.leftovers.add(directory);
  }

  /** Lanes that may have gone because of it; undefined: it was not lost. It is forgotten by that. */
  takeLosses(what: string): LossRecord | undefined {
    const losses = this.#losses.get(what);
    this.#losses.delete(what);
    return losses;
  }

  /** Path of a directory below the root. */
  path(id: number): Buffer {
    const passed: { readonly id: number; readonly name: Uint8Array }[] = [];
    let base = this.#paths.get(id);
    for (let at = id; base === undefined; base = this.#paths.get(at)) {
      const { parent, name } = this.state.directories.get(at);
      if (parent === 0) break;
      passed.push({ id: at, name });
      at = parent;
    }
    if (passed.length === 0) return base ?? Buffer.alloc(0);
    if (this.#paths.size >= CACHED_DIRECTORIES || this.#pathBytes > CACHED_BYTES) {
      this.#paths.clear();
      this.#pathBytes = 0;
    }
    passed.reverse();
    const path = joinPaths([base ?? Buffer.alloc(0), ...passed.map(({ name }) => name)]);
    // Those above are parts of it.
    let end = base === undefined || base.length === 0 ? -1 : base.length;
    for (const each of passed) {
      end += 1 + each.name.length;
      this.#paths.set(each.id, path.subarray(0, end));
    }
    this.#pathBytes += path.length;
    return path;
  }

  /** Names that are taken for one in what is above a directory, as far as the present session has asked. */
  foldingAbove(id: number): NameFolding {
    const { folding } = this.constants;
    if (this.#foldings.size === 0) return folding;
    for (let path = this.path(id).toString('latin1'); path !== ''; ) {
      path = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      const noted = this.#foldings.get(path);
      if (noted) return noted;
    }
    return folding;
  }

  /** A directory takes these names for one: so do those that are made in it. */
  noteFolding(id: number, folding: NameFolding): void {
    const above = this.foldingAbove(id);
    if (folding.letterCase !== above.letterCase || folding.unicodeForm !== above.unicodeForm)
      this.#foldings.set(this.path(id).toString('latin1'), folding);
  }

  /** A directory for tasks: its path, and how much of that must be there. */
  place(id: number): TargetPlace {
    const filled = this.state.directories.nearestFilled(id);
    return { path: this.path(id), filled: filled === undefined ? 0 : this.path(filled).length };
  }

  /** Path below the root of an entry; that of the root itself is empty. */
  entryPath(directory: number, name: Uint8Array): Buffer {
    return directory === 0 ? Buffer.alloc(0) : joinPath(this.path(directory), name);
  }

  /**
   * Records a failure, counts it, and tells it; inside a transaction. @param handle empty when the name itself is wrong
   */
  fail(
    entry: { readonly directory: number; readonly name: Uint8Array; readonly handle: Uint8Array },
    { reason, message }: EntryProblem,
  ): void {
    const { directory, name, handle } = entry;
    this.state.failures.put({ directory, name, handle, reason, message, timeMs: this.clock.now() });
    const path = this.entryPath(directory, name);
    this.log.write('ERROR', `${escapePath(path) || '.'}: ${reason}: ${message}`);
    this.failed++;
    this.sessionFailures++;
    this.#onFailure(path, reason, message);
  }

  /** A directory was found in another one; inside a transaction. */
  foundDirectory(parent: number, name: Uint8Array, handle: Uint8Array): void {
    if (this.state.directories.found(parent, name, handle)) return;
    const message = `the directory ${Buffer.from(handle).toString('hex').toUpperCase()} is in the tree more than once`;
    this.fail({ directory: parent, name, handle }, { reason: 'directory-repeated', message });
  }
}

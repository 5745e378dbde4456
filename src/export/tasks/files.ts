import { createHash } from 'node:crypto';
import { BitSet } from '../../books/bit-set.js';
import { EntryCounter } from '../../books/entry-counts.js';
import type { Breakage } from '../../engine/breakage.js';
import type { PartSink } from '../../engine/kinds.js';
import { REPORT_MS, STOP_LOOK_MS } from '../../engine/report.js';
import type { Attributes } from '../../format/attributes.js';
import { ObjectType } from '../../format/ids.js';
import type { FoundInode } from '../../namespace/reader.js';
import { joinPath } from '../../paths/join-path.js';
import type { ExportContext } from './context.js';
import { EntryPlace } from './create-entry.js';
import type { FilesPart, FilesResult, FilesTask } from './kinds.js';
import { type ExportEntry, unpackEntries } from './packed-entries.js';
import { exportBreakage, problemOf, stopped } from './problem.js';
import {
  finishEntry,
  keepThere,
  largeBlocks,
  type Made,
  makeEntry,
  requireReplaceable,
  type Written,
} from './write-entry.js';

/** Writes the entries of a chunk; directories, large files and files with several names are only found out about. */
export async function writeFiles(
  task: FilesTask,
  context: ExportContext,
  tell: PartSink<FilesPart>,
): Promise<FilesResult> {
  const chunk = new ChunkInProgress(task, context, tell);
  const giveBack = await context.directories.take();
  let place: EntryPlace | undefined;
  let unusable: unknown;
  try {
    place = new EntryPlace(await context.target.enter(task));
  } catch (error) {
    unusable = error;
  }
  const settled = new BitSet(task.count, task.settled);
  try {
    for (const entry of unpackEntries(task.entries)) {
      if (settled.has(entry.index)) continue;
      if (context.stop.asked || chunk.isBroken) break;
      if (place === undefined) chunk.failed(entry, unusable);
      else {
        const release = await context.entries.take();
        if (context.stop.asked || chunk.isBroken) release();
        else chunk.begin(place, entry, release);
      }
      await chunk.report();
    }
    return await chunk.end();
  } finally {
    // What was given up may still use it: then it is closed with the process.
    if (place && chunk.isIdle) await context.target.calls.close(place.at);
    giveBack();
  }
}

/** A chunk while it is written: what of it is done, and was not reported yet. */
class ChunkInProgress {
  readonly #failures: FilesResult['failures'][number][] = [];
  readonly #directories: number[] = [];
  readonly #links: number[] = [];
  readonly #large: FilesResult['large'][number][] = [];
  readonly #excluded: number[] = [];
  readonly #path: Buffer;
  readonly #task: FilesTask;
  readonly #context: ExportContext;
  readonly #tell: PartSink<FilesPart>;
  #broken: Breakage | undefined;
  /** Entries that were made since the last flush: they are made whole after the next one. */
  #made: { readonly entry: ExportEntry; readonly made: Made }[] = [];
  /** What is whole, and to be told after the next flush. */
  #news: News;
  #reportedMs: number;
  #outstanding = 0;
  #wake: (() => void) | undefined;

  constructor(task: FilesTask, context: ExportContext, tell: PartSink<FilesPart>) {
    this.#task = task;
    this.#path = Buffer.from(task.path);
    this.#context = context;
    this.#tell = tell;
    this.#news = new News(task.count);
    this.#reportedMs = context.clock.monotonic();
  }

  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  get isIdle(): boolean {
    return this.#outstanding === 0;
  }

  /** Begins an entry. @param release called when it has ended */
  begin(place: EntryPlace, entry: ExportEntry, release: () => void): void {
    this.#outstanding++;
    void this.#write(place, entry)
      .catch((error: unknown) => this.failed(entry, error))
      .finally(() => {
        release();
        if (--this.#outstanding === 0) this.#wake?.();
      });
  }

  /** An entry failed, or ends the job. */
  failed({ index, name }: ExportEntry, error: unknown): void {
    try {
      this.#failures.push({ index, ...problemOf(joinPath(this.#path, name), error) });
    } catch (ofAll) {
      this.#broken ??= exportBreakage(ofAll);
    }
  }

  /** Tells what is done, if the last time is a while ago. */
  async report(): Promise<void> {
    if (this.#news.isEmpty && this.#made.length === 0) return;
    if (this.#context.clock.monotonic() - this.#reportedMs >= REPORT_MS) await this.#goOn();
  }

  /** Waits for what is under way, and tells what has become of the chunk. */
  async end(): Promise<FilesResult> {
    const { stop, clock } = this.#context;
    while (this.#outstanding > 0 && !stop.abandoned) {
      await new Promise<void>((resolve) => {
        const timer = clock.after(stop.asked ? STOP_LOOK_MS : REPORT_MS, resolve);
        this.#wake = () => {
          timer.cancel();
          resolve();
        };
      });
      this.#wake = undefined;
      if (this.#outstanding > 0) await this.report();
    }
    const isGivenUp = this.#outstanding > 0;
    if (this.#made.length > 0) await this.#goOn();
    const news = (await this.#takeDurable()) ?? new News(this.#task.count);
    if (isGivenUp) this.#broken ??= exportBreakage(stopped());
    return {
      ...news.part(),
      failures: this.#failures,
      directories: this.#directories,
      links: this.#links,
      large: this.#large,
      excluded: this.#excluded,
      broken: this.#broken,
    };
  }

  async #write(place: EntryPlace, entry: ExportEntry): Promise<void> {
    const { isListed, inodeBudget, reader, constants, target } = this.#context;
    // First of all: what a session that died has left goes, too, when the container lacks what is to take its place. Where
    // others write too each try has a name of its own.
    if (constants.isResumed && !constants.isShared) await target.removeTemporary(place.at, this.#temporary(entry.name));
    const blob = isListed ? await reader.finder.find(entry.handle) : undefined;
    const giveBack = await inodeBudget.take(blob?.sizeBytes ?? 0);
    try {
      if (this.#context.stop.asked || this.#broken) return;
      await this.#deal(place, entry, await reader.inode(entry.handle, blob));
    } finally {
      giveBack();
    }
  }

  async #deal(place: EntryPlace, entry: ExportEntry, found: FoundInode): Promise<void> {
    const { index, name } = entry;
    const { constants, chooser, target } = this.#context;
    const { attributes } = found.inode;
    if (attributes.type === ObjectType.directory) this.#directories.push(index);
    else if (!chooser.takesFile(name)) this.#excluded.push(index);
    else if (constants.isTree && attributes.linkCount > 1) this.#links.push(index);
    else {
      const blocks = largeBlocks(this.#context, found);
      if (blocks === undefined) {
        const made = await makeEntry(this.#context, place, name, found, () => this.#temporary(name));
        if ('outcome' in made) this.#news.add(index, made, attributes);
        else this.#made.push({ entry, made });
        return;
      }
      const there = await target.look(place.at, name);
      const kept = await keepThere(this.#context, place.at, name, there, found);
      if (kept) {
        this.#news.add(index, kept, attributes);
        return;
      }
      // Before all of it is fetched and written, in each session anew.
      if (there) requireReplaceable(there);
      this.#large.push({ index, sizeBytes: Number(attributes.lengthBytes), blocks });
    }
  }

  /**
   * The same for an entry whichever chunk it is in: what a try left, the next one finds. Where other machines write too,
   * one for each try: a worker that was given up and goes on hits nothing but its own.
   */
  #temporary(name: Buffer): Buffer {
    const { temporaryPrefix, isShared } = this.#context.constants;
    const own = isShared ? `-${this.#task.attempt}` : '';
    return Buffer.from(`${temporaryPrefix}e${createHash('sha256').update(name).digest('hex')}${own}`);
  }

  /** One flush makes durable what is whole, which is told, and what was made, which is made whole. */
  async #goOn(): Promise<void> {
    const made = this.#made;
    this.#made = [];
    const news = await this.#takeDurable();
    if (!news) return;
    if (!news.isEmpty) this.#tell(news.part());
    const finish = async ({ entry, made: each }: (typeof made)[number]) => {
      try {
        this.#news.add(entry.index, await finishEntry(this.#context, each), each.attributes);
      } catch (error) {
        this.failed(entry, error);
      }
    };
    if (this.#context.target.isSlow) await Promise.all(made.map(finish));
    else for (const each of made) await finish(each);
  }

  /** What is whole, and durable now. @returns undefined when it could not be made durable */
  async #takeDurable(): Promise<News | undefined> {
    const news = this.#news;
    this.#news = new News(this.#task.count);
    this.#reportedMs = this.#context.clock.monotonic();
    try {
      await this.#context.target.flush();
      return news;
    } catch (error) {
      this.#broken ??= exportBreakage(error);
      return undefined;
    }
  }
}

/** Entries that were done since the last report. */
class News {
  readonly #done: BitSet;
  #counts = { written: 0, replaced: 0, left: 0 };
  #bytes = 0;
  #passedBytes = 0;
  readonly #types = new EntryCounter();

  constructor(count: number) {
    this.#done = new BitSet(count);
  }

  get isEmpty(): boolean {
    return this.#counts.written + this.#counts.replaced + this.#counts.left === 0;
  }

  add(index: number, { outcome, bytes }: Written, { type, lengthBytes }: Attributes): void {
    this.#done.add(index);
    this.#counts[outcome]++;
    this.#bytes += bytes;
    const isFile = type === ObjectType.regular;
    if (isFile) this.#passedBytes += Number(lengthBytes) - bytes;
    this.#types.add(type, isFile ? Number(lengthBytes) : undefined);
  }

  part(): FilesPart {
    return {
      done: this.#done.bytes,
      ...this.#counts,
      bytes: this.#bytes,
      counts: this.#types.plain(),
      passedBytes: this.#passedBytes,
    };
  }
}

import { BitSet } from '../books/bit-set.js';
import { EntryCounter } from '../books/entry-counts.js';
import { Tally } from '../books/tally.js';
import { type Breakage, breakageOf } from '../engine/breakage.js';
import type { PartSink } from '../engine/kinds.js';
import { REPORT_MS, STOP_LOOK_MS } from '../engine/report.js';
import { isClfsError } from '../error.js';
import { type EntryType, ObjectType } from '../format/ids.js';
import type { FailureReason } from '../source/source-tree.js';
import { stopped } from './breakage.js';
import type { BuiltEntry, FoundLarge } from './build-entry.js';
import type { WorkContext } from './context.js';
import { entryProblem, type Item } from './item.js';
import type { FilesPart, FilesResult } from './tasks.js';

/** A chunk while it is loaded: what of it is acknowledged, and was not reported yet. */
export class ChunkInProgress {
  readonly failures: FilesResult['failures'][number][] = [];
  readonly large: FilesResult['large'][number][] = [];
  readonly warnings: FilesResult['warnings'][number][] = [];
  begun = 0;
  broken: Breakage | undefined;
  readonly #count: number;
  readonly #context: WorkContext;
  readonly #tell: PartSink<FilesPart>;
  #news: News;
  #reportedMs: number;
  #outstanding = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(count: number, context: WorkContext, tell: PartSink<FilesPart>) {
    this.#count = count;
    this.#context = context;
    this.#tell = tell;
    this.#news = new News(count);
    this.#reportedMs = context.clock.monotonic();
  }

  /** An entry is read while others are. */
  beginRead(): void {
    this.#outstanding++;
  }

  endRead(): void {
    this.#ended();
  }

  /** Takes an entry that has been read. */
  take(index: number, item: Item, built: BuiltEntry | FoundLarge): void {
    // What has been told of the chunk stays as it is.
    if (this.#isOver) {
      if (built.kind === 'built') dropDrafts(built);
      return;
    }
    if (built.kind === 'large') this.large.push({ index, attributes: built.attributes, sizeBytes: built.sizeBytes });
    else this.#send(index, item, built);
    for (const text of built.warnings) this.warnings.push({ index, text });
  }

  /** Takes why an entry was not read: its own failure, or what ends the chunk. */
  fail(index: number, error: unknown): void {
    if (this.#isOver) return;
    if (!isClfsError(error, 'entry')) this.breakOff(error);
    else this.failures.push({ index, ...entryProblem(error.reason as FailureReason, error.message) });
  }

  /** Sends an entry's objects: it is acknowledged when all of them are. */
  #send(index: number, item: Item, built: BuiltEntry): void {
    const { inode, segment, bytes, manifest } = built;
    const { objectName, type } = item;
    const inodeBytes = inode.storedBytes;
    const segmentBytes = segment?.draft.storedBytes ?? 0;
    this.#outstanding++;
    const acknowledged = () => {
      this.#news.add(index, type, objectName, inodeBytes, bytes, manifest);
      if (segment) this.#news.tally.add(ObjectType.segment, segment.name, segmentBytes);
      this.#ended();
    };
    const failed = (error: unknown) => {
      this.breakOff(error);
      this.#ended();
    };
    if (!segment) {
      inode.send(objectName).then(acknowledged, failed);
      return;
    }
    const both = [segment.draft.send(segment.name), inode.send(objectName)];
    Promise.allSettled(both).then((ends) => {
      const bad = ends.find((end) => end.status === 'rejected');
      if (bad) failed(bad.reason);
      else acknowledged();
    }, failed);
  }

  /** Nothing more is begun; what is under way is waited for. */
  breakOff(error: unknown): void {
    this.broken ??= breakageOf(error);
  }

  /** Whether something is acknowledged, and the last report is a while ago. */
  get isReportDue(): boolean {
    return this.#news.done > 0 && this.#context.clock.monotonic() - this.#reportedMs >= REPORT_MS;
  }

  /** Tells what is acknowledged, if that is due. */
  async report(): Promise<void> {
    if (!this.isReportDue) return;
    const news = await this.#takeDurable();
    if (news) this.#tell(news.part());
  }

  /**
   * Tells what is acknowledged every second, whatever is waited for meanwhile.
   *
   * @returns ends that; resolves when nothing more is told so
   */
  reportMeanwhile(): () => Promise<void> {
    let isOver = false;
    let reported = Promise.resolve();
    const later = () =>
      this.#context.clock.after(REPORT_MS, () => {
        reported = this.report().then(() => {
          if (!isOver) timer = later();
        });
      });
    let timer = later();
    return () => {
      isOver = true;
      timer.cancel();
      return reported;
    };
  }

  /** Waits for what is under way, and tells what has become of the chunk. */
  async end(): Promise<FilesResult> {
    const { stop } = this.#context;
    while (this.#outstanding > 0 && !stop.abandoned) {
      await new Promise<void>((resolve) => {
        const timer = this.#context.clock.after(stop.asked ? STOP_LOOK_MS : REPORT_MS, resolve);
        this.#wake = () => {
          timer.cancel();
          resolve();
        };
      });
      this.#wake = undefined;
      if (this.#outstanding > 0) await this.report();
    }
    this.#isOver = true;
    if (this.#outstanding > 0) this.breakOff(stopped());
    const news = (await this.#takeDurable()) ?? new News(this.#count);
    const { failures, large, warnings, begun, broken } = this;
    return { ...news.part(), failures, large, warnings, begun, broken };
  }

  /** What is acknowledged and durable. @returns undefined when it could not be made durable */
  async #takeDurable(): Promise<News | undefined> {
    const news = this.#news;
    this.#news = new News(this.#count);
    this.#reportedMs = this.#context.clock.monotonic();
    try {
      await this.#context.container.flush();
      return news;
    } catch (error) {
      this.breakOff(error);
      return undefined;
    }
  }

  #ended(): void {
    if (--this.#outstanding === 0) this.#wake?.();
  }
}

function dropDrafts({ inode, segment }: BuiltEntry): void {
  inode.drop();
  segment?.draft.drop();
}

/** Entries that were acknowledged since the last report. */
class News {
  readonly tally = new Tally();
  done = 0;
  #bytes = 0;
  readonly #acknowledged: BitSet;
  readonly #manifest: string[] = [];
  readonly #counts = new EntryCounter();

  constructor(count: number) {
    this.#acknowledged = new BitSet(count);
  }

  add(
    index: number,
    type: EntryType,
    name: string,
    inodeBytes: number,
    bytes: number,
    manifest: readonly string[],
  ): void {
    this.#acknowledged.add(index);
    this.done++;
    this.#bytes += bytes;
    this.tally.add(type, name, inodeBytes);
    this.#counts.add(type, type === ObjectType.regular ? bytes : undefined);
    if (manifest.length > 0) this.#manifest.push(...manifest);
  }

  part(): FilesPart {
    return {
      acknowledged: this.#acknowledged.bytes,
      done: this.done,
      bytes: this.#bytes,
      tally: this.tally.encode(),
      manifest: this.#manifest,
      counts: this.#counts.plain(),
    };
  }
}
